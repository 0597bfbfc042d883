"""What is tried, in this order; each begins where the one before left the machine."""

import re
import time
from collections.abc import Callable

from tests.integration.systemd.machine import Machine

OFFLINE = ("--unattended", "--offline", "/wheelhouse")
INSTALL = ("/checkout/install.sh", "install", *OFFLINE)
PARTS = ("blinkd", "config", "models", "systemd", "pyproject.toml", "requirements.lock", "install.sh", "README.md", "LICENSE", "NOTICE")
DAEMON = "blinkd.service"
KEY = "/etc/credstore.encrypted/blinkd.template-key"
MAN = "E-1001"
NAME = "Sam Sample"
READY_S, LEAVE_S = 60.0, 3.0
SETTINGS = """
[terminal]
id = "door-1"
trust_hardware_clock = true
[camera]
driver = "file"
path = "/media-of-tests/noface_face.mov"
[attendance]
min_interval_s = 0.0
"""


def a_machine_that_is_not_configured_is_installed_and_nothing_starts(machine: Machine) -> None:
    machine.write("/root/blinkd.toml", SETTINGS)
    done = machine.run(*INSTALL, "--config", "/root/blinkd.toml", timeout=600)
    assert "not started" in done.stderr, done.stderr
    assert machine.unit(DAEMON, "LoadState", "ActiveState", "UnitFileState") == {
        "LoadState": "loaded",
        "ActiveState": "inactive",
        "UnitFileState": "disabled",
    }
    assert machine.run("stat", "-c", "%U %a", "/var/lib/blinkd").stdout == "blinkd 700\n"
    assert machine.run("stat", "-c", "%U %a", KEY).stdout == "root 600\n"


def people_are_enrolled_by_root_and_nothing_of_roots_is_left(machine: Machine) -> None:
    for name, number, picture in ((NAME, MAN, "single_face.jpg"), ("Robin Sample", "E-1002", "obama.jpg")):
        machine.run("blinkd", "enroll", "--name", name, "--id", number, "--image", f"/media-of-tests/{picture}")
    assert machine.run("find", "/var/lib/blinkd", "!", "-user", "blinkd").stdout == ""
    assert machine.run("sh", "-c", "test ! -e /var/lib/blinkd/template.key && ls /run/blinkd-* 2>/dev/null | wc -l").stdout == "0\n"
    assert [one["id"] for one in machine.json("blinkd", "people", "list", "--json")] == ["E-1002", MAN]


def standalone_it_starts_is_ready_checks_a_man_in_and_says_so(machine: Machine) -> None:
    machine.run(*INSTALL, "--standalone", timeout=600)
    assert machine.unit(DAEMON, "ActiveState", "UnitFileState", "User") == {
        "ActiveState": "active",
        "UnitFileState": "enabled",
        "User": "blinkd",
    }
    machine.wait_until(lambda: _punches(machine), READY_S, "nobody is checked in")
    (status,) = machine.unit(DAEMON, "StatusText").values()
    assert "2 people" in status, status
    assert "working" in status, status


def the_journal_has_fields_and_no_names(machine: Machine) -> None:
    entry = machine.journal(DAEMON, "EVENT=punch")[0]
    assert entry["PERSON"] == MAN
    assert re.fullmatch(r"\d+", entry["SESSION"])
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("6", "blinkd")
    assert NAME not in machine.said(DAEMON)


def the_service_sees_no_more_than_it_must(machine: Machine) -> None:
    (process,) = machine.unit(DAEMON, "MainPID").values()
    status = machine.run("cat", f"/proc/{process}/status").stdout
    assert re.search(r"^CapEff:\s+0+$", status, re.M), status
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M), status
    assert re.search(r"^Seccomp:\s+2$", status, re.M), status
    shown = machine.run("tr", "\\0", "\\n", stdin=machine.run("cat", f"/proc/{process}/environ").stdout).stdout
    assert "CREDENTIALS_DIRECTORY=" in shown
    assert machine.run("stat", "-c", "%a", "/run/blinkd").stdout == "755\n"


