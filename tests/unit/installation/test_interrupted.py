"""install.sh is killed before its changing steps and run again: it ends as if nothing had happened.

The normal run takes every ninth step; KILL_EVERY=1 in the environment takes all of them.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.unit.installation.machine import Machine

KEY = "etc/credstore.encrypted/blinkd.template-key"
EVERY = int(os.environ.get("KILL_EVERY", "9"))


def without_key(content: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in content.items() if name != KEY}


def copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def kills(machine: Machine, *arguments: str) -> Iterator[int]:
    """Kill the verb at its steps, each time on the machine as it is now, and hand each time over."""
    saved = machine.root.with_name("saved")
    copy(machine.root, saved)
    assert machine.run(*arguments, kill_at=0).returncode == 0
    steps = machine.steps
    assert steps > 3
    for step in range(1, steps + 1, EVERY):
        copy(saved, machine.root)
        assert machine.run(*arguments, kill_at=step).returncode == -signal.SIGKILL
        yield step


def test_an_installation_that_is_killed_and_run_again_ends_right_and_keeps_the_key_that_it_made(machine: Machine) -> None:
    machine.with_systemd()
    copy(machine.root, machine.root.with_name("empty"))
    machine.done("install", "--standalone")
    wanted = without_key(machine.content())
    copy(machine.root.with_name("empty"), machine.root)
    for step in kills(machine, "install", "--standalone"):
        key = machine.root / KEY
        before = key.read_bytes() if key.exists() else b""
        machine.done("install", "--standalone")
        assert without_key(machine.content()) == wanted, f"killed at step {step}"
        assert len(key.read_bytes()) == 44
        assert key.read_bytes().startswith(before)


def test_an_upgrade_that_is_killed_leaves_a_whole_release_in_force_and_ends_right_when_it_is_run_again(machine: Machine) -> None:
    machine.with_systemd()
    machine.done("install", "--standalone")
    old = machine.in_force
    machine.write_checkout("2.0.0", unit="[Service]\nExecStart=/opt/blinkd/current/bin/blinkd run --new\n")
    copy(machine.root, machine.root.with_name("installed"))
    machine.done("upgrade")
    new, wanted = machine.in_force, machine.content()
    assert new != old
    copy(machine.root.with_name("installed"), machine.root)
    for step in kills(machine, "upgrade"):
        assert machine.in_force in (old, new), f"killed at step {step}"
        machine.done("upgrade")
        assert machine.content() == wanted, f"killed at step {step}"
        assert machine.active() == new


def test_after_an_upgrade_that_was_killed_rollback_brings_the_proven_release_back(machine: Machine) -> None:
    machine.with_systemd()
    machine.done("install", "--standalone")
    old = machine.in_force
    machine.write_checkout("2.0.0")
    tried = 0
    for step in kills(machine, "upgrade"):
        if machine.in_force == old:
            continue
        tried += 1
        if (machine.root / "opt/blinkd/trial").exists():
            assert "never found to work" in machine.run("check").stdout
        machine.done("rollback")
        assert machine.in_force == machine.active() == old, f"killed at step {step}"
        assert not (machine.root / "opt/blinkd/trial").exists()
    assert tried > 1


def test_removing_everything_that_is_killed_and_run_again_ends_with_nothing(machine: Machine) -> None:
    machine.with_systemd()
    bare = machine.content()
    machine.done("install", "--standalone")
    for step in kills(machine, "uninstall", "--purge", "--unattended"):
        machine.done("uninstall", "--purge", "--unattended")
        left = [name for name, value in machine.content().items() if name not in bare and not value.startswith("40")]
        assert left == [], f"killed at step {step}"
