"""install.sh upgrade and rollback: a release stays only if doctor and the daemon are no worse off than before."""

from pathlib import Path

import pytest

from tests.unit.installation.machine import Machine


@pytest.fixture
def running(machine: Machine) -> Machine:
    """Release 1.0.0 runs."""
    machine.with_systemd()
    machine.done("install", "--standalone")
    return machine


def next_release(machine: Machine, version: str = "2.0.0") -> str:
    """The name that the checkout's release will have."""
    machine.write_checkout(version)
    said = machine.done("upgrade", "--dry-run")
    return said.split("would: release ")[1].split(":")[0]


def test_an_upgrade_puts_the_new_release_in_force_and_keeps_the_one_before(running: Machine) -> None:
    old = running.in_force
    new = next_release(running)
    running.done("upgrade")
    assert running.in_force == running.active() == new
    assert running.releases == [old, new]


def test_the_networks_are_timed_with_each_release_before_it_is_in_force_and_once_only(running: Machine) -> None:
    running.write_checkout("2.0.0")
    before = len(running.calls)
    running.done("upgrade")
    calls = running.calls[before:]
    (timed,) = [number for number, call in enumerate(calls) if "models bench" in call]
    assert timed < calls.index("systemctl restart blinkd.service")
    before = len(running.calls)
    running.done("upgrade")
    assert not [call for call in running.calls[before:] if "models bench" in call]


def test_a_dry_run_of_an_upgrade_changes_nothing(running: Machine) -> None:
    before = running.content()
    next_release(running)
    assert running.content() == before


def test_two_builds_of_one_version_are_two_releases(running: Machine) -> None:
    running.write_checkout("1.0.0")
    (running.checkout / "blinkd/more.py").write_text("# another build\n")
    running.done("upgrade")
    assert len(running.releases) == 2
    assert all(name.startswith("1.0.0-") for name in running.releases)


def test_only_the_last_two_releases_are_kept(running: Machine) -> None:
    for version in ("2.0.0", "3.0.0", "4.0.0"):
        running.write_checkout(version)
        running.done("upgrade")
    assert [name.split("-")[0] for name in running.releases] == ["3.0.0", "4.0.0"]


@pytest.mark.parametrize("fault", ["store", "doctor", "blinkd.service"])
def test_a_release_with_which_something_fails_that_worked_before_is_taken_back_by_itself(running: Machine, fault: str) -> None:
    old = running.in_force
    running.fault(f"{next_release(running)} {fault}")
    result = running.run("upgrade")
    assert result.returncode == 1
    assert "was not kept: " in result.stderr
    assert ("the camera is gone" if fault == "blinkd.service" else "a fault that was not there before") in result.stderr
    assert running.in_force == running.active() == old
    unit = running.root / "usr/local/lib/systemd/system/blinkd.service"
    assert unit.read_bytes() == (running.root / "opt/blinkd/current/share/blinkd/systemd/blinkd.service").read_bytes()
    assert not (running.root / "opt/blinkd/trial").exists()


def test_a_fault_that_was_there_before_does_not_keep_a_release_out(running: Machine) -> None:
    new = next_release(running)
    running.fault(f"{running.in_force} store\n{new} store")
    running.done("upgrade")
    assert running.in_force == new


def test_a_terminal_that_is_not_enabled_stays_so_through_an_upgrade(machine: Machine) -> None:
    machine.with_systemd()
    machine.done("install")
    next_release(machine)
    machine.done("upgrade")
    assert machine.active() == ""


def test_rollback_changes_places_and_a_second_one_changes_them_back(running: Machine) -> None:
    old = running.in_force
    new = next_release(running)
    running.done("upgrade")
    running.done("rollback")
    assert running.in_force == running.active() == old
    running.done("rollback")
    assert running.in_force == running.active() == new


def test_a_rollback_to_a_release_that_no_longer_works_returns_to_the_one_in_force(running: Machine) -> None:
    old = running.in_force
    new = next_release(running)
    running.done("upgrade")
    running.fault(f"{old} blinkd.service")
    result = running.run("rollback")
    assert result.returncode == 1
    assert running.in_force == running.active() == new


def test_without_a_release_before_it_nothing_is_rolled_back(running: Machine) -> None:
    assert "no release to go back to" in running.refused("rollback")


def test_a_damaged_release_is_not_rolled_back_to(running: Machine) -> None:
    old = running.in_force
    next_release(running)
    running.done("upgrade")
    (running.root / "opt/blinkd/releases" / old / "lib/packages").write_text("other")
    assert f"release {old} is damaged" in running.refused("rollback")


def test_a_damaged_release_in_force_is_made_again(running: Machine) -> None:
    packages = running.root / "opt/blinkd/releases" / running.in_force / "lib/packages"
    before = packages.read_bytes()
    packages.write_text("other")
    assert "files are not as installed" in running.run("check").stdout
    running.done("install")
    assert packages.read_bytes() == before


def test_settings_of_a_newer_version_are_refused_before_anything_is_put_in_force(running: Machine) -> None:
    old = running.in_force
    next_release(running)
    config: Path = running.root / "etc/blinkd/blinkd.toml"
    config.write_text("future = 1\n")
    result = running.run("upgrade")
    assert result.returncode == 1
    assert "at 'future': no such setting" in result.stderr
    assert "newer" in result.stderr
    assert running.in_force == running.active() == old
    assert config.read_text() == "future = 1\n"


def test_new_settings_reach_a_daemon_whose_release_stays(running: Machine, tmp_path: Path) -> None:
    given = tmp_path / "given.toml"
    given.write_text("# given\n")
    before = running.calls.count("systemctl restart blinkd.service")
    running.done("upgrade", "--config", str(given))
    running.done("upgrade", "--config", str(given))
    assert running.calls.count("systemctl restart blinkd.service") == before + 1


def test_starts_that_a_failed_release_used_up_are_given_back(running: Machine) -> None:
    running.fault(f"{next_release(running)} blinkd.service")
    assert running.run("upgrade").returncode == 1
    words = [
        call.removeprefix("systemctl ")
        for call in running.calls
        if call.endswith(("restart blinkd.service", "reset-failed blinkd.service"))
    ]
    assert words[-4:] == ["reset-failed blinkd.service", "restart blinkd.service"] * 2


def test_a_daemon_that_did_not_run_before_does_not_keep_a_release_out(running: Machine) -> None:
    (running.root / "run/systemd/units/blinkd.service.active").unlink()
    new = next_release(running)
    running.fault(f"{running.in_force} blinkd.service\n{new} blinkd.service")
    assert "as before, blinkd.service does not become ready" in running.done("upgrade")
    assert running.in_force == new
