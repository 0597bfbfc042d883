"""The machine: its userland, how hot it is, its power supply, who may read what."""

import contextlib
import grp
import os
import platform
import pwd
import shutil
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blinkd.crypto.at_rest import TEMPLATE_KEY
from blinkd.crypto.box import BOX_KEY
from blinkd.crypto.request import TLS_KEY_FILE
from blinkd.crypto.signing import SIGNING_KEY
from blinkd.crypto.unlocked import KEYRING_KEY, UNLOCKED_FILE
from blinkd.doctor.check import Check
from blinkd.fleet.claim import CLAIM_FILE
from blinkd.overlay import OVERLAY_FILE
from blinkd.settings import Settings
from blinkd.settings_file import DEFAULT_CONFIG_FILE
from blinkd.store.database import DATABASE_FILE

ROOT = Path("/")
USER = "blinkd"  # who the daemon runs as, where install.sh has made the user
HOT_C = 80.0  # °C from which a Raspberry Pi slows its processor down; a Jetson does later
THERMAL = "sys/class/thermal"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"  # what `vcgencmd get_throttled` says, without its rights
VCGENCMD_S = 5.0
# bits of get_throttled, by Raspberry Pi's documentation of vcgencmd: now, and since the start
NOW = ((0x1, "too little voltage"), (0x2, "frequency capped"), (0x4, "throttled"), (0x8, "soft temperature limit"))
SINCE = tuple((bit << 16, words) for bit, words in NOW)
SECRETS = (
    SIGNING_KEY.file,
    BOX_KEY.file,
    TEMPLATE_KEY.file,
    KEYRING_KEY.file,
    TLS_KEY_FILE,
    UNLOCKED_FILE,
    CLAIM_FILE,
    DATABASE_FILE,
    OVERLAY_FILE,
)


@dataclass(frozen=True, slots=True)
class Account:
    """Who the daemon is. groups: their numbers, its own included."""

    name: str
    user: int
    groups: frozenset[int]

    @classmethod
    def of_daemon(cls) -> "Account":
        """The user blinkd where root asks and there is one, else whoever runs this."""
        if os.geteuid() == 0:
            with contextlib.suppress(KeyError):
                found = pwd.getpwnam(USER)
                return cls(USER, found.pw_uid, frozenset(os.getgrouplist(USER, found.pw_gid)))
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = str(os.geteuid())
        return cls(name, os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))

    def opens(self, path: Path) -> bool:
        """Whether it may read and write a device."""
        found = path.stat()
        bits = stat.S_IMODE(found.st_mode)
        if self.user in (0, found.st_uid):
            return True
        return bits & 0o060 == 0o060 if found.st_gid in self.groups else bits & 0o006 == 0o006


def userland(bits: int = 8 * struct.calcsize("P"), machine: str = platform.machine()) -> Check:
    """Whether the programs are of 64 bits."""
    detail = f"{machine}, {bits}-bit, Python {platform.python_version()}"
    if bits < 64:
        return Check(
            "userland", "fail", f"{detail}: the networks' runtime exists for 64 bits only", "install the 64-bit edition of the system"
        )
    return Check("userland", "ok", detail)


def temperature(root: Path = ROOT) -> Check:
    """Of the hottest part that the kernel knows."""
    found = {}
    for zone in sorted((root / THERMAL).glob("thermal_zone*")):
        try:
            found[(zone / "type").read_text(encoding="ascii").strip()] = int((zone / "temp").read_text(encoding="ascii")) / 1000
        except (OSError, ValueError):
            continue  # a sensor that is switched off answers by an error
    if not found:
        return Check("temperature", "ok", "this machine tells no temperature")
    name = max(found, key=lambda zone: found[zone])
    detail = f"{found[name]:.0f} °C ({name})"
    if found[name] >= HOT_C:
        return Check(
            "temperature", "warn", f"{detail}: the processor slows down", "give it air: a heat sink, a fan, a place out of the sun"
        )
    return Check("temperature", "ok", detail)


