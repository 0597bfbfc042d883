"""What doctor says of the machine, on file trees that stand in for a board's."""

import os
import stat
from pathlib import Path

import pytest

from blinkd.crypto.keyfile import write_new
from blinkd.doctor import machine
from blinkd.doctor.machine import Account, devices, permissions, power, temperature, userland
from blinkd.settings import CameraSettings, Settings

STRANGER = Account("blinkd", 12_345, frozenset({12_345}))


def zone(root: Path, number: int, name: str, temp: str) -> None:
    folder = root / machine.THERMAL / f"thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "type").write_text(f"{name}\n")
    (folder / "temp").write_text(temp)


def test_a_32_bit_userland_is_said_to_be_too_small_whatever_the_kernel_is() -> None:
    found = userland(32, "aarch64")
    assert (found.status, "64-bit" in found.fix) == ("fail", True)
    assert userland(64).status == "ok"


@pytest.mark.parametrize(("hottest", "status"), [("79999\n", "ok"), ("80000\n", "warn"), ("91250\n", "warn")])
def test_the_hottest_part_counts(tmp_path: Path, hottest: str, status: str) -> None:
    zone(tmp_path, 0, "cpu-thermal", "41000\n")
    zone(tmp_path, 1, "gpu-thermal", hottest)
    zone(tmp_path, 2, "off", "")
    found = temperature(tmp_path)
    assert (found.status, "gpu-thermal" in found.detail, bool(found.fix)) == (status, True, status == "warn")


def test_a_machine_without_sensors_is_no_trouble(tmp_path: Path) -> None:
    assert (temperature(tmp_path).status, power(tmp_path, lambda: None).status) == ("ok", "ok")


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ("throttled=0x0\n", "ok", "full speed"),
        ("throttled=0x50005\n", "warn", "now: too little voltage, throttled"),
        ("throttled=0x20000\n", "warn", "since the start: frequency capped"),
        ("throttled=0x80008\n", "warn", "now: soft temperature limit"),
        ("VCHI initialization failed\n", "ok", "tells nothing"),
        ("", "ok", "tells nothing"),
    ],
)
def test_the_words_for_what_vcgencmd_says(tmp_path: Path, said: str, status: str, words: str) -> None:
    found = power(tmp_path, lambda: said)
    assert (found.status, words in found.detail) == (status, True), found


def test_the_kernels_own_word_is_asked_first(tmp_path: Path) -> None:
    path = tmp_path / machine.THROTTLED
    path.parent.mkdir(parents=True)
    path.write_text("50000\n")
    assert "since the start: too little voltage" in power(tmp_path, lambda: "throttled=0x0").detail


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    for name in ("signing.key", "tls.key"):
        write_new(folder / name, b"secret")
    return Settings(state_dir=folder)


def test_a_folder_as_blinkd_makes_it_is_in_order(settings: Settings, tmp_path: Path) -> None:
    found = permissions(settings, tmp_path / "none.toml")
    assert (found.status, found.fix) == ("ok", "")


def test_what_others_may_read_is_named_with_the_command_that_mends_it(settings: Settings, tmp_path: Path) -> None:
    (settings.state_dir / "tls.key").chmod(0o644)
    settings.state_dir.chmod(0o755)
    config = tmp_path / "blinkd.toml"
    config.touch()
    config.chmod(0o666)
    found = permissions(settings, config)
    assert found.status == "fail"
    commands = found.fix.removeprefix("run: ").split(" && ")
    assert commands == [f"chmod 700 {settings.state_dir}", f"chmod 600 {settings.state_dir / 'tls.key'}", f"chmod 644 {config}"]
    for command in commands:
        _, mode, path = command.split(" ", 2)
        Path(path).chmod(int(mode, 8))
    assert permissions(settings, config).status == "ok"


def test_a_file_that_root_left_in_the_daemons_folder_is_found(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def pretending(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, follow_symlinks=follow_symlinks)
        if path.name == "signing.key":
            return os.stat_result((*found[:4], found.st_uid + 1, *found[5:]))
        return found

    monkeypatch.setattr(Path, "stat", pretending)
    found = permissions(settings, tmp_path / "none.toml")
    assert (found.status, "signing.key belongs to user" in found.detail, "chown --reference=" in found.fix) == ("fail", True, True)


def test_a_state_folder_of_another_user_than_the_daemons_is_found(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "of_daemon", lambda: STRANGER)
    found = permissions(settings, tmp_path / "none.toml")
    assert (found.status, "chown -R blinkd:" in found.fix) == ("fail", True)


def camera(root: Path, mode: int, **more: object) -> Settings:
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / "video0").touch()
    (root / "dev" / "video0").chmod(mode)
    return Settings(camera=CameraSettings.model_validate(more))


def test_a_camera_that_the_daemons_user_may_not_open_is_a_matter_of_groups(tmp_path: Path) -> None:
    settings = camera(tmp_path, 0o660)
    found = devices(settings, STRANGER, tmp_path)
    assert (found.status, "usermod -aG" in found.fix, "blinkd" in found.fix) == ("fail", True, True)
    group = (tmp_path / "dev" / "video0").stat().st_gid
    assert devices(settings, Account("blinkd", 12_345, frozenset({group})), tmp_path).status == "ok"
    assert devices(camera(tmp_path, 0o666), STRANGER, tmp_path).status == "ok"
    assert devices(camera(tmp_path, 0o600), Account("root", 0, frozenset()), tmp_path).status == "ok"


def test_only_the_devices_of_the_chosen_driver_are_looked_at(tmp_path: Path) -> None:
    closed = camera(tmp_path, 0o600, driver="v4l2", device="/dev/video7")
    assert devices(closed, STRANGER, tmp_path).status == "warn", "it is not there, which the camera's own check says too"
    assert devices(camera(tmp_path, 0o600, driver="stream", url="rtsp://x/"), STRANGER, tmp_path).status == "ok"
    assert devices(camera(tmp_path, 0o600, driver="v4l2"), STRANGER, tmp_path).status == "fail"


def test_looking_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
    permissions(settings, tmp_path / "none.toml")
    assert before == {path: (path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
