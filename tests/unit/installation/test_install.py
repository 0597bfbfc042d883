"""install.sh install: what it brings, what it starts, and what it leaves alone."""

from tests.unit.installation.machine import Machine

KEY = "etc/credstore.encrypted/blinkd.template-key"


def test_an_installation_brings_release_settings_key_units_and_command(machine: Machine) -> None:
    machine.done("install")
    assert machine.releases == [machine.in_force]
    assert machine.in_force.startswith("1.0.0-")
    release = machine.root / "opt/blinkd/releases" / machine.in_force
    assert (release / "share/blinkd/systemd/blinkd.service").is_file()
    assert (release / "bin/other").read_text() == f"#!{release}/bin/python\n"  # no trace of the folder in which it was made
    assert (machine.root / "etc/blinkd/blinkd.toml").read_text() == "# all defaults\n"
    assert (machine.root / KEY).read_bytes().startswith(b"sealed here ")
    assert len((machine.root / KEY).read_bytes()) == len(b"sealed here ") + 32
    assert (machine.root / "usr/local/lib/systemd/system/blinkd-upkeep.timer").is_file()
    assert (machine.root / "var/lib/blinkd").stat().st_mode & 0o777 == 0o700
    assert (machine.root / "var/lib/blinkd/embedder_speed.json").is_file()
    assert list((machine.root / "run").glob("blinkd-install.*")) == []  # keys in clear


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    machine.with_systemd()
    machine.done("install", "--standalone")
    before = machine.content()
    said = machine.done("install")
    assert machine.content() == before
    assert "is there, and whole" in said
    assert "units" not in said


def test_nothing_is_enabled_before_it_is_configured(machine: Machine) -> None:
    machine.with_systemd()
    said = machine.done("install")
    assert "not configured" in said
    assert "blinkd keys join FILE" in said
    assert not [call for call in machine.calls if "enable " in call or " start" in call]


def test_a_terminal_that_is_to_stand_alone_is_enabled_and_started(machine: Machine) -> None:
    machine.with_systemd()
    machine.done("install", "--standalone")
    assert machine.active() == machine.in_force
    assert {"systemctl enable blinkd.service", "systemctl enable blinkd-upkeep.timer"} <= set(machine.calls)
