"""Settings that cannot be used are refused with the place, the key, the value and the remedy."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blinkd.errors import ConfigError
from blinkd.settings import Settings, key_paths, load_settings

Write = Callable[[str | bytes], Path]


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("BLINKD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "blinkd.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def refusal(config_file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(config_file)
    return str(caught.value)


# --- what is accepted ---


def test_without_file_and_variables_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.liveness.policy == "standard"
    assert settings.camera.fps == 15.0


def test_the_file_changes_what_it_names_and_nothing_else(write: Write) -> None:
    settings = load_settings(write('state_dir = "/srv/b"\n[camera]\nfps = 10\n[attendance]\nshift_start = 08:30:00\n'))
    assert settings.state_dir == Path("/srv/b")
    assert settings.camera.fps == 10.0
    assert settings.attendance.shift_start.isoformat() == "08:30:00"
    assert settings.camera.width == Settings().camera.width


def test_a_variable_wins_over_the_file_and_leaves_its_neighbours(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CAMERA__FPS", "12.5")
    monkeypatch.setenv("BLINKD_STATE_DIR", "/srv/from-variable")
    settings = load_settings(write('state_dir = "/srv/from-file"\n[camera]\nfps = 10\nwidth = 800\n'))
    assert settings.camera.fps == 12.5
    assert settings.camera.width == 800
    assert settings.state_dir == Path("/srv/from-variable")


def test_the_start_of_work_may_be_written_as_a_time_or_as_text(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(write('[attendance]\nshift_start = "07:15"\n')).attendance.shift_start.isoformat() == "07:15:00"
    monkeypatch.setenv("BLINKD_ATTENDANCE__SHIFT_START", "06:45")
    assert load_settings().attendance.shift_start.isoformat() == "06:45:00"


def test_the_file_may_be_named_by_a_variable_and_the_command_line_wins_over_it(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLINKD_CONFIG", str(write("[camera]\nfps = 7\n")))
    assert load_settings().camera.fps == 7
    other = tmp_path / "other.toml"
    other.write_text("[camera]\nfps = 9\n")
    assert load_settings(other).camera.fps == 9


def test_settings_cannot_be_changed_once_loaded() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.camera.fps = 1.0  # type: ignore[misc]


def test_the_cache_folder_variable_is_no_setting_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CACHE_DIR", "/srv/cache")
    assert load_settings() == Settings()


@given(fps=st.floats(allow_nan=True, allow_infinity=True))
def test_the_frame_rate_is_either_within_its_limits_or_refused_by_name(fps: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blinkd.toml"
        path.write_text(f"[camera]\nfps = {fps!r}\n")
        if 0 < fps <= 120:
            assert load_settings(path).camera.fps == fps
        else:
            with pytest.raises(ConfigError, match=r"at 'camera\.fps'"):
                load_settings(path)


@pytest.mark.parametrize(
    ("host", "opened"), [("127.0.0.1", False), ("::1", False), ("127.8.8.8", False), ("0.0.0.0", True), ("10.0.0.7", True)]
)
def test_the_pages_are_opened_to_others_where_their_address_is_not_of_this_machine(write: Write, host: str, opened: bool) -> None:
    tls = 'certificate = "/c"\nkey = "/k"\n' if opened else ""
    assert load_settings(write(f'[web]\nhost = "{host}"\n{tls}')).web.opened is opened


# --- the file itself ---


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    message = refusal(tmp_path / "none.toml")
    assert str(tmp_path / "none.toml") in message
    assert "no such file" in message
    assert "--config" in message


def test_a_missing_file_named_by_the_variable_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CONFIG", str(tmp_path / "none.toml"))
    assert str(tmp_path / "none.toml") in refusal()


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    message = refusal(tmp_path)  # a folder: unreadable as a file also for root
    assert str(tmp_path) in message
    assert "cannot be read: Is a directory" in message
    assert "check" in message


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(write: Write) -> None:
    path = write(b'[terminal]\nid = "caf\xe9"\n')
    message = refusal(path)
    assert str(path) in message
    assert "not UTF-8 text at byte 20" in message
    assert "save it as UTF-8" in message


@pytest.mark.parametrize(
    ("text", "line"), [("[camera\nfps = 1\n", 1), ("[camera]\nfps = \n", 2), ("[camera]\nfps = 1\nfps = 2\n", 3), ("[log]\n[log]\n", 2)]
)
def test_bad_toml_is_refused_with_its_line(write: Write, text: str, line: int) -> None:
    path = write(text)
    message = refusal(path)
    assert message.startswith(f"{path}: not valid TOML")
    assert f"line {line}" in message
    assert "config/blinkd.toml" in message


# --- keys and values in the file ---


@pytest.mark.parametrize(
    ("text", "key", "value", "remedy"),
    [
        ("[camera]\nfsp = 10\n", "camera.fsp", "10", "did you mean 'camera.fps'?"),
        ("[camra]\nfps = 10\n", "camra", "{'fps': 10}", "did you mean 'camera'?"),
        ('state_dirr = "/srv"\n', "state_dirr", "'/srv'", "did you mean 'state_dir'?"),
        ('[log]\ncolour_of_the_door = "red"\n', "log.colour_of_the_door", "'red'", "config/blinkd.toml lists the keys"),
    ],
)
def test_an_unknown_key_is_refused_with_a_proposal(write: Write, text: str, key: str, value: str, remedy: str) -> None:
    path = write(text)
    message = refusal(path)
    assert message.startswith(f"{path}: at '{key}': no such setting")
    assert value in message
    assert remedy in message


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ('[camera]\nfps = "fast"\n', "camera.fps", "'fast'"),
        ('[camera]\nfps = "15"\n', "camera.fps", "'15'"),
        ("[camera]\nwidth = true\n", "camera.width", "True"),
        ("[camera]\nwidth = 640.5\n", "camera.width", "640.5"),
        ('[camera]\nmirror = "yes"\n', "camera.mirror", "'yes'"),
        ("[camera]\nmirror = 1\n", "camera.mirror", "1"),
        ("[terminal]\nid = 7\n", "terminal.id", "7"),
        ("[identity]\nmatch_threshold = [0.5]\n", "identity.match_threshold", "[0.5]"),
        ("state_dir = 5\n", "state_dir", "5"),
        ("camera = 5\n", "camera", "5"),
    ],
)
def test_a_wrong_type_is_refused_with_key_and_value(write: Write, text: str, key: str, value: str) -> None:
    path = write(text)
    message = refusal(path)
    assert message.startswith(f"{path}: at '{key}': {value} is refused")
    assert "config/blinkd.toml gives the allowed values" in message


@pytest.mark.parametrize(
    ("text", "key", "value", "allowed"),
    [
        ("[camera]\nfps = 0\n", "camera.fps", "0", "greater than 0"),
        ("[camera]\nfps = nan\n", "camera.fps", "nan", ""),
        ("[camera]\nrotation = 45\n", "camera.rotation", "45", "0, 90, 180 or 270"),
        ('[camera]\ndriver = "webcam"\n', "camera.driver", "'webcam'", "'auto', 'picamera2', 'v4l2'"),
        ('[terminal]\nid = "a/b"\n', "terminal.id", "'a/b'", "pattern"),
        ('[terminal]\ntimezone = "Europe/Nowhere"\n', "terminal.timezone", "'Europe/Nowhere'", "Europe/Madrid"),
        ('[terminal]\ntimezone = "../../etc/passwd"\n', "terminal.timezone", "'../../etc/passwd'", "Europe/Madrid"),
        ("[identity]\nmatch_threshold = 1.5\n", "identity.match_threshold", "1.5", "less than or equal to 1"),
        ("[attendance]\nshift_start = 9\n", "attendance.shift_start", "9", "09:00:00"),
        ('[attendance]\nshift_start = "25:00"\n', "attendance.shift_start", "'25:00'", "time"),
        ("[session]\nembeddings = 0\n", "session.embeddings", "0", "greater than or equal to 1"),
        ('[web]\nhost = "door-1"\n', "web.host", "'door-1'", "is no IP address"),
        ("[web]\nport = 0\n", "web.port", "0", "greater than or equal to 1"),
        ('[kiosk]\nlanguage = "../en"\n', "kiosk.language", "'../en'", "pattern"),
        ('[kiosk]\ntheme = "pink"\n', "kiosk.theme", "'pink'", "'auto', 'bright' or 'dark'"),
    ],
)
def test_an_impossible_value_is_refused_with_what_is_allowed(write: Write, text: str, key: str, value: str, allowed: str) -> None:
    path = write(text)
    message = refusal(path)
    assert message.startswith(f"{path}: at '{key}': {value}")
    assert allowed in message


@pytest.mark.parametrize(
    ("text", "section", "words"),
    [
        ('[camera]\ndriver = "file"\n', "camera", ["driver 'file'", "camera.path"]),
        ('[camera]\ndriver = "stream"\n', "camera", ["driver 'stream'", "camera.url"]),
        ("[camera]\nreopen_max_s = 0.2\n", "camera", ["reopen_max_s", "0.2", "reopen_first_s", "0.5"]),
        ("[liveness]\near_open = 0.1\n", "liveness", ["ear_open", "0.1", "ear_closed", "0.18"]),
        ("[liveness]\nblink_max_ms = 20\n", "liveness", ["blink_max_ms", "20", "blink_min_ms", "30"]),
        ('[web]\nhost = "0.0.0.0"\n', "web", ["0.0.0.0", "in clear", "certificate and key", "127.0.0.1"]),
        ('[web]\ncertificate = "/etc/blinkd/web.pem"\n', "web", ["certificate and key belong together"]),
        (
            '[web]\nhost = "::"\ncertificate = "/c"\nkey = "/k"\nport = 9000\ntls_port = 9000\n',
            "web",
            ["port and tls_port are both 9000"],
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_both(write: Write, text: str, section: str, words: list[str]) -> None:
    path = write(text)
    message = refusal(path)
    assert message.startswith(f"{path}: at '{section}'")
    for word in words:
        assert word in message


def test_every_problem_is_told_at_once_each_on_its_line(write: Write) -> None:
    message = refusal(write('[camera]\nfps = 0\nfsp = 1\n[log]\nlevel = "LOUD"\n'))
    assert [line.split("'")[1] for line in message.splitlines()] == ["camera.fps", "camera.fsp", "log.level"]


def test_a_long_value_is_shortened_in_the_message(write: Write) -> None:
    message = refusal(write(f'[camera]\ndriver = "{"x" * 5000}"\n'))
    assert "xxx..." in message
    assert len(message) < 500


# --- variables ---


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("BLINKD_CAMERA__FSP", "BLINKD_CAMERA__FPS"), ("BLINKD_STATEDIR", "BLINKD_STATE_DIR"), ("BLINKD_XYZZY_PLUGH", "unset it")],
)
def test_an_unknown_variable_is_refused_with_a_proposal(name: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    message = refusal()
    assert message.startswith(f"environment variable {name}: no such setting")
    assert remedy in message


def test_a_bad_value_in_a_variable_names_the_variable_not_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CAMERA__FPS", "fast")
    message = refusal(write("[camera]\nfps = 10\n"))
    assert message.startswith("environment variable BLINKD_CAMERA__FPS: 'fast' is refused")
    assert "blinkd.toml:" not in message


def test_a_contradiction_that_a_variable_makes_names_the_variable(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_LIVENESS__EAR_OPEN", "0.1")
    message = refusal(write("[camera]\nfps = 10\n"))
    assert "BLINKD_LIVENESS__EAR_OPEN" in message
    assert "ear_open" in message


def test_a_bad_key_in_a_section_given_as_json_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CAMERA", '{"fsp": 3}')
    message = refusal()
    assert message.startswith("environment variable BLINKD_CAMERA: at 'camera.fsp'")
    assert "did you mean 'camera.fps'?" in message


def test_a_section_that_is_no_json_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CAMERA", "fps=10")
    message = refusal()
    assert "BLINKD_" in message
    assert "camera" in message
    assert "BLINKD_CAMERA__FPS=10" in message


@pytest.mark.parametrize("path", key_paths())
def test_every_key_can_be_set_by_a_variable_and_a_bad_one_is_told_by_that_name(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "BLINKD_" + path.replace(".", "__").upper()
    monkeypatch.setenv(name, "\x01")
    try:
        settings = load_settings()
    except ConfigError as error:
        assert name in str(error)  # free texts accept any value, all others refuse it by name
    else:
        value = settings
        for part in path.split("."):
            value = getattr(value, part)
        assert str(value) == "\x01"


def test_an_empty_variable_is_refused_rather_than_taken_for_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CAMERA__FPS", "")
    assert "BLINKD_CAMERA__FPS" in refusal()
