"""The verbs people set, consent, delete, receipt, export, and upkeep."""

import json
import stat
from pathlib import Path

import pytest

from tests.integration.faces.commands import Answer, blinkd
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of, open_store, sample


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with open_store(folder) as store:
        store.people.enrol("A", "Ann [b]", [sample(1)])
        store.people.enrol("B", "Bo", [])
        clerk_of(store, SetClock()).attend("A", 0.7, {})
    return folder


def people(*arguments: str, state: Path) -> Answer:
    return blinkd("people", *arguments, state=state, COLUMNS="200")


def test_set_changes_name_dates_and_groups_and_list_filters_by_them(state: Path) -> None:
    changed = people("set", "A", "--name", "Ann Lee", "--valid-from", "2026-01-01", "--group", "Night", "--json", state=state).json
    assert (changed["name"], changed["valid_from"], changed["valid_until"], changed["groups"]) == ("Ann Lee", "2026-01-01", None, ["Night"])
    assert people("set", "A", "--valid-until", "2026-12-31", "--json", state=state).json["valid_from"] == "2026-01-01"  # stays
    assert [one["id"] for one in people("list", "--group", "Night", "--json", state=state).json] == ["A"]
    assert people("list", "--group", "Day", "--json", state=state).json == []
    assert "2026-01-01 to 2026-12-31" in people("list", state=state).out
    people("deactivate", "B", state=state)
    assert [one["id"] for one in people("list", "--status", "DEACTIVATED", "--json", state=state).json] == ["B"]
    people("set", "A", "--no-limit", "--no-group", "Night", state=state)
    assert people("list", "--json", state=state).json[0]["groups"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("set", "A"), 2, "nothing to change"),
        (("set", "A", "--no-limit", "--valid-from", "2026-01-01"), 2, "not both"),
        (("set", "A", "--valid-from", "soon"), 2, "is no date"),
        (("set", "A", "--valid-from", "2026-02-01", "--valid-until", "2026-01-01"), 1, "the end lies before the start"),
        (("set", "Z", "--name", "x"), 1, "'Z'"),
        (("set", "A", "--group", " "), 1, "group is empty"),
        (("delete", "Z"), 1, "'Z'"),
        (("delete", "A", "--hours", "some"), 2, "pseudonym"),
        (("delete", "A", "--why", "Ann left"), 1, "names the person"),
        (("consent", "Z", "--withdrawn"), 1, "'Z'"),
        (("export", "Z"), 1, "nothing is held under it"),
        (("export", "A", "--out", "/nowhere/a.json"), 1, "cannot be written"),
        (("receipt", "none.json"), 1, "cannot be read"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(state: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = people(*arguments, state=state)
    assert done.code == code, done.err
    assert said in done.err
    assert [one["templates"] for one in people("list", "--json", state=state).json] == [1, 0]


def test_a_deletion_gives_a_receipt_that_can_be_checked(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    done = people("delete", "A", "--by", "HR", "--receipt", str(path), "--json", state=state).json
    assert (done["id"], done["deleted"], done["templates_erased"], done["hours"]) == ("A", True, 1, "pseudonym")
    assert json.loads(path.read_text()) == done["receipt"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    checked = people("receipt", str(path), "--json", state=state)
    assert (checked.code, checked.json["ok"], checked.json["in_this_book"]) == (0, True, True)
    log = json.loads(blinkd("log", "--json", state=state).out)
    assert (log["person_id"], log["name"]) == (done["receipt"]["pseudonym"], None)
    assert people("receipt", str(path), "--json", state=tmp_path / "elsewhere").json["in_this_book"] is None
    path.write_text(path.read_text().replace('"HR"', '"HX"'))
    assert "altered" in people("receipt", str(path), state=state).err
    assert blinkd("log", "verify", state=state).code == 0


def test_delete_without_more_words_still_works(state: Path) -> None:
    done = people("delete", "A", state=state)
    assert done.code == 0, done.err
    assert "name and 1 template(s) erased; punches stay as those of p-" in done.out
    assert people("delete", "B", "--hours", "id", "--json", state=state).json["hours"] == "id"
    assert people("list", "--json", state=state).json == []


def test_consent_can_be_withdrawn(state: Path) -> None:
    assert people("consent", "A", "--withdrawn", "--by", "HR", "--json", state=state).json["templates_erased"] == 1
    (ann, _) = people("list", "--json", state=state).json
    assert (ann["status"], ann["templates"]) == ("DEACTIVATED", 0)
    assert people("consent", "A", "--json", state=state).json["enrolments"][0]["kind"] == "new"


def test_a_person_gets_all_that_is_held(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "ann.json"
    assert people("export", "A", "--out", str(path), state=state).code == 0
    held = json.loads(path.read_text())
    assert (held["name"], len(held["punches"]), len(held["scans"]), "vectors" in held) == ("Ann [b]", 1, 1, False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_upkeep_says_what_it_did_and_doctor_when_it_last_ran(state: Path) -> None:
    trusted = {"BLINKD_TERMINAL__TRUST_HARDWARE_CLOCK": "true", "BLINKD_PRIVACY__PUNCHES_DAYS": "31"}
    dry = blinkd("upkeep", "--dry-run", "--json", state=state, **trusted)
    assert (dry.json["punches"], dry.json["scans"], dry.json["dry_run"]) == (1, 1, True)
    done = blinkd("upkeep", "--json", state=state, **trusted)
    assert (done.code, done.json["punches"]) == (0, 1)
    assert blinkd("log", "--json", state=state).out == ""
    assert blinkd("log", "verify", "--json", state=state).json["erased"] == 1
    found = blinkd("upkeep", state=state, **trusted)
    assert "the database is sound" in found.out
