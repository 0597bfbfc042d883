"""A terminal that is put back from a back-up which is older than what the relay has: both lines are kept, and the relay says so."""

import json
import os
import subprocess
import sys

from blinkd.measure.servers.mosquitto import Mosquitto
from tests.integration.sync.site import PASSWORD, Site, Terminal
from tests.integration.sync.test_two_terminals import opened


def punch(terminal: Terminal, count: int) -> list[str]:
    """Returns their ids."""
    with terminal.open() as store:
        clerk = terminal.clerk(store)
        for _ in range(count):
            clerk.attend("E-1", 0.7, {})
        return [punch.id for punch in store.book.punches()][-count:]


def backup(terminal: Terminal, *arguments: str, password: bool = False) -> None:
    read, write = os.pipe()
    os.write(write, f"{PASSWORD}\n".encode())
    os.close(write)
    extra = ("--password-fd", str(read)) if password else ()
    done = terminal.run("backup", *arguments, *extra, pass_fds=(read,))
    os.close(read)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_punched_before_since_and_after_is_all_at_the_relay(site: tuple[Site, Mosquitto]) -> None:
    here, _ = site
    door, folder = here.terminal("door-a"), here.folder / "backups"
    folder.mkdir()
    door.environment |= {"BLINKD_BACKUP__FOLDER": str(folder), "BLINKD_BACKUP__OTHER_DISK": "false"}
    with door.open() as store:
        store.people.enrol("E-1", "Ann Example", [])
    here.start_relay()
    here.await_relays()
    before = punch(door, 3)
    assert door.now().returncode == 0
    waiting = punch(door, 2)  # in the back-up, and not yet at the relay
    backup(door, "create")
    since = punch(door, 4)
    assert door.now().returncode == 0
    (made,) = folder.iterdir()
    backup(door, "restore", str(made), "--aside", password=True)
    with door.open() as store:
        assert [one.id for one in store.book.punches()] == before + waiting
    after = punch(door, 3)
    sent = door.now()
    assert sent.returncode == 0, sent.stdout + sent.stderr
    held = [entry["id"] for entry in opened(here)["door-a"] if entry["kind"] == "punch"]
    assert sorted(held) == sorted(before + waiting + since + after)
    status = json.loads(door.run("sync", "status", "--json").stdout)
    assert status["attendance"]["pending"] == 0
    command = [sys.executable, "-m", "blinkd", "relay", "status", "--json"]
    told = subprocess.run(command, env=here.relay_environment("reader"), capture_output=True, text=True, check=False, timeout=60)
    assert "older backup put back" in told.stdout, told.stdout + told.stderr
