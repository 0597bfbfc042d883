"""A machine that boots: a bare Debian in a container whose first process is systemd. What is written in it is gone when it ends."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SUITE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,python3-systemd,procps,util-linux,ca-certificates"
NAME = "blinkd-test"
BOOT_S = 60.0
# Mounts of its own, and the second kind of control groups, which systemd wants, whatever this machine has
BOOT = """
set -eu
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
exec systemd-nspawn --quiet --boot --directory="$1" --machine="$2" --register=no --keep-unit --private-network --volatile=overlay \
    --console=pipe "${@:3}"
"""


def bare_system(cache: Path) -> Path:
    """The folder of a bare Debian, made once (about a minute) and kept."""
    root = cache / "systemd" / SUITE
    if not root.exists():
        partial = root.with_name(f"{SUITE}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, partial], check=True, stdout=subprocess.DEVNULL)
        partial.rename(root)
    return root


class Failed(Exception):
    """A command in the machine did not end well."""


class Machine:
    """Use it as a context manager. binds: folders of this machine that it sees, read only, by where."""

    def __init__(self, root: Path, binds: Mapping[str, Path]) -> None:
        self._root = root
        self._binds = binds
        self._leader = 0
        self._booted: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Machine":
        binds = [f"--bind-ro={here}:{there}" for there, here in self._binds.items()]
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", BOOT, "boot", self._root, NAME, *binds]
        self._booted = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_until(self._running, BOOT_S, "the machine does not boot")
        except Failed:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._booted is not None
        if self._leader:
            os.kill(self._leader, signal.SIGRTMIN + 4)  # systemd: power off
        try:
            self._booted.wait(20)
        except subprocess.TimeoutExpired:
            for nspawn in _named(NAME):
                os.kill(nspawn, signal.SIGKILL)
            self._booted.wait(20)

    def run(self, *command: str, check: bool = True, timeout: float = 120, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """As root in the machine. Raises Failed with what it printed."""
        inside = [
            "nsenter",
            f"--target={self._leader}",
            "--all",
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
        ]
        done = subprocess.run([*inside, *command], input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done

    def json(self, *command: str) -> Any:
        """What a command prints, as JSON."""
        return json.loads(self.run(*command).stdout)

    def write(self, path: str, content: str) -> None:
        """A file in the machine."""
        self.run("sh", "-c", f"cat > {path}", stdin=content)

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """What systemd says of a unit."""
        lines = self.run("systemctl", "show", name, "--property", ",".join(properties)).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, unit: str, *matches: str) -> list[dict[str, Any]]:
        """Entries of a unit, oldest first. matches: as EVENT=punch."""
        lines = self.run("journalctl", "--unit", unit, "--output=json", "--no-pager", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def said(self, unit: str) -> str:
        """The unit's messages, one a line."""
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal(unit))

    def wait_until(self, true: Any, seconds: float, what: str) -> None:
        """Raises Failed when it does not become true in time."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() >= deadline:
                raise Failed(f"{what} within {seconds:.0f} s")
            time.sleep(0.1)

    def _running(self) -> bool:
        assert self._booted is not None
        if self._booted.poll() is not None:
            raise Failed("systemd-nspawn has ended; it needs root, and the packages systemd-container and debootstrap")
        for nspawn in _named(NAME):  # its child is the machine's first process; at the beginning it is another, which soon ends
            children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
            self._leader = int(children[0]) if children else 0
        if not self._leader:
            return False
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")


def _named(machine: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words and words[0].endswith(b"systemd-nspawn") and f"--machine={machine}".encode() in words:
            found.append(int(folder.name))
    return found