def the_pages_are_served_by_a_child_that_sees_no_more_and_the_display_is_not_begun_by_itself(machine: Machine) -> None:
    address = "http://127.0.0.1:8480/kiosk"
    ask = f"import urllib.request; print(urllib.request.urlopen('{address}', timeout=10).read().decode())"
    machine.wait_until(lambda: machine.run("/opt/blinkd/current/bin/python", "-c", ask, check=False).returncode == 0, READY_S, "no page")
    assert "/static/kiosk/kiosk.js" in machine.run("/opt/blinkd/current/bin/python", "-c", ask).stdout
    parts = {part["name"]: part["state"] for part in machine.json("cat", "/var/lib/blinkd/status.json")["parts"]}
    assert parts["web"] == "ok", parts
    (process,) = machine.run("pgrep", "-u", "blinkd", "-f", "web run").stdout.split()
    status = machine.run("cat", f"/proc/{process}/status").stdout
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M), status
    assert re.search(r"^Seccomp:\s+2$", status, re.M), status
    listening = machine.run("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
    assert re.findall(r"([0-9A-F]+):2120 0+:0000 0A", listening) == ["0100007F"], "port 8480 of this machine only"
    assert machine.unit("blinkd-kiosk.service", "LoadState", "ActiveState", "UnitFileState") == {
        "LoadState": "loaded",
        "ActiveState": "inactive",
        "UnitFileState": "disabled",
    }
    assert machine.run("id", "-un", "blinkd-kiosk").stdout == "blinkd-kiosk\n"


def hup_takes_over_what_it_can_and_says_what_needs_a_restart(machine: Machine) -> None:
    machine.run(
        "sed",
        "-i",
        's/^fps.*//; s/^min_interval_s = 0.0/min_interval_s = 0.5/; s/^driver = "file"/driver = "file"\\nfps = 30.0/',
        "/etc/blinkd/blinkd.toml",
    )
    machine.run("systemctl", "reload", DAEMON)
    machine.wait_until(lambda: "attendance.min_interval_s" in machine.said(DAEMON), 10, "the settings are not taken over")
    assert "only a restart brings into force: camera.fps" in machine.said(DAEMON)
    assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}


def a_process_that_looks_at_no_frames_is_killed_and_begun_anew(machine: Machine) -> None:
    before = machine.unit(DAEMON, "MainPID", "NRestarts")
    machine.run("kill", "-STOP", before["MainPID"])
    machine.wait_until(lambda: machine.unit(DAEMON, "NRestarts") != {"NRestarts": before["NRestarts"]}, 60, "the watchdog does not bite")
    machine.wait_until(lambda: machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}, READY_S, "it does not come back")
    assert machine.unit(DAEMON, "MainPID")["MainPID"] != before["MainPID"]
    assert "atchdog" in machine.run("journalctl", "-u", DAEMON, "--no-pager").stdout


def what_was_recorded_is_whole_after_the_kill(machine: Machine) -> None:
    count = len(_punches(machine))
    assert count > 0
    machine.run("blinkd", "log", "verify")


def term_leaves_in_time(machine: Machine) -> None:
    began = time.monotonic()
    machine.run("systemctl", "stop", DAEMON)
    took = time.monotonic() - began
    assert took <= LEAVE_S, f"{took:.1f} s"
    assert machine.unit(DAEMON, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}


def a_camera_that_is_not_there_is_waited_for_in_words(machine: Machine) -> None:
    machine.run("sed", "-i", "s/noface_face.mov/no_such_file.mov/", "/etc/blinkd/blinkd.toml")
    machine.run("systemctl", "start", "--no-block", DAEMON)
    machine.wait_until(lambda: "no_such_file" in machine.unit(DAEMON, "StatusText")["StatusText"], READY_S, "the status does not say it")
    assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "activating"}
    machine.run("sed", "-i", "s/no_such_file.mov/noface_face.mov/", "/etc/blinkd/blinkd.toml")
    machine.run("systemctl", "restart", DAEMON)


def a_wrong_key_is_refused_in_words_and_the_right_one_put_back_works(machine: Machine) -> None:
    machine.run("systemctl", "stop", DAEMON)
    machine.run("mv", KEY, "/root/right-key")
    machine.run("sh", "-c", f"head -c 32 /dev/urandom | systemd-creds encrypt --with-key=host --name=blinkd-template-key - {KEY}")
    started = machine.run("systemctl", "start", DAEMON, check=False)
    assert started.returncode != 0
    assert "key" in machine.said(DAEMON).splitlines()[-1] or "template" in machine.said(DAEMON)
    machine.run("mv", "/root/right-key", KEY)
    machine.run("systemctl", "restart", DAEMON)


def doctor_finds_nothing_wrong(machine: Machine) -> None:
    answer = machine.json("blinkd", "doctor", "--json")
    assert answer["ok"] is True, answer


