"""install.sh install: what it brings, what it starts, and what it leaves alone."""

from pathlib import Path

import pytest

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
    assert not [call for call in machine.calls if "enable " in call or "start " in call]


def test_a_terminal_that_is_to_stand_alone_is_enabled_and_started(machine: Machine) -> None:
    machine.with_systemd()
    machine.done("install", "--standalone")
    assert machine.active() == machine.in_force
    assert {"systemctl enable blinkd.service", "systemctl enable blinkd-upkeep.timer"} <= set(machine.calls)


def test_a_dry_run_says_what_would_change_and_changes_nothing(machine: Machine) -> None:
    machine.with_systemd()
    before = machine.content()
    said = machine.done("install", "--dry-run", "--standalone")
    assert machine.content() == before
    for part in ("Python packages", "settings", "key", "in force", "blinkd.service: starting it", "nothing was changed"):
        assert part in said


def test_where_systemd_does_not_run_everything_is_installed_and_nothing_started(machine: Machine) -> None:
    said = machine.done("install", "--standalone")
    assert "systemd does not run here" in said
    assert not [call for call in machine.calls if "enable " in call or "start " in call]
    assert (machine.root / "usr/local/lib/systemd/system/blinkd.service").is_file()


def test_a_bundle_configures_the_terminal_so_it_is_started(machine: Machine, tmp_path: Path) -> None:
    machine.with_systemd()
    bundle = tmp_path / "a bundle"
    bundle.write_text("for this terminal")
    machine.done("install", "--bundle", str(bundle), "--password-fd", "0")
    assert any(call.endswith(f"fleet install {bundle} --password-fd 0") for call in machine.calls)
    assert machine.active() == machine.in_force


@pytest.mark.parametrize(("settings", "certified", "enabled"), [("relay_url", True, True), ("", True, False), ("relay_url", False, False)])
def test_the_certificate_is_renewed_by_a_timer_where_a_relay_carries_it(
    machine: Machine, tmp_path: Path, settings: str, certified: bool, enabled: bool
) -> None:
    machine.with_systemd()
    machine.write_checkout("1.0.0", units=("blinkd-renew.timer",))
    given = tmp_path / "given.toml"
    given.write_text(f"# {settings}\n")
    machine.done("install", "--config", str(given))
    if certified:
        (machine.root / "var/lib/blinkd/terminal.pem").touch()
    machine.done("install", "--standalone")
    assert ("systemctl enable blinkd-renew.timer" in machine.calls) is enabled


def test_given_settings_take_the_place_of_those_there_which_are_kept_beside(machine: Machine, tmp_path: Path) -> None:
    machine.done("install")
    config = machine.root / "etc/blinkd/blinkd.toml"
    config.write_text("# by hand\n")
    machine.done("install")
    assert config.read_text() == "# by hand\n"
    given = tmp_path / "given.toml"
    given.write_text("# given\n")
    machine.done("install", "--config", str(given))
    assert config.read_text() == "# given\n"
    assert config.stat().st_mode & 0o777 == 0o640
    assert config.with_suffix(".toml.old").read_text() == "# by hand\n"


def test_a_key_that_is_there_is_never_made_anew(machine: Machine) -> None:
    key = machine.root / KEY
    key.parent.mkdir(parents=True)
    key.write_bytes(b"sealed here " + b"k" * 32)
    machine.done("install")
    assert key.read_bytes() == b"sealed here " + b"k" * 32


def test_the_key_of_templates_that_were_sealed_before_is_taken_over(machine: Machine) -> None:
    records = machine.root / "var/lib/blinkd"
    records.mkdir(parents=True)
    (records / "template.key").write_bytes(b"t" * 32)
    said = machine.done("install")
    assert (machine.root / KEY).read_bytes() == b"sealed here " + b"t" * 32
    assert (records / "template.key").read_bytes() == b"t" * 32
    assert "the credential counts" in said
    assert "is a copy in clear" in machine.done("check")


def test_a_torn_key_of_templates_stops_the_installation(machine: Machine) -> None:
    records = machine.root / "var/lib/blinkd"
    records.mkdir(parents=True)
    (records / "template.key").write_bytes(b"torn")
    result = machine.run("install")
    assert result.returncode == 1
    assert "put it back from the back-up" in result.stderr
    assert not (machine.root / KEY).exists()
    assert not (machine.root / "opt/blinkd/current").exists()


def test_where_systemd_cannot_seal_the_key_is_left_to_the_state_folder(machine: Machine) -> None:
    machine.root.joinpath("no-creds").touch()
    said = machine.done("install")
    assert "will be " in said
    assert "/var/lib/blinkd/template.key" in said
    assert not (machine.root / KEY).exists()
    assert list((machine.root / "run").glob("blinkd-install.*")) == []


def test_on_raspberry_pi_os_the_systems_camera_library_comes_last_on_the_path(machine: Machine) -> None:
    (machine.root / "etc").mkdir()
    (machine.root / "etc/rpi-issue").touch()
    (machine.root / "usr/bin").mkdir(parents=True)
    (machine.root / "usr/bin/python3").symlink_to(machine.programs / "python3")
    machine.done("install")
    lib = machine.root / "opt/blinkd/current/lib"
    assert "Raspberry Pi OS" in machine.done("upgrade", "--dry-run")
    assert (lib / "debian.pth").read_text() == f"{machine.root}/usr/lib/python3/dist-packages\n"
    assert "\nsimplejpeg==" in (lib / "packages").read_text()


def test_elsewhere_only_the_journals_library_is_borrowed(machine: Machine) -> None:
    (machine.root / "usr/bin").mkdir(parents=True)
    (machine.root / "usr/bin/python3").symlink_to(machine.programs / "python3")
    theirs = machine.root / "usr/lib/python3/dist-packages/systemd"
    theirs.mkdir(parents=True)
    machine.done("install")
    lib = machine.root / "opt/blinkd/current/lib"
    assert (lib / "systemd").readlink() == theirs
    assert not (lib / "debian.pth").exists()
    assert "simplejpeg" not in (lib / "packages").read_text()


def test_on_jetpack_it_says_which_cameras_work(machine: Machine) -> None:
    (machine.root / "etc").mkdir()
    (machine.root / "etc/nv_tegra_release").touch()
    said = machine.done("install", "--dry-run")
    assert "JetPack on " in said
    assert "needs an OpenCV with GStreamer" in said
