"""The command that an installation brings: called by root it works as the daemon does."""

import os
import subprocess

from tests.unit.installation.machine import Machine


def called(machine: Machine, *words: str, user: int = 0) -> str:
    """The line that blinkd of the release notes of a call; user: who id says is calling."""
    who = machine.programs / "id"
    who.write_text(f'#!/bin/sh\nif [ "$1" = -u ]; then echo {user}; else /usr/bin/id "$@"; fi\n')
    who.chmod(0o755)
    subprocess.run(
        [machine.root / "usr/local/bin/blinkd", *words],
        env={"PATH": f"{machine.programs}:{os.environ['PATH']}", "INSTALL_ROOT": str(machine.root)},
        check=True,
    )
    return machine.calls[-1]


def test_root_gets_the_daemons_key_and_leaves_none_behind(machine: Machine) -> None:
    machine.done("install")
    line = called(machine, "--config", "fleet", "people", "list")
    assert line.startswith("key ")
    assert line.endswith("= --config fleet people list")
    assert list((machine.root / "run").glob("blinkd-command.*")) == []


def test_the_daemon_itself_runs_at_once(machine: Machine) -> None:
    machine.done("install")
    assert called(machine, "run", user=999) == "run"


def test_certificates_and_the_relay_stay_roots_business(machine: Machine) -> None:
    machine.done("install")
    assert called(machine, "--config", "some.toml", "fleet", "list") == "--config some.toml fleet list"
    assert called(machine, "--json", "relay", "check") == "--json relay check"
