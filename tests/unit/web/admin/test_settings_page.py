"""The Settings screen: shows every key, takes what the file would take, says at the field what it would not."""

import os
import re
from html import unescape
from pathlib import Path

import pytest

from blinkd.overlay import OVERLAY_FILE
from blinkd.settings_file import key_paths, load
from blinkd.web.admin.settings.list import explanations, sections, settings_of
from tests.unit.web.admin.desks import Office, office

FPS = "/admin/settings/camera"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("BLINKD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BLINKD_STATE_DIR", str(tmp_path))
    return tmp_path


def errors_of(page: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'class="error" id="[^"]+"><span aria-hidden="true">✕</span> ([^<]*)<', page)]


def notice_of(place: Office, path: str) -> str:
    found = re.search(r'class="notice \w+"><span aria-hidden="true">.</span> ([^<]*)<', place.browser.get(path).text)
    return unescape(found[1]) if found else ""


def test_every_setting_is_shown_with_its_reason() -> None:
    loaded = load()
    shown = [setting for section in sections() for setting in settings_of(section, loaded, {})]
    assert sorted(setting.key for setting in shown) == sorted(key_paths())
    assert [setting.key for setting in shown if "Default" not in setting.words] == []
    assert set(explanations()) == set(key_paths())


def test_a_value_as_it_stands_in_its_field_is_taken_back_as_it_is(state: Path) -> None:
    """Of every key that can be changed: else a form that is sent unchanged would change something."""
    with office(state) as place:
        place.browser = place.signed_in("technician")
        for section in sections():
            settings = settings_of(section, load(), os.environ)
            answer = place.browser.post(f"/admin/settings/{section}", {one.key: one.value for one in settings})
            assert answer.status_code == 303
    assert not (state / OVERLAY_FILE).exists()


def test_a_right_value_is_in_force_at_once_and_the_daemon_is_told(state: Path) -> None:
    told: list[bool] = []
    with office(state) as place:
        place.context.live.tell_daemon = lambda: told.append(True)
        place.browser = place.signed_in("technician")
        answer = place.browser.post("/admin/settings/attendance", {"attendance.grace_min": "3", "attendance.shift_start": "08:15"})
        assert answer.status_code == 303
        assert (
            notice_of(place, "/admin/settings/attendance")
            == "Saved. In force within a second: attendance.shift_start, attendance.grace_min."
        )
        assert place.context.settings.attendance.grace_min == 3
        assert load().settings.attendance.shift_start.isoformat() == "08:15:00"
        assert told == [True]
        assert place.acts()[1:] == [
            ("settings.change", "attendance.shift_start", "done", "09:00:00 → 08:15:00"),
            ("settings.change", "attendance.grace_min", "done", "10 → 3"),
        ]
        assert "changed here" in place.browser.get("/admin/settings/attendance").text


