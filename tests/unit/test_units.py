"""The units as systemd itself judges them; what they do is tried in tests/integration/systemd."""

import re
import subprocess
from pathlib import Path

import pytest

from blinkd.settings import Settings

FOLDER = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
MOST_EXPOSURE = 20  # tenths: "OK" ends at 5.0, and the daemon needs devices and a network
ROOTS = {"blinkd-renew.service": 25}  # runs for seconds a day, as root, for what it brings is root's and the daemon's
BROWSERS = {"blinkd-kiosk.service": 28}  # a compositor with the seat's devices, and a browser that makes a sandbox of its own
OF_DISPLAYS = ("/usr/bin/cage", "/usr/bin/chromium")  # not installed where there is no display
LATER = ("RestartSteps", "RestartMaxDelaySec")  # of systemd 254, which older versions pass over
INSTALLED = "/opt/blinkd/current/bin/blinkd"


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, cwd=FOLDER, timeout=60)


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_is_more_exposed_than_it_must_be(name: str) -> None:
    done = systemd_analyze(
        "security", "--offline=true", f"--threshold={(ROOTS | BROWSERS).get(name, MOST_EXPOSURE)}", "--no-pager", FOLDER / name
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_every_key_of_the_units_is_one_that_systemd_knows() -> None:
    done = systemd_analyze("verify", "--man=no", *sorted(FOLDER.glob("*.service")), *sorted(FOLDER.glob("*.timer")))
    lines = [
        line
        for line in done.stderr.splitlines()
        if str(FOLDER) in line or line.startswith("blinkd")  # what else is wrong on this machine is not theirs
    ]
    absent = (INSTALLED, *OF_DISPLAYS)
    strange = [line for line in lines if not any(program in line for program in absent) and not any(f"'{key}'" in line for key in LATER)]
    assert strange == []


def test_a_service_restarts_for_ever_and_never_faster_than_its_limit_allows() -> None:
    for name in SERVICES:
        text = (FOLDER / name).read_text()
        if "Restart=always" not in text:
            continue
        window, burst, wait = (
            int(re.findall(rf"^{key}=(\d+)$", text, re.M)[0]) for key in ("StartLimitIntervalSec", "StartLimitBurst", "RestartSec")
        )
        assert window / wait < burst, name


def test_no_service_leaves_a_core_dump_or_writes_outside_its_folders() -> None:
    for name in SERVICES:
        lines = (FOLDER / name).read_text().splitlines()
        assert "LimitCORE=0" in lines, name
        assert "ProtectSystem=strict" in lines, name
        elsewhere = [line for line in lines if line.startswith("ReadWritePaths=")]
        # the back-ups' places, none of which need be there
        assert name in ROOTS or elsewhere == (["ReadWritePaths=-/var/backups/blinkd -/mnt -/media"] if "upkeep" in name else []), name


def test_the_display_is_its_own_user_sees_nothing_of_the_terminal_and_talks_to_nobody_else() -> None:
    lines = (FOLDER / "blinkd-kiosk.service").read_text().splitlines()
    assert "User=blinkd-kiosk" in lines
    assert "u blinkd-kiosk " in (FOLDER / "sysusers.d" / "blinkd.conf").read_text()
    assert {"IPAddressDeny=any", "IPAddressAllow=localhost", "NoNewPrivileges=yes"} <= set(lines)
    assert any(line.startswith("InaccessiblePaths=") and "/var/lib/blinkd" in line and "/etc/blinkd" in line for line in lines)
    web = Settings().web
    assert f"    http://{web.host}:{web.port}/kiosk" in lines
