"""A machine for install.sh below a folder: programs that stand in for the system's, and a checkout whose blinkd is a stand-in too."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
STAND_INS = Path(__file__).parent / "programs"
KILLED = ("chgrp", "chown", "cp", "install", "ln", "mkdir", "mktemp", "mv", "rm", "rmdir", "systemctl", "systemd-creds", "touch")
UNIT = "[Service]\nExecStart=/opt/blinkd/current/bin/blinkd run\n"


@dataclass(frozen=True, slots=True)
class Machine:
    """root: stands for /; checkout: where install.sh is called; programs: what stands in for the system's; killers: what stands before
    those of them that change something.
    """  # fmt: skip

    root: Path
    checkout: Path
    programs: Path
    killers: Path

    def write_checkout(self, version: str, *, unit: str = UNIT, units: tuple[str, ...] = ()) -> None:
        """A checkout with all that install.sh asks for."""
        shutil.rmtree(self.checkout, ignore_errors=True)
        for folder in ("blinkd", "models", "config", "systemd/sysusers.d", "systemd/tmpfiles.d"):
            (self.checkout / folder).mkdir(parents=True)
        for name in ("install.sh", "requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout / name)
        (self.checkout / "blinkd/__init__.py").write_text(f'__version__ = "{version}"\n')
        shutil.copy(STAND_INS / "blinkd", self.checkout / "blinkd/program")
        (self.checkout / "config/blinkd.toml").write_text("# all defaults\n")
        (self.checkout / "systemd/sysusers.d/blinkd.conf").write_text("u blinkd - blinkd /var/lib/blinkd\n")
        (self.checkout / "systemd/tmpfiles.d/blinkd.conf").write_text("# nothing\n")
        for name in ("blinkd.service", "blinkd-upkeep.timer", *units):
            (self.checkout / "systemd" / name).write_text(unit)

    def run(self, *arguments: str, kill_at: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run install.sh; kill_at: before which of its changing programs everything is killed, 0 for never (they are counted)."""
        path = f"{self.programs}:{os.environ['PATH']}"
        if kill_at is not None:
            (self.killers / "count").write_text("0\n")
            variables |= {"KILL_AT": str(kill_at), "KILL_COUNT": str(self.killers / "count"), "KILLERS": str(self.killers)}
            path = f"{self.killers}:{path}"
        variables |= {"INSTALL_ROOT": str(self.root), "PROGRAMS": str(self.programs)}
        variables |= {"REAL_PYTHON": sys.executable, "PATH": path}
        given = {name: value for name, value in os.environ.items() if not name.startswith("BLINKD_")}
        return subprocess.run(
            [self.checkout / "install.sh", *arguments],
            cwd="/",
            env={**given, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )

    def done(self, *arguments: str, **variables: str) -> str:
        """Run install.sh, which must succeed; what it said."""
        result = self.run(*arguments, **variables)
        assert result.returncode == 0, result.stderr
        return result.stderr + result.stdout

    def refused(self, *arguments: str, **variables: str) -> str:
        """Run install.sh, which must refuse and change nothing; what it said."""
        before = self.content()
        result = self.run(*arguments, **variables)
        assert result.returncode == 1, result.stderr + result.stdout
        assert "remedy: " in result.stderr
        assert self.content() == before
        return result.stderr

    @property
    def steps(self) -> int:
        """How many changing programs the last counted run called."""
        return int((self.killers / "count").read_text())

    @property
    def in_force(self) -> str:
        """The release that the link names, which must be whole."""
        release = (self.root / "opt/blinkd/current").resolve(strict=True)
        assert (release / "SHA256SUMS").is_file()
        assert (self.root / "usr/local/bin/blinkd").resolve() == release / "bin/blinkd"
        return release.name

    @property
    def releases(self) -> list[str]:
        """What lies in the folder of releases."""
        return sorted(path.name for path in (self.root / "opt/blinkd/releases").iterdir())

    @property
    def calls(self) -> list[str]:
        """How blinkd and systemctl were called."""
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def active(self, unit: str = "blinkd.service") -> str:
        """The release with which a unit became ready; empty where it does not run."""
        path = self.root / f"run/systemd/units/{unit}.active"
        return path.read_text().strip() if path.exists() else ""

    def with_systemd(self) -> None:
        """Systemd runs from now on."""
        (self.root / "run/systemd/system").mkdir(parents=True)

    def fault(self, text: str) -> None:
        """Lines "RELEASE WHAT": a check of doctor that fails, "doctor" itself, or a unit that does not become ready."""
        (self.root / "faults").write_text(text + "\n")

    def content(self) -> dict[str, str]:
        """Every file below the root with its mode and content, but for logs, locks and what the stand-ins note."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if name in ("calls", "faults", "waiting", "pip-was-asked", "opt/blinkd/install.log", "run/lock/blinkd-install.lock"):
                continue
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_file():
                found[name] = f"{path.stat().st_mode:o} {path.read_bytes()!r}"
            else:
                found[name] = f"{path.stat().st_mode:o}"
        return found


def make_machine(folder: Path) -> Machine:
    """An empty machine with Debian 12, and a checkout of version 1.0.0."""
    machine = Machine(folder / "root", folder / "check out", folder / "programs", folder / "killers")
    # not where the tests lie: a Python in somebody's home is not taken
    shutil.copytree(STAND_INS, machine.programs)
    machine.root.mkdir()
    machine.killers.mkdir()
    for name in KILLED:
        (machine.killers / name).symlink_to(machine.programs / "killer")
    machine.write_checkout("1.0.0")
    return machine