def test_what_needs_a_restart_is_said_and_not_in_force_yet(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        place.browser.post(FPS, {"camera.fps": "12"})
        assert notice_of(place, FPS) == "Saved. In force after a restart (sudo systemctl restart blinkd): camera.fps."
        assert place.context.settings.camera.fps == 15
        assert load().settings.camera.fps == 12


@pytest.mark.parametrize(
    ("section", "typed", "said"),
    [
        ("camera", {"camera.fps": "fast"}, "“fast” is not a number, as 2.5."),
        ("camera", {"camera.fps": "900"}, "900.0 is refused: input should be less than or equal to 120."),
        ("camera", {"camera.fps": "nan"}, "an is refused"),
        ("camera", {"camera.width": "3.5"}, "“3.5” is not a whole number, as 5."),
        ("camera", {"camera.rotation": "45"}, "“45” is none of 0, 90, 180, 270."),
        ("camera", {"camera.driver": "file"}, "a recording would be let in"),
        ("camera", {"camera.mirror": "maybe"}, "“maybe” is none of yes, no."),
        ("attendance", {"attendance.shift_start": "9"}, "“9” is not a time of day, as 09:00."),
        ("terminal", {"terminal.timezone": "Mars/Base"}, "'Mars/Base' is no IANA time zone"),
        ("terminal", {"terminal.others": "a, b c"}, "refused"),
        ("liveness", {"liveness.policy": "none"}, "lets a photo in"),
        ("vision", {"vision.precision": "simulated"}, "recognises nobody"),
        ("sync", {"sync.broker": "x" * 2001}, "longer than 2000 characters"),
        ("session", {"session.embeddings": "0"}, "0 is refused"),
    ],
)
def test_a_wrong_value_is_told_at_its_field_and_nothing_is_saved(state: Path, section: str, typed: dict[str, str], said: str) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        answer = place.browser.post(f"/admin/settings/{section}", typed)
        assert answer.status_code == 422
        (found,) = errors_of(answer.text)
        assert said in found
        assert "Nothing was saved." in answer.text
        assert place.acts()[1:] == []
    assert not (state / OVERLAY_FILE).exists()


def test_a_contradiction_is_told_at_the_section_and_what_was_typed_is_still_there(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        answer = place.browser.post(FPS, {"camera.reopen_max_s": "0.2", "camera.width": "777"})
        assert answer.status_code == 422
        assert "must not be below reopen_first_s" in answer.text
        assert 'value="777"' in answer.text


@pytest.mark.parametrize(
    "key", ["state_dir", "relay.broker", "web.host", "camera.path", "sync.key_file", "home_assistant.password_file", "camera.url"]
)
def test_what_is_not_to_be_changed_here_is_shown_and_not_taken(state: Path, key: str) -> None:
    section = key.partition(".")[0] if "." in key else "general"
    with office(state) as place:
        place.browser = place.signed_in("technician")
        page = place.browser.get(f"/admin/settings/{section}").text
        assert f'name="{key}"' not in page
        assert "not to be changed here" in page
        place.browser.post(f"/admin/settings/{section}", {key: "/tmp/x"})
    assert not (state / OVERLAY_FILE).exists()


def test_what_a_variable_sets_is_shown_and_not_taken(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_CAMERA__FPS", "7")
    with office(state) as place:
        place.browser = place.signed_in("technician")
        assert "set by the variable BLINKD_CAMERA__FPS" in place.browser.get(FPS).text
        place.browser.post(FPS, {"camera.fps": "12"})
    assert not (state / OVERLAY_FILE).exists()


def test_a_change_is_put_back_by_its_button(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        place.browser.post(FPS, {"camera.fps": "12", "camera.width": "800"})
        place.browser.get(FPS)
        place.browser.post(FPS, {"camera.fps": "12", "camera.width": "801", "undo": "camera.fps"})
        assert load().desk == {"camera": {"width": 800}}
        assert place.acts()[-1] == ("settings.change", "camera.fps", "done", "12.0 → 15.0")


def test_a_value_that_may_be_empty_can_be_emptied(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        place.browser.post("/admin/settings/camera", {"camera.exposure_us": "700"})
        assert load().settings.camera.exposure_us == 700
        place.browser.post("/admin/settings/camera", {"camera.exposure_us": ""})
        assert load().settings.camera.exposure_us is None
        assert load().desk == {}


def test_a_password_in_an_address_is_not_shown(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = state / "blinkd.toml"
    file.write_text('[camera]\ndriver = "stream"\nurl = "rtsp://user:geheim@cam/1"\n')
    monkeypatch.setenv("BLINKD_CONFIG", str(file))
    with office(state) as place:
        place.browser = place.signed_in("technician")
        page = place.browser.get(FPS).text
        assert "rtsp://cam/1" in page
        assert "geheim" not in page + place.browser.get("/admin/settings").text
        place.browser.post(FPS, {"camera.fps": "12"})
        assert load().settings.camera.url == "rtsp://user:geheim@cam/1"


def test_markup_in_a_value_stays_text(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        place.browser.post(FPS, {"camera.device": '"><script>alert(1)</script>'})
        for path in (FPS, "/admin/settings"):
            assert "<script>alert" not in place.browser.get(path).text


def test_the_kiosks_settings_say_that_the_pages_begin_anew(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        answer = place.browser.post("/admin/settings/kiosk", {"kiosk.sound": "no"})
        assert answer.status_code == 200
        assert answer.headers["refresh"] == "5; url=/admin/settings/kiosk"
        assert "begin anew" in answer.text


def test_where_the_file_cannot_be_written_nothing_is_changed_and_that_is_said(state: Path) -> None:
    with office(state) as place:
        place.browser = place.signed_in("technician")
        (state / OVERLAY_FILE).mkdir()  # no file can take its place
        answer = place.browser.post(FPS, {"camera.fps": "12"})
        assert answer.status_code == 503
        assert "cannot be written" in answer.text
        assert place.acts()[1:] == []
        assert place.context.settings.camera.fps == 15


def test_a_broken_overlay_is_said_and_can_be_overwritten(state: Path) -> None:
    (state / OVERLAY_FILE).write_text("[camera\n")
    with office(state) as place:
        place.browser = place.signed_in("technician")
        assert "not in force" in place.browser.get("/admin/settings").text
        place.browser.post(FPS, {"camera.fps": "12"})
        assert load().settings.camera.fps == 12


def test_only_technicians_come_in(state: Path) -> None:
    with office(state) as place:
        browser = place.signed_in("supervisor", "hr")
        assert browser.get("/admin/settings").status_code == 403
        assert browser.post(FPS, {"camera.fps": "12"}).status_code == 403
