"""A Raspberry Pi 4 as far as a program can tell: Debian's arm64 files in a folder, and a processor that QEMU imitates."""

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

SUITE, PYTHON = "bookworm", "3.11"  # the Python of that Debian
PACKAGES = "python3,ca-certificates"
PROCESSOR = "cortex-a72"
CORES = 2
# What Linux tells of that processor; the networks' runtimes choose their kernels by it, and one of them crashes where it finds another's
CPUINFO = """processor	: {number}
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

"""


def root(cache: Path) -> Path:
    """The folder of Debian's files, made once and kept. Nothing in it is run while it is made, so no kernel support is needed."""
    folder = cache / f"{SUITE}-arm64"
    if folder.exists():
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = ["debootstrap", "--arch=arm64", "--foreign", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(partial)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for package in sorted((partial / "var/cache/apt/archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, partial], check=True)
    # QEMU looks here before it looks at this machine
    (partial / "proc").mkdir(exist_ok=True)
    (partial / "proc/cpuinfo").write_text("".join(CPUINFO.format(number=number) for number in range(CORES)))
    processors = partial / "sys/devices/system/cpu"
    processors.mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (processors / name).write_text(f"0-{CORES - 1}\n")
    partial.rename(folder)
    return folder


def unpack(wheels: Path, folder: Path) -> Path:
    """The content of wheels, as an installer would lay it out; programs, which nothing here calls, are left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


class Emulated:
    """Runs Python there."""

    def __init__(self, root: Path, paths: list[Path], variables: Mapping[str, str]) -> None:
        """paths: where packages lie; variables: of the environment, beside those of this process."""
        self._command = ["qemu-aarch64-static", "-cpu", PROCESSOR, "-L", str(root), str(root / "usr/bin" / f"python{PYTHON}")]
        search = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
        self._environment = {**os.environ, **search, **variables}

    def run(self, *arguments: str) -> str:
        """What it prints. Raises CalledProcessError with what it said."""
        done = subprocess.run([*self._command, *arguments], env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)
        return done.stdout
