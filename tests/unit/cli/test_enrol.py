"""Usage of enroll, and refusals that need no face."""

from pathlib import Path

import pytest

from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from tests.integration.faces.commands import blinkd
from tests.unit.store.stores import sample


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with Store.open(folder, StoreSettings()) as store:
        store.people.enrol("A", "Ann", [sample(1, model="mobilefacenet")])
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--refresh", "--image", "a.jpg", "--consent", "form"), "--refresh needs the --id"),
        (("--refresh", "--add", "--id", "A", "--image", "a.jpg"), "not both"),
        (("--refresh", "--id", "A", "--consent", "form"), "exactly one of"),
    ],
)
def test_refresh_is_used_with_an_id_and_something_to_look_at(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = blinkd("enroll", *arguments, state=tmp_path / "state", COLUMNS="200")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("consent", [(), ("--consent", "  ")])
def test_a_refresh_without_consent_is_refused_before_any_picture_is_looked_at(state: Path, consent: tuple[str, ...]) -> None:
    done = blinkd("enroll", "--refresh", "--id", "A", "--image", "missing.jpg", *consent, "--json", state=state)
    assert done.code == 1
    assert done.json["success"] is False
    assert done.json["reason"] == ("bad_consent" if consent else "no_consent")
    assert "--consent" in done.json["message"]


def test_a_refresh_of_nobody_is_an_error(state: Path) -> None:
    done = blinkd("enroll", "--refresh", "--id", "Z", "--image", "missing.jpg", "--consent", "form", "--json", state=state)
    assert (done.code, done.out) == (1, "")
    assert "'Z'" in done.err


@pytest.mark.parametrize(("option", "text", "reason"), [("--label", "x" * 41, "bad_label"), ("--consent", "a\u202eb", "bad_consent")])
def test_words_that_cannot_be_shown_are_refused(state: Path, option: str, text: str, reason: str) -> None:
    done = blinkd("enroll", "--name", "Bo", "--image", "missing.jpg", option, text, "--json", state=state)
    assert (done.code, done.json["reason"]) == (1, reason)


def test_an_import_with_a_consent_that_cannot_be_shown_enrols_nobody(state: Path) -> None:
    done = blinkd("import", state, "--consent", "\x07", state=state)
    assert (done.code, done.out) == (1, "")
    assert "U+0007" in done.err
