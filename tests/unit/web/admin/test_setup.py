"""The first run, from the code to the punch; each step can be left and taken up again."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from blinkd.crypto.chain import canonical
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.unlocked import PORTABLE_FILE, has_keyring, load_file
from blinkd.errors import OperatorRefused
from blinkd.fleet.codes import code_of as code_of_bytes
from blinkd.settings_file import load
from blinkd.web.admin.setup.code import CODE_BYTES, VALID_S, make_setup_code
from tests.unit.web.admin.desks import PASSWORD, Browser, Office, office

ORG_PASSWORD = "eleven quiet green teapots"
TWICE = {"password_new": ORG_PASSWORD, "password_again": ORG_PASSWORD, "written": "yes"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("BLINKD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BLINKD_STATE_DIR", str(tmp_path))
    return tmp_path


def code_of(place: Office) -> str:
    with place.context.store() as store:
        return make_setup_code(store, place.clock.now())


def begin(browser: Browser, code: str, **changed: str) -> Any:
    return browser.post("/admin/setup", {"code": code, "name": "Ada", "password_new": PASSWORD, "password_again": PASSWORD, **changed})


def test_the_code_makes_the_first_operator_once(state: Path) -> None:
    with office(state) as place:
        browser = place.browser
        assert browser.get("/admin/login").headers["location"] == "/admin/setup"
        code = code_of(place)
        assert begin(browser, code.lower().replace("-", " ")).headers["location"] == "/admin/setup/organisation"
        assert browser.get("/admin/setup/organisation").status_code == 200
        with place.context.store() as store:
            (made,) = store.operators.all()
        assert (made.name, made.roles, made.temporary) == ("Ada", {"supervisor", "hr", "technician"}, False)
        assert begin(place.another(), code, name="Eve").status_code == 422
        assert place.another().get("/admin/setup").headers["location"].startswith("/admin/login")
        with place.context.store() as store, pytest.raises(OperatorRefused, match="operators reset"):
            make_setup_code(store, place.clock.now())


def test_a_wrong_an_old_and_a_replaced_code_make_nobody(state: Path) -> None:
    with office(state) as place:
        browser, first = place.browser, code_of(place)
        second = code_of(place)
        answers = {"not the code": first, "a character of the code is wrong": second[:-1] + ("0" if second[-1] != "0" else "1")}
        for said, code in answers.items():
            answer = begin(browser, code)
            assert answer.status_code == 422
            assert said in answer.text.lower()
        place.clock.wait(seconds=VALID_S)
        assert "older than an hour" in begin(browser, second).text
        third = code_of(place)
        place.clock.reboot()
        assert "from before a restart" in begin(browser, third).text
        with place.context.store() as store:
            assert not store.operators.any()


def test_without_a_code_that_was_made_none_is_right(state: Path) -> None:
    with office(state) as place:
        assert "not the code" in begin(place.browser, code_of_bytes(bytes(CODE_BYTES))).text
        with place.context.store() as store:
            assert not store.operators.any()


def test_guesses_at_the_code_have_to_wait(state: Path) -> None:
    with office(state) as place:
        code = code_of(place)
        assert [begin(place.another("192.0.2.9"), "x").status_code for _ in range(9)] == [422] * 8 + [429]
        assert begin(place.browser, code).status_code == 303  # not who stands at the terminal


def test_a_weak_password_spends_no_code(state: Path) -> None:
    with office(state) as place:
        code = code_of(place)
        weak = begin(place.browser, code, password_new="password1234", password_again="password1234")
        assert (weak.status_code, "would be guessed" in weak.text) == (422, True)
        assert code in weak.text  # it need not be typed again
        assert begin(place.browser, code).status_code == 303


def test_the_whole_of_it(state: Path) -> None:
    with office(state) as place:
        browser = place.browser
        begin(browser, code_of(place))
        browser.get("/admin/setup/organisation")
        answer = browser.post("/admin/setup/organisation/new", {"organisation": "acme", **TWICE})
        assert answer.headers["location"] == "/admin/setup/terminal"
        assert has_keyring(state)
        assert load_file(state / PORTABLE_FILE).organisation == "acme"
        with load_file(state / PORTABLE_FILE).opened(ORG_PASSWORD):
            pass
        answer = browser.post("/admin/setup/terminal", {"name": "door-7", "zone": "Europe/Madrid"})
        assert answer.headers["location"] == "/admin/setup/camera"
        assert "after a restart" in browser.get("/admin/setup/camera").text
        assert (load().settings.terminal.id, load().settings.terminal.timezone) == ("door-7", "Europe/Madrid")
        assert browser.post("/admin/setup/camera").headers["location"] == "/admin/setup/test"
        assert browser.get("/admin/setup/test/state?since=0").json() == {"decided": False}
        place.hub.heard({"kind": "event", "event": "punch", "name": "Zoë", "status": "CHECK_IN", "n": 3})
        assert browser.get("/admin/setup/test/state?since=0").json() == {"decided": True}
        assert "Zoë was known: IN." in browser.get("/admin/setup/test?since=0").text
        assert browser.post("/admin/setup/test").headers["location"] == "/admin/setup"
        assert browser.get("/admin/setup").text.count("</span> done</span>") == 4
        assert [act[0] for act in place.acts()] == [
            "setup.first",
            "setup.organisation",
            "settings.change",
            "settings.change",
            "setup.camera",
            "setup.test",
        ]


def test_it_can_be_left_and_taken_up_again(state: Path) -> None:
    with office(state) as place:
        begin(place.browser, code_of(place))
        place.browser.get("/admin/setup")
        place.browser.post("/admin/setup/organisation/alone")
    with office(state) as place:
        browser = place.browser
        browser.log_in()
        page = browser.get("/admin/setup").text
        assert (page.count("</span> left out</span>"), page.count("</span> to be done</span>")) == (1, 3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"organisation": "a b"}, "organisation"),
        ({"organisation": ""}, "organisation"),
        ({"password_new": "short", "password_again": "short"}, "5 characters"),
        ({"password_again": "another"}, "not the same"),
        ({"written": None}, "write it down first"),
    ],
)
def test_an_organisation_that_cannot_be_made_is_refused(state: Path, fields: dict[str, Any], said: str) -> None:
    with office(state) as place:
        browser = place.signed_in("supervisor")
        given = {name: value for name, value in ({"organisation": "acme", **TWICE} | fields).items() if value is not None}
        answer = browser.post("/admin/setup/organisation/new", given)
        assert answer.status_code == 422
        assert said in answer.text
    assert not has_keyring(state)


def test_another_terminals_keyring_is_joined_by_its_password(state: Path) -> None:
    exported = KeyringFile.create("acme", ORG_PASSWORD, date(2026, 1, 1))
    content = canonical(exported.to_json())
    with office(state) as place:
        browser = place.signed_in("supervisor")

        def join(file: bytes, password: str, name: str = "k.json") -> Any:
            return browser.post(
                "/admin/setup/organisation/join", {"password": password}, files={"keyring": (name, file, "application/json")}
            )

        assert "Choose the file" in join(b"", ORG_PASSWORD, "").text
        assert "no JSON" in join(b"{", ORG_PASSWORD).text
        assert join(b"x" * 2_000_000, ORG_PASSWORD).status_code == 413
        wrong = join(content, PASSWORD)
        assert (wrong.status_code, has_keyring(state)) == (422, False)
        assert join(content, ORG_PASSWORD).headers["location"] == "/admin/setup/terminal"
        assert load_file(state / PORTABLE_FILE) == exported
        assert "fingerprint" in browser.get("/admin/setup/organisation").text
        assert browser.post("/admin/setup/organisation/new", {"organisation": "other", **TWICE}).status_code == 422


@pytest.mark.parametrize(
    ("reason", "words"), [("not_live", "No sign of life"), ("unknown_face", "Nobody who is registered"), ("new_reason", "Try once more")]
)
def test_a_refusal_says_what_to_do(state: Path, reason: str, words: str) -> None:
    with office(state) as place:
        browser = place.signed_in("supervisor")
        page = browser.get("/admin/setup/test").text
        assert "Nobody is registered yet" in page
        place.hub.heard({"kind": "event", "event": "refused", "reason": reason, "n": 3})
        assert words in browser.get("/admin/setup/test?since=2").text
        assert words not in browser.get("/admin/setup/test?since=3").text


def test_where_no_camera_works_that_is_said(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blinkd.web.admin.setup.camera.PICTURE_S", 0.05)
    with office(state) as place:
        browser = place.signed_in("technician")
        answer = browser.get("/admin/setup/camera/picture", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (503, "no_picture")


def test_each_step_is_for_its_roles(state: Path) -> None:
    with office(state) as place:
        technician = place.signed_in("technician")
        supervisor = place.signed_in("supervisor", name="Bob")
        for name, one in (("organisation", supervisor), ("test", supervisor), ("terminal", technician), ("camera", technician)):
            other = technician if one is supervisor else supervisor
            assert (one.get(f"/admin/setup/{name}").status_code, other.get(f"/admin/setup/{name}").status_code) == (200, 403)


def test_the_name_stays_where_a_certificate_is_made_out_to_it(state: Path) -> None:
    with office(state) as place:
        browser = place.signed_in("technician")
        (state / "terminal.pem").write_text("a certificate")
        assert "certificate is made out to it" in browser.get("/admin/setup/terminal").text
        browser.post("/admin/setup/terminal", {"name": "door-9", "zone": "Europe/Madrid"})
        assert (load().settings.terminal.id, load().settings.terminal.timezone) == ("terminal-1", "Europe/Madrid")
