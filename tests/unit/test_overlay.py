"""What was changed at the desk lies over the settings' file and below variables; broken, it is left out as a whole and said."""

import os
from pathlib import Path

import pytest

from blinkd.doctor import desk
from blinkd.errors import ConfigError
from blinkd.overlay import FIXED, FIXED_VALUES, OVERLAY_FILE, keys_of, read_overlay, why_fixed, write_overlay
from blinkd.settings import Settings
from blinkd.settings_file import key_paths, load, load_settings


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("BLINKD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir()
    path = tmp_path / "blinkd.toml"
    path.write_text(f'state_dir = "{state}"\n[camera]\nfps = 10\nwidth = 800\n[terminal]\nid = "door-1"\n')
    return path


def lay(config: Path, text: str) -> Path:
    path = config.parent / "state" / OVERLAY_FILE
    path.write_text(text)
    return path


def test_it_wins_over_the_file_and_a_variable_wins_over_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(config, "[camera]\nfps = 12\nheight = 600\n[attendance]\nshift_start = 08:30:00\n")
    settings = load_settings(config)
    assert (settings.camera.fps, settings.camera.width, settings.camera.height) == (12, 800, 600)
    assert settings.attendance.shift_start.isoformat() == "08:30:00"
    assert settings.terminal.id == "door-1"
    monkeypatch.setenv("BLINKD_CAMERA__FPS", "7")
    assert load_settings(config).camera.fps == 7
    loaded = load(config)
    assert [loaded.source_of(key, os.environ) for key in ("camera.fps", "camera.height", "camera.width", "camera.rotation")] == [
        "variable",
        "desk",
        "file",
        "default",
    ]


def test_the_state_folder_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_STATE_DIR", str(tmp_path))
    (tmp_path / OVERLAY_FILE).write_text("[camera]\nfps = 12\n")
    assert load_settings().camera.fps == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[camera\n", "not valid TOML"),
        ("\udcff", "not valid TOML"),
        ("[camera]\nfps = 900\n", "900"),
        ('[camera]\nfps = "12"\n', "fps"),
        ("[camera]\nfsp = 12\n", "did you mean 'camera.fps'?"),
        ("camera = 3\n", "camera"),
        ("[camera]\nreopen_max_s = 0.2\n", "reopen_max_s"),
        ('state_dir = "/elsewhere"\n', "'state_dir': not to be set here"),
        ('[relay]\nbroker = "x"\n', "'relay.broker': not to be set here"),
        ('[web]\nhost = "0.0.0.0"\n', "'web.host': not to be set here"),
        ('[liveness]\npolicy = "none"\n', "it lets a photo in"),
        ('[vision]\nprecision = "simulated"\n', "it recognises nobody"),
        ('[camera]\ndriver = "file"\npath = "/tmp/x.mp4"\n', "a recording"),
    ],
)
def test_where_it_cannot_stand_the_terminal_starts_by_the_file_alone_and_says_so(
    config: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = lay(config, "")
    path.write_bytes(text.encode(errors="surrogateescape") if "\udcff" in text else (text + "[log]\nlevel = 'DEBUG'\n").encode())
    settings = load_settings(config)
    assert (settings.camera.fps, settings.log.level) == (10, "INFO")  # all of it is left out, also what was right
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert str(path) in record.message
    assert said in record.message
    check = desk.overlay(settings, config)
    assert (check.status, str(path) in check.detail, said in check.detail) == ("warn", True, True)
    assert f"mv {path}" in check.fix


def test_a_broken_file_is_refused_whatever_lies_over_it(config: Path) -> None:
    lay(config, "[camera]\nfps = 12\n")
    config.write_text(config.read_text().replace("fps = 10", "fps = 0"))
    with pytest.raises(ConfigError, match=r"blinkd.toml: at 'camera.fps'"):
        load_settings(config)


def test_what_is_tried_is_refused_with_the_key(config: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(config, desk={"camera": {"fps": 0.0, "rotation": 45}})
    assert set(refused.value.at) == {"camera.fps", "camera.rotation"}
    with pytest.raises(ConfigError) as refused:
        load(config, desk={"camera": {"reopen_max_s": 0.2}})
    assert set(refused.value.at) == {"camera"}
    with pytest.raises(ConfigError) as refused:
        load(config, desk={"web": {"port": 1}})
    assert set(refused.value.at) == {"web.port"}
    assert load_settings(config).camera.fps == 10


def test_doctor_says_what_is_in_force(config: Path) -> None:
    assert desk.overlay(load_settings(config), config).detail == "no settings were changed at the desk"
    lay(config, "[camera]\nfps = 12\n")
    check = desk.overlay(load_settings(config), config)
    assert (check.status, "camera.fps" in check.detail) == ("ok", True)


def test_it_is_written_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    values = {"camera": {"fps": 12.5, "device": '/dev/"quoted"\n'}, "terminal": {"others": ["a", "b"]}, "log": {}}
    write_overlay(tmp_path, values)
    assert read_overlay(tmp_path) == {name: table for name, table in values.items() if table}
    (path,) = tmp_path.iterdir()
    assert (path.name, path.stat().st_mode & 0o777) == (OVERLAY_FILE, 0o600)
    assert "Delete a line" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "[door]\nactive_high = false\n",  # the idle line opens
        '[signals]\ndriver = "lgpio"\ngreen_line = 17\n',  # of the lock
        '[camera]\ndriver = "stream"\nurl = "rtsp://attacker/recording"\n',
        "[identity]\nfpir = 0.5\n",
        "[identity]\nmargin = 0.0\n",
        "[liveness]\ntexture_deny = 0.0\ntexture_doubt = 0.0\n",
        "[liveness]\nblink_min_ms = 0\n",
        "[entry]\nfree_tries = 20\n",
        "[privacy]\nscan_log_days = 1\n",  # what one tried at the door
        "[home_assistant]\nnames = true\n",
        "[home_assistant]\ntls = false\n",
    ],
)
def test_nothing_that_lets_somebody_in_covers_it_up_or_names_people_elsewhere_is_set_at_the_desk(config: Path, text: str) -> None:
    path = lay(config, text)
    with pytest.raises(ConfigError, match="not to be set here"):
        read_overlay(path.parent)


def test_every_fixed_key_or_section_is_one_that_the_settings_have() -> None:
    keys = key_paths()
    assert [fixed for fixed in (*FIXED, *FIXED_VALUES) if not any(key == fixed or key.startswith(f"{fixed}.") for key in keys)] == []
    assert why_fixed("relay.broker") is not None
    assert why_fixed("camera.fps") is None


def test_every_path_of_the_machine_is_fixed() -> None:
    """A page that could name files could have the daemon read or write any of its user's."""
    defaults = Settings()
    for key in key_paths():
        section, _, name = key.partition(".")
        model = type(getattr(defaults, section)) if name else Settings
        if "Path" in str(model.model_fields[name or section].annotation):
            assert why_fixed(key) is not None, key


def test_keys_of_a_file_are_dotted() -> None:
    assert keys_of({"state_dir": "x", "camera": {"fps": 1, "url": ""}}) == ["state_dir", "camera.fps", "camera.url"]
