"""What install.sh refuses: it says what and how to mend it, and changes nothing."""

import fcntl
from pathlib import Path

import pytest

from tests.unit.installation.machine import Machine

VERBS = ("install", "upgrade", "rollback", "uninstall", "check", "wheelhouse")


@pytest.mark.parametrize(
    "arguments",
    [
        ("install", "--purge"),
        ("install", "--bundle"),
        ("install", "--config", ""),
        ("install", "something"),
        ("check", "--dry-run"),
        ("wheelhouse",),
        ("wheelhouse", "a", "b"),
        ("wheelhouse", "a", "--arch", "armv7l"),
        ("wheelhouse", "a", "--python", "3.10"),
    ],
)
def test_wrong_usage_exits_2_and_changes_nothing(machine: Machine, arguments: tuple[str, ...]) -> None:
    result = machine.run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "usage: ./install.sh " in result.stderr
    assert machine.content() == {}


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_verb(machine: Machine, verb: str) -> None:
    assert f"\n  {verb} " in machine.done("help")


@pytest.mark.parametrize(
    ("system", "version", "named"),
    [("fedora", "40", "Fedora 40"), ("debian", "11", "Debian 11"), ("ubuntu", "20.04", "too old"), ("raspbian", "12", "Raspbian 12")],
)
def test_an_unsupported_system_is_refused_by_name(machine: Machine, tmp_path: Path, system: str, version: str, named: str) -> None:
    release = tmp_path / "os-release"
    release.write_text(f'PRETTY_NAME="{system.title()} {version}"\nID={system}\nVERSION_ID="{version}"\n')
    assert named in machine.refused("install", OS_RELEASE_FILE=str(release))


def test_a_32_bit_system_is_refused_even_below_a_64_bit_kernel(machine: Machine) -> None:
    dpkg = machine.programs / "dpkg"
    dpkg.write_text("#!/bin/sh\necho armhf\n")
    dpkg.chmod(0o755)
    assert "for armhf is not supported" in machine.refused("install")


@pytest.mark.parametrize("missing", ["systemd/blinkd.service", "models", "requirements.lock"])
def test_an_incomplete_checkout_is_refused(machine: Machine, missing: str) -> None:
    path = machine.checkout / missing
    path.rename(machine.checkout / "away")
    assert f"{missing} is missing" in machine.refused("install")


def test_a_full_disk_is_noticed_before_anything_is_written(machine: Machine) -> None:
    df = machine.programs / "df"
    df.write_text("#!/bin/sh\necho head\necho /dev/x 100 60 40 60% /\n")
    df.chmod(0o755)
    said = machine.refused("install")
    assert "40 MB free" in said
    assert "free some space" in said


@pytest.mark.parametrize("option", ["--bundle", "--config", "--offline"])
def test_a_file_that_is_not_there_is_named(machine: Machine, option: str) -> None:
    assert "/no/such/thing: no " in machine.refused("install", option, "/no/such/thing")


def test_a_folder_that_others_may_write_is_refused(machine: Machine) -> None:
    machine.done("install")
    (machine.root / "etc/blinkd").chmod(0o777)
    assert "chmod go-w" in machine.refused("upgrade")


def test_settings_that_others_may_write_are_refused(machine: Machine) -> None:
    machine.done("install")
    (machine.root / "etc/blinkd/blinkd.toml").chmod(0o666)
    assert "can be written by others (mode 666)" in machine.refused("install")


def test_a_command_that_somebody_else_put_there_is_left_alone(machine: Machine) -> None:
    command = machine.root / "usr/local/bin/blinkd"
    command.parent.mkdir(parents=True)
    command.write_text("theirs")
    assert "was not made by install.sh" in machine.refused("install")


def test_two_runs_at_once_do_not_meet(machine: Machine) -> None:
    machine.done("install")
    with (machine.root / "run/lock/blinkd-install.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another install.sh is at work" in machine.refused("install")


def test_an_upgrade_needs_an_installation(machine: Machine) -> None:
    assert "nothing is installed here" in machine.refused("upgrade")


def test_without_a_network_nothing_is_put_in_force_and_the_next_run_goes_on(machine: Machine) -> None:
    machine.root.joinpath("no-network").touch()
    result = machine.run("install")
    assert result.returncode == 1
    assert "check the network" in result.stderr
    assert not (machine.root / "opt/blinkd/current").exists()
    assert not (machine.root / "etc/blinkd").exists()
    machine.root.joinpath("no-network").unlink()
    machine.done("install")
    assert machine.releases == [machine.in_force]


def test_a_bundle_that_is_refused_puts_nothing_in_force(machine: Machine, tmp_path: Path) -> None:
    machine.with_systemd()
    bundle = tmp_path / "bundle"
    bundle.write_text("refused")
    result = machine.run("install", "--bundle", str(bundle))
    assert result.returncode == 1
    assert "this bundle is for another terminal" in result.stderr
    assert not (machine.root / "opt/blinkd/current").exists()
    assert machine.active() == ""


def test_given_settings_that_the_release_refuses_are_not_taken(machine: Machine, tmp_path: Path) -> None:
    machine.done("install")
    given = tmp_path / "given.toml"
    given.write_text("future = 1\n")
    said = machine.refused("install", "--config", str(given))
    assert "at 'future': no such setting" in said
    assert "Nothing was changed" in said


def test_a_key_that_was_sealed_elsewhere_is_neither_used_nor_replaced(machine: Machine) -> None:
    machine.done("install")
    key = machine.root / "etc/credstore.encrypted/blinkd.template-key"
    key.write_bytes(b"sealed there " + b"k" * 32)
    assert "sealed on another machine" in machine.refused("upgrade")
