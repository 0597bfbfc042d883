"""install.sh uninstall and check."""

from pathlib import Path

import pytest

from tests.unit.installation.machine import Machine

KEY = "etc/credstore.encrypted/blinkd.template-key"


@pytest.fixture
def installed(machine: Machine) -> Machine:
    machine.with_systemd()
    machine.done("install", "--standalone")
    return machine


def files(machine: Machine) -> list[str]:
    return [name for name, value in machine.content().items() if not value.startswith("40")]


def test_uninstalling_keeps_settings_records_and_their_key_and_nothing_else(installed: Machine) -> None:
    installed.done("uninstall")
    assert installed.active() == ""
    assert files(installed) == [
        "etc/blinkd/blinkd.toml",
        "etc/blinkd/standalone",
        KEY,
        "var/lib/blinkd/embedder_speed.json",
    ]


def test_what_was_kept_is_taken_up_again_by_the_next_installation(installed: Machine) -> None:
    key = (installed.root / KEY).read_bytes()
    installed.done("uninstall")
    installed.done("install")
    assert (installed.root / KEY).read_bytes() == key
    assert installed.active() == installed.in_force


def test_purging_leaves_nothing(installed: Machine) -> None:
    installed.done("uninstall", "--purge", "--unattended")
    assert files(installed) == []
    assert not (installed.root / "opt/blinkd").exists()
    assert not (installed.root / "etc/credstore.encrypted").exists()


def test_purging_leaves_back_ups_and_says_so_but_no_empty_folder_and_no_stamp_of_a_timer(installed: Machine) -> None:
    backups, stamps = installed.root / "var/backups/blinkd", installed.root / "var/lib/systemd/timers"
    backups.mkdir(parents=True)
    stamps.mkdir(parents=True)
    for timer in ("upkeep", "renew"):
        (stamps / f"stamp-blinkd-{timer}.timer").touch()
    (backups / "door-1.blinkd-backup").touch()
    assert f"kept: the back-ups in {backups}" in installed.done("uninstall", "--purge", "--unattended")
    assert files(installed) == ["var/backups/blinkd/door-1.blinkd-backup"]
    (backups / "door-1.blinkd-backup").unlink()
    assert "back-ups" not in installed.done("uninstall", "--purge", "--unattended")
    assert not backups.exists()


def test_purging_says_how_much_was_never_sent(installed: Machine) -> None:
    (installed.root / "waiting").write_text("12 3\n")
    said = installed.done("uninstall", "--purge", "--unattended")
    assert "12 punches and 3 changes of people were never sent" in said


def test_purging_says_so_where_it_cannot_be_told(installed: Machine) -> None:
    assert "cannot be told" in installed.done("uninstall", "--purge", "--unattended")


def test_purging_asks_and_without_a_terminal_to_ask_on_removes_nothing(installed: Machine) -> None:
    assert "--unattended if you are sure" in installed.refused("uninstall", "--purge")
    assert installed.active() == installed.in_force


def test_a_dry_run_of_uninstalling_changes_nothing(installed: Machine) -> None:
    before = installed.content()
    assert "would: " in installed.done("uninstall", "--purge", "--dry-run")
    assert installed.content() == before


def test_uninstalling_twice_is_no_error(installed: Machine) -> None:
    installed.done("uninstall")
    before = files(installed)
    installed.done("uninstall")
    assert files(installed) == before


def test_check_finds_a_whole_installation_in_order(installed: Machine) -> None:
    said = installed.done("check")
    assert "FAIL" not in said
    assert f"in force: {installed.in_force}" in said
    assert "blinkd.service runs" in said


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("opt/blinkd/current/lib/packages", "files are not as installed"),
        ("opt/blinkd/current/lib/added.py", "added: ./lib/added.py"),
        ("usr/local/lib/systemd/system/blinkd.service", "units are not those of the release: blinkd.service"),
        (KEY, "does not open: it was sealed on another machine"),
    ],
)
def test_check_finds_what_somebody_changed(installed: Machine, path: str, words: str) -> None:
    (installed.root / path).write_text("other")
    result = installed.run("check")
    assert result.returncode == 1
    assert words in result.stdout


def test_check_finds_a_failed_daemon_and_what_doctor_finds(installed: Machine) -> None:
    (installed.root / "run/systemd/units/blinkd.service.failed").touch()
    installed.fault(f"{installed.in_force} store")
    result = installed.run("check")
    assert result.returncode == 1
    assert "blinkd.service has failed" in result.stdout
    assert '"store", "status": "fail"' in result.stdout


def test_check_of_nothing_says_so(machine: Machine) -> None:
    result = machine.run("check")
    assert result.returncode == 1
    assert "no release is in force" in result.stdout


def test_check_finds_two_different_keys(installed: Machine) -> None:
    (installed.root / "var/lib/blinkd/template.key").write_bytes(b"t" * 32)
    result = installed.run("check")
    assert result.returncode == 1
    assert "is another key than the credential" in result.stdout


def test_a_user_who_lost_a_group_that_owns_cameras_is_noticed_and_mended_by_the_next_run(installed: Machine) -> None:
    user = Path(installed.root / "var/lib/blinkd").owner()
    conf = installed.checkout / "systemd/sysusers.d/blinkd.conf"
    conf.write_text(conf.read_text() + f"m {user} no-such-group-here\n")
    assert "user" in installed.done("upgrade")
    result = installed.run("check")
    assert result.returncode == 1
    assert "not in all groups that own cameras and door (no-such-group-here" in result.stdout
    assert f"user {user}, and its folders" in installed.done("upgrade")
