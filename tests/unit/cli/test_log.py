"""The verbs log …: what was recorded, how it stands, and the proof."""

import json
import sqlite3
from datetime import date
from pathlib import Path

import pytest

from blinkd.attendance.punch import PersonStatus
from blinkd.errors import EnrolmentRefused
from blinkd.settings import AttendanceSettings
from blinkd.store.database import DATABASE_FILE
from blinkd.store.dossier import dossier
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of, old_database, open_store

DESIGN = ["id", "seq", "person_id", "name", "timestamp", "status", "punctuality", "clock", "sync", "terminal"]
BY = ("--by", "S-7", "--why", "the camera was dark")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Ann in and out, Bo in by a clock in 1970."""
    folder, clock = tmp_path / "state", SetClock()
    with open_store(folder) as store:
        store.people.enrol("A", "Ann [b]", [])
        store.people.enrol("B", "Bo", [])
        clerk = clerk_of(store, clock, AttendanceSettings(min_interval_s=0))
        clerk.attend("A", 0.7, {})
        clock.wait(hours=8)
        clerk.attend("A", 0.7, {})
        clock.reboot()
        clock.utc, clock.confidence = clock.utc.replace(year=1970), "unsynced"
        clerk.attend("B", 0.7, {})
    return folder


def log(*arguments: str, state: Path) -> Answer:
    return blinkd("log", *arguments, state=state, BLINKD_TERMINAL__TIMEZONE="Europe/Madrid", COLUMNS="300")


def lines(*arguments: str, state: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log(*arguments, "--json", state=state).out.splitlines()]


def test_a_line_begins_with_the_members_of_the_design_and_says_how_sure_the_time_is(state: Path) -> None:
    found = lines(state=state)
    assert [list(line)[: len(DESIGN)] for line in found] == [DESIGN] * 3
    assert [(line["seq"], line["name"], line["status"], line["clock"], line["certainty"], line["state"]) for line in found] == [
        (1, "Ann [b]", "CHECK_IN", "synced", "certain", "valid"),
        (2, "Ann [b]", "CHECK_OUT", "synced", "certain", "valid"),
        (3, "Bo", "CHECK_IN", "unsynced", "uncertain", "valid"),
    ]
    words = log(state=state).out
    assert "Ann [b]" in words
    assert "time uncertain" in words


def test_corrections_show_beside_what_was_recorded(state: Path) -> None:
    assert log("amend", "1", "--time", "2026-03-02T08:30", "--status", "CHECK_IN", *BY, state=state).code == 0
    assert log("void", "2", *BY, state=state).code == 0
    assert log("add", "A", "2026-03-02T16:00", "CHECK_OUT", *BY, state=state).code == 0
    first, second, third, added = lines(state=state)
    assert (first["state"], first["timestamp"], first["recorded"]) == (
        "amended",
        "2026-03-02T07:30:00+00:00",
        {"timestamp": "2026-03-02T08:00:00+00:00", "status": "CHECK_IN"},
    )
    assert second["state"] == "voided"
    assert third["state"] == "valid"
    assert (added["seq"], added["state"], added["person_id"], added["status"]) == (6, "added", "A", "CHECK_OUT")
    assert [one["why"] for one in first["corrections"]] == ["the camera was dark"]  # type: ignore[attr-defined]
    assert "void by S-7: the camera was dark" in log(state=state).out
    assert log("uphold", "2", *BY, state=state).code == 0
    assert lines(state=state)[1]["state"] == "valid"
    assert log("verify", state=state).code == 0


def test_the_span_is_of_the_time_that_holds_now(state: Path) -> None:
    log("amend", "1", "--time", "2026-03-01T08:30", *BY, state=state)
    assert [line["seq"] for line in lines("--since", "2026-03-01", "--until", "2026-03-02", "--person", "A", state=state)] == [1]
    assert [line["seq"] for line in lines("--since", "2026-03-02", "--until", "2026-03-03", "--person", "A", state=state)] == [2]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("void", "9", *BY), 1, "no punch of this book"),
        (("void", "99999999999999999999", *BY), 2, "SEQ"),
        (("void", "1", "--by", "S-7"), 2, "--why"),
        (("add", "A", "2026-10-25T02:30", "CHECK_OUT", *BY), 1, "comes twice that night"),
        (("amend", "1", "--time", "2026-03-29T02:30", *BY), 1, "does not come that night"),
        (("void", "1", "--by", " ", "--why", "x"), 1, "--by"),
        (("amend", "1", *BY), 1, "nothing to amend"),
        (("amend", "1", "--time", "noon", *BY), 2, "is no time"),
        (("add", "Z", "2026-03-02T08:00", "CHECK_IN", *BY), 1, "nobody has the id 'Z'"),
        (("add", "A", "2026-03-02T08:00", "IN", *BY), 2, "CHECK_IN"),
        (("disown", "1"), 1, "supervisor"),
        (("verify", "--head", "7"), 2, "hexadecimal"),
        (("verify", "--public-key", "abc"), 2, "hexadecimal"),
        (("import", "none.csv", *BY), 1, "cannot be read"),
    ],
)
def test_what_is_refused_says_why(state: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = log(*arguments, state=state)
    assert done.code == code, done.err
    assert said in done.err
    assert log("verify", "--json", state=state).json["entries"] == 4


def test_verify_proves_the_book_and_prints_a_head_that_can_be_noted(state: Path) -> None:
    whole = log("verify", "--json", state=state)
    assert whole.code == 0
    assert whole.json["ok"] is True
    assert whole.json["anchors"] == ["book.head: entry 3"]
    head = f"{whole.json['head']['seq']}:{whole.json['head']['hash']}"
    log("void", "2", *BY, state=state)
    assert log("verify", "--head", head, state=state).code == 0
    raw = sqlite3.connect(state / DATABASE_FILE)
    raw.execute("DROP TRIGGER punches_fixed")
    raw.execute("UPDATE punches SET us = us - 600000000 WHERE seq = 2")
    raw.commit()
    raw.close()
    edited = log("verify", "--json", state=state)
    assert edited.code == 1
    assert edited.json["first_bad"] == {"seq": 2, "reason": "its content was edited"}
    assert "entry 2: its content was edited" in log("verify", state=state).out


def test_a_book_whose_length_nobody_noted_is_not_called_whole(state: Path) -> None:
    (state / "book.head").unlink()
    done = log("verify", "--json", state=state)
    assert (done.code, done.json["ok"], done.json["first_bad"]) == (1, False, None)
    assert "give --head" in done.json["warnings"][0]
    assert log("verify", "--head", "3:" + done.json["head"]["hash"], state=state).code == 0


def test_an_empty_book_is_whole(tmp_path: Path) -> None:
    done = log("verify", "--json", state=tmp_path)
    assert (done.code, done.json["ok"], done.json["entries"]) == (0, True, 0)


def test_people_who_were_exchanged_are_noticed(state: Path) -> None:
    raw = sqlite3.connect(state / DATABASE_FILE)
    first, second = (row[0] for row in raw.execute("SELECT subject FROM people ORDER BY id"))
    for subject, person_id in ((-1, "A"), (first, "B"), (second, "A")):
        raw.execute("UPDATE people SET subject = ? WHERE id = ?", (subject, person_id))
    raw.commit()
    raw.close()
    done = log("verify", "--json", state=state)
    assert (done.code, done.json["first_bad"]["seq"]) == (1, 1)
    assert "'B'" in done.json["first_bad"]["reason"]


def test_a_person_who_was_renamed_in_the_database_is_noticed(state: Path) -> None:
    raw = sqlite3.connect(state / DATABASE_FILE)
    raw.execute("UPDATE people SET id = 'C' WHERE id = 'B'")
    raw.execute("UPDATE enrolments SET person_id = 'C' WHERE person_id = 'B'")
    raw.commit()
    raw.close()
    assert log("verify", "--json", state=state).json["first_bad"]["seq"] == 3


def test_people_who_were_exchanged_and_robbed_of_their_salts_are_noticed(state: Path) -> None:
    """As if an older version had enrolled them, which knew no salts."""
    raw = sqlite3.connect(state / DATABASE_FILE)
    first, second = (row[0] for row in raw.execute("SELECT subject FROM people ORDER BY id"))
    for subject, person_id in ((-1, "A"), (first, "B"), (second, "A")):
        raw.execute("UPDATE people SET subject = ?, salt = NULL WHERE id = ?", (subject, person_id))
    raw.commit()
    raw.close()
    done = log("verify", "--json", state=state)
    assert (done.code, done.json["first_bad"]["seq"]) == (1, 1)


def test_a_person_who_vanished_from_the_database_is_noticed(state: Path) -> None:
    raw = sqlite3.connect(state / DATABASE_FILE)
    raw.execute("DELETE FROM enrolments WHERE person_id = 'B'")
    raw.execute("DELETE FROM people WHERE id = 'B'")
    raw.commit()
    raw.close()
    done = log("verify", "--json", state=state)
    assert (done.code, done.json["first_bad"]["seq"]) == (1, 3)
    assert "deleted" in done.json["first_bad"]["reason"]


@pytest.mark.parametrize("hours", ["id", "pseudonym", "erase"])
def test_a_person_who_was_deleted_by_command_leaves_a_book_that_is_proved(state: Path, hours: str) -> None:
    deleted = blinkd("people", "delete", "B", "--hours", hours, "--why", "left", "--by", "S-7", state=state)
    assert deleted.code == 0, deleted.err
    assert log("verify", "--json", state=state).code == 0


def test_people_of_an_older_version_are_proved_by_an_entry_and_cannot_be_exchanged(tmp_path: Path) -> None:
    old_database(tmp_path / DATABASE_FILE, 4)
    with open_store(tmp_path) as store:
        store.book.begin()
    whole = log("verify", "--json", state=tmp_path)
    assert (whole.code, whole.json["warnings"]) == (0, [])
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    (first, salt), (second, other) = raw.execute("SELECT subject, salt FROM people ORDER BY id").fetchall()
    for subject, kept, person_id in ((-1, None, "u1"), (first, salt, "u2"), (second, other, "u1")):
        raw.execute("UPDATE people SET subject = ?, salt = ? WHERE id = ?", (subject, kept, person_id))
    raw.commit()
    raw.close()
    done = log("verify", "--json", state=tmp_path)
    assert (done.code, "changed from outside" in done.json["first_bad"]["reason"]) == (1, True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TRIGGER punches_fixed", "trigger punches_fixed is missing"),
        ("CREATE TRIGGER late BEFORE INSERT ON chain BEGIN SELECT RAISE(IGNORE); END", "trigger late was put in"),
        ("CREATE VIEW hours AS SELECT 1", "view hours was put in"),
    ],
)
def test_changed_rules_of_the_database_are_noticed(state: Path, statement: str, said: str) -> None:
    raw = sqlite3.connect(state / DATABASE_FILE)
    raw.execute(statement)
    raw.commit()
    raw.close()
    done = log("verify", "--json", state=state)
    assert (done.code, done.json["ok"], done.json["first_bad"]) == (1, False, None)
    assert said in done.json["warnings"][0]


def test_whoever_gets_an_id_that_was_somebody_elses_is_not_given_their_punches(state: Path) -> None:
    with open_store(state) as store:
        store.erasure.delete("A", "id", "S-7", "left", SetClock().now())
        with pytest.raises(EnrolmentRefused, match="give this person another id"):
            store.people.enrol("A", "Cy", [])
        store.people.enrol("C", "Cy", [])
        with store.transaction():
            for sql in (
                "PRAGMA defer_foreign_keys = 1",
                "UPDATE people SET id = 'A' WHERE id = 'C'",  # an older version allowed it
                "UPDATE enrolments SET person_id = 'A' WHERE person_id = 'C'",
            ):
                store.connection().execute(sql)
        held = dossier(store, "A", "terminal-1")
    assert (held["name"], held["punches"], held["entries"]) == ("Cy", [], [])
    assert [(line["seq"], line["person_id"], line["name"]) for line in lines(state=state)] == [
        (1, "A", None),
        (2, "A", None),
        (3, "B", "Bo"),
    ]


def test_a_book_that_was_thrown_away_for_a_new_one_is_spoken_of(state: Path) -> None:
    for file in state.glob(f"{DATABASE_FILE}*"):
        file.unlink()
    with open_store(state) as store:
        store.people.enrol("A", "Ann", [])
        clerk_of(store, SetClock()).attend("A", 0.7, {})
    done = log("verify", "--json", state=state)
    assert (done.json["entries"], done.json["first_bad"]) == (2, None)
    assert "another book" in done.json["warnings"][0]
    assert "entry 3" in done.json["warnings"][0]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE people SET name = CASE id WHEN 'A' THEN 'Bo' ELSE 'Ann' END",
        "UPDATE people SET valid_from = '2026-11-10' WHERE id = 'B'",
        "UPDATE people SET status = 'DEACTIVATED' WHERE id = 'A'",
        "UPDATE people SET status = 'ACTIVE', signature = (SELECT signature FROM people WHERE id = 'B') WHERE id = 'C'",
        "UPDATE people SET status = 'ACTIVE' WHERE id = 'C'",  # as it was when the enrolment was signed
        "UPDATE people SET signature = NULL WHERE id = 'A'",
    ],
)
def test_a_name_a_status_and_dates_that_were_changed_from_outside_are_noticed(state: Path, sql: str) -> None:
    with open_store(state) as store:
        store.people.enrol("C", "Cy", [])
        store.people.set_status("C", PersonStatus.DEACTIVATED)
        store.people.change("B", name="Bob", valid=(date(2026, 1, 1), None))
    assert log("verify", state=state).code == 0
    raw = sqlite3.connect(state / DATABASE_FILE)
    raw.execute(sql)
    raw.commit()
    raw.close()
    done = log("verify", "--json", state=state)
    assert (done.code, "changed from outside" in done.json["first_bad"]["reason"]) == (1, True)