def power(root: Path = ROOT, ask: Callable[[], str | None] | None = None) -> Check:
    """Whether a Raspberry Pi gets enough voltage and runs at its speed. ask: `vcgencmd get_throttled`; None where there is none."""
    text = _throttled(root) or (ask or _vcgencmd)()
    try:
        bits = int(str(text).strip().rpartition("=")[2], 16)
    except ValueError:
        return Check("power", "ok", "no Raspberry Pi, or it tells nothing of its power supply")
    now, since = ([words for bit, words in table if bits & bit] for table in (NOW, SINCE))
    fix = "fit the board's own power supply and a short cable; where it is hot, give it air"
    if now:
        return Check("power", "warn", f"now: {', '.join(now)}", fix)
    if since:
        return Check("power", "warn", f"since the start: {', '.join(since)}", fix)
    return Check("power", "ok", "enough voltage, full speed")


def permissions(settings: Settings, config: Path = DEFAULT_CONFIG_FILE) -> Check:
    """Whether the state folder and its secrets are the owner's alone, and all the owner's."""
    folder = settings.state_dir
    try:
        owner = folder.stat()
    except FileNotFoundError:
        return Check("permissions", "ok", f"{folder}: not made yet")
    bad, fixes = [], []
    for path, most in _private(folder, config):
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if mode & ~most & 0o777:
            bad.append(f"{path} has mode {mode:04o}")
            fixes.append(f"chmod {mode & most:o} {path}")
        if path.parent == folder and found.st_uid != owner.st_uid:
            bad.append(f"{path} belongs to user {found.st_uid}, the folder to {owner.st_uid}")
            fixes.append(f"chown --reference={folder} {path}")
    if bad:
        return Check("permissions", "fail", "; ".join(bad), f"run: {' && '.join(fixes)}")
    account = Account.of_daemon()
    if account.user not in (0, owner.st_uid):
        detail = f"{folder} belongs to user {owner.st_uid}, the daemon runs as {account.name} ({account.user})"
        return Check("permissions", "fail", detail, f"run: chown -R {account.name}: {folder}")
    return Check("permissions", "ok", f"{folder} and its secrets are their owner's alone")


def devices(settings: Settings, account: Account | None = None, root: Path = ROOT) -> Check:
    """Whether the daemon's user may open the camera."""
    who = account or Account.of_daemon()
    if settings.camera.driver == "v4l2":
        wanted = [root / settings.camera.device.lstrip("/")]
    elif settings.camera.driver in ("auto", "picamera2", "gstreamer"):
        wanted = [*sorted((root / "dev").glob("video*")), *sorted((root / "dev").glob("media*"))]
    else:
        return Check("devices", "ok", f"camera.driver is {settings.camera.driver}, which needs no device")
    wanted = [path for path in wanted if path.exists()]
    if closed := [path for path in wanted if not who.opens(path)]:
        group = _group(closed[0].stat().st_gid)
        detail = f"{who.name} may not open {', '.join(str(path) for path in closed)}"
        return Check("devices", "fail", detail, f"run: sudo usermod -aG {group} {who.name}, and start blinkd anew")
    if not wanted:
        return Check(
            "devices",
            "warn",
            "no camera device is there",
            "connect the camera; on a Raspberry Pi check it with rpicam-hello --list-cameras",
        )
    return Check("devices", "ok", f"{who.name} may open {', '.join(str(path) for path in wanted)}")


def _private(folder: Path, config: Path) -> Iterator[tuple[Path, int]]:
    """What is to be looked at, and the bits that it may have at most."""
    yield folder, 0o700
    yield from ((path, 0o600) for name in SECRETS if (path := folder / name).is_file())
    if config.is_file():
        yield config, 0o755  # a camera's password may stand in it, but who closes that off is the operator


def _throttled(root: Path) -> str | None:
    try:
        return (root / THROTTLED).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None


def _vcgencmd() -> str | None:
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "get_throttled"], capture_output=True, text=True, timeout=VCGENCMD_S, check=False)  # noqa: S603  words of our own
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
