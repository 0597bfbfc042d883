from pathlib import Path

from blinkd.settings import AttendanceSettings, CameraSettings, LogSettings, Settings, TerminalSettings
from blinkd.settings_file import key_paths
from blinkd.supervision.reload import NEEDS_RESTART, merge


def test_what_can_be_taken_over_is_and_the_rest_stays_and_is_named() -> None:
    now = Settings()
    wanted = Settings(
        state_dir=Path("/elsewhere"),
        terminal=TerminalSettings(id="door-9", timezone="Europe/Madrid"),
        camera=CameraSettings(fps=30),
        attendance=AttendanceSettings(grace_min=3),
        log=LogSettings(level="DEBUG"),
    )
    found = merge(now, wanted)
    assert set(found.taken) == {"terminal.timezone", "attendance.grace_min", "log.level"}
    assert set(found.refused) == {"state_dir", "terminal.id", "camera.fps"}
    assert found.settings.attendance.grace_min == 3
    assert found.settings.terminal.timezone == "Europe/Madrid"
    assert found.settings.terminal.id == now.terminal.id
    assert found.settings.camera == now.camera
    assert found.settings.state_dir == now.state_dir


def test_nothing_new_takes_nothing() -> None:
    found = merge(Settings(), Settings())
    assert (found.taken, found.refused, found.settings) == ((), (), Settings())


def test_every_fixed_key_or_section_is_one_that_the_settings_have() -> None:
    keys = key_paths()
    assert [fixed for fixed in NEEDS_RESTART if not any(key == fixed or key.startswith(f"{fixed}.") for key in keys)] == []