def an_upgrade_is_put_in_force_and_the_terminal_comes_back(machine: Machine) -> None:
    before = machine.run("readlink", "/opt/blinkd/current").stdout
    _checkout(machine, "next", "s/^__version__ = .*/__version__ = '9.9.1'/", "blinkd/__init__.py")
    count = len(_punches(machine))
    machine.run("/root/next/install.sh", "upgrade", *OFFLINE, timeout=600)
    assert machine.run("readlink", "/opt/blinkd/current").stdout != before
    assert "9.9.1" in machine.run("blinkd", "--version").stdout
    assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}
    machine.wait_until(lambda: len(_punches(machine)) > count, READY_S, "nobody is checked in by the new release")


def an_upgrade_that_does_not_work_goes_back_by_itself_and_says_why(machine: Machine) -> None:
    before = machine.run("readlink", "/opt/blinkd/current").stdout
    _checkout(machine, "broken", "s/^class Duty:/raise SystemExit('broken on purpose')\\nclass Duty:/", "blinkd/daemon.py")
    machine.run("sed", "-i", "s/^__version__ = .*/__version__ = '9.9.2'/", "/root/broken/blinkd/__init__.py")
    done = machine.run("/root/broken/install.sh", "upgrade", *OFFLINE, check=False, timeout=600)
    assert done.returncode == 1, done.stderr
    assert "broken on purpose" in done.stderr + machine.said(DAEMON)
    assert machine.run("readlink", "/opt/blinkd/current").stdout == before
    assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}
    assert "9.9.1" in machine.run("blinkd", "--version").stdout


def a_rollback_brings_the_release_before(machine: Machine) -> None:
    machine.run("/root/next/install.sh", "rollback", "--unattended", timeout=120)
    assert "9.9.1" not in machine.run("blinkd", "--version").stdout
    assert machine.unit(DAEMON, "ActiveState") == {"ActiveState": "active"}
    machine.run("blinkd", "log", "verify")


def uninstalled_only_settings_and_records_are_left_and_purged_nothing(machine: Machine) -> None:
    machine.run("/root/next/install.sh", "uninstall", "--unattended", timeout=120)
    assert machine.unit(DAEMON, "LoadState") == {"LoadState": "not-found"}
    assert machine.run("sh", "-c", "ls -d /opt/blinkd /usr/local/bin/blinkd 2>/dev/null | wc -l").stdout == "0\n"
    assert machine.run("stat", "-c", "%U", "/var/lib/blinkd/blinkd.db").stdout == "blinkd\n"
    machine.run("/root/next/install.sh", "uninstall", "--purge", "--unattended", timeout=120)
    left = machine.run(
        *("find", "/etc", "/opt", "/usr/local", "/var/lib", "/run", "-xdev", "-iname", "*blinkd*", "-not", "-path", "/var/lib/dpkg/*")
    ).stdout
    assert left == "", left
    assert machine.run("getent", "passwd", "blinkd", check=False).returncode == 2


def _checkout(machine: Machine, name: str, change: str, file: str) -> None:
    """A copy of the checkout in which one line is another."""
    parts = " ".join(f"/checkout/{part}" for part in PARTS)
    machine.run("sh", "-c", f"mkdir -p /root/{name} && cp -r {parts} /root/{name}/", timeout=300)
    machine.run("sed", "-i", change, f"/root/{name}/{file}")


def _punches(machine: Machine) -> list[object]:
    return [line for line in machine.run("blinkd", "log", "--json").stdout.splitlines() if line]


SCENARIOS: tuple[Callable[[Machine], None], ...] = (
    a_machine_that_is_not_configured_is_installed_and_nothing_starts,
    people_are_enrolled_by_root_and_nothing_of_roots_is_left,
    standalone_it_starts_is_ready_checks_a_man_in_and_says_so,
    the_journal_has_fields_and_no_names,
    the_service_sees_no_more_than_it_must,
    the_pages_are_served_by_a_child_that_sees_no_more_and_the_display_is_not_begun_by_itself,
    hup_takes_over_what_it_can_and_says_what_needs_a_restart,
    a_process_that_looks_at_no_frames_is_killed_and_begun_anew,
    what_was_recorded_is_whole_after_the_kill,
    doctor_finds_nothing_wrong,
    term_leaves_in_time,
    a_camera_that_is_not_there_is_waited_for_in_words,
    a_wrong_key_is_refused_in_words_and_the_right_one_put_back_works,
    an_upgrade_is_put_in_force_and_the_terminal_comes_back,
    an_upgrade_that_does_not_work_goes_back_by_itself_and_says_why,
    a_rollback_brings_the_release_before,
    uninstalled_only_settings_and_records_are_left_and_purged_nothing,
)
