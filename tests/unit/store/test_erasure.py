"""Deletion, withdrawn consent, and what a person is told: nothing of them is left but what the policy keeps."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.attendance.proof import in_order, prove
from blinkd.attendance.punch import PersonStatus, TurnedAway, pseudonym
from blinkd.attendance.receipt import read, sign
from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import microseconds
from blinkd.crypto.signing import Signer
from blinkd.errors import EnrolmentRefused, NotAllowed, StoreError, UnknownPerson
from blinkd.identity.grounds import Grounds
from blinkd.settings import AttendanceSettings
from blinkd.store.database import Store
from blinkd.store.dossier import dossier
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import MODEL, START, clerk_of, open_store, sample, vector
from tests.unit.store.test_disk import full_disk

NAME, ID = "Xanthippe Quill", "EMP-77123"
ANYTIME = AttendanceSettings(min_interval_s=0)


def lived(store: Store, clock: SetClock) -> int:
    """Somebody with templates, groups, dates, punches, corrections, a refusal, a shift, and a mention with somebody else. The pseudonym."""
    people, book = store.people, store.book
    subject = people.enrol(ID, NAME, [sample(1), sample(2)], Grounds(consent="signed form 12")).subject
    mention = Grounds(lookalike_id=ID, lookalike_similarity=0.66, decision="allowed")
    people.enrol("B", "Bo", [sample(3)], mention)
    people.change(ID, valid=(date(2026, 1, 1), None), join=["Night", "Line 2"])
    clerk = clerk_of(store, clock, ANYTIME)
    for _ in range(4):
        clock.wait(hours=1)
        clerk.attend(ID, 0.7, {"frames": 3})
    clerk.attend("B", 0.7, {})
    clerk.refuse("not_live", ID, 0.6, {})
    chief = Supervisor(book, clock, "S-7")
    chief.amend(3, f"{NAME} forgot the badge", clock.utc - timedelta(hours=3), None)
    chief.void(4, "twice")
    store.outbox.enqueue("user", ID, START)
    return subject


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.suffix != ".key")


def whole(store: Store) -> bool:
    entries, strays = store.book.audit()
    return prove(in_order(entries, strays), [], None).ok


def test_nothing_of_a_deleted_person_is_left_in_any_file_and_the_book_is_still_proved(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        subject = lived(store, clock)
        sealed = [bytes(row[0]) for row in store.connection().execute("SELECT sealed FROM templates WHERE person_id = ?", (ID,))]
        assert all(word in files(tmp_path) for word in (b"Xanthippe", ID.encode(), sealed[0][20:60]))
        receipt = store.erasure.delete(ID, "pseudonym", "HR", "contract ended", clock.now())
        left = files(tmp_path)
        for trace in (b"Xanthippe", b"Quill", ID.encode(), b"signed form 12", b"forgot the badge", *(one[20:60] for one in sealed)):
            assert trace not in left
        assert whole(store)
        assert [punch.person_id for punch in store.book.punches()] == [pseudonym(subject)] * 4 + ["B"]
        assert receipt.content["erased"] == {"templates": 2, "enrolments": 1, "groups": 2, "words": 2, "punches": 0}
        assert {scan["person_id"] for scan in store.scans.read()} == {pseudonym(subject), "B"}
        assert store.people.enrolments("B")[0]["lookalike"] == {"person_id": None, "name": None, "similarity": 0.66}
        assert store.people.count_templates() == 1
        assert [record for _, kind, record in store.outbox.pending(100) if kind == "user"] == []
        standing = [store.book.ledger().standing(punch).state for punch in store.book.punches()]
        assert standing == ["valid", "amended", "voided", "valid", "valid"]  # hours stay as they were corrected
        with pytest.raises(UnknownPerson):
            store.people.get(ID)
    assert b"Xanthippe" not in files(tmp_path)


def test_the_policies_keep_the_id_or_erase_the_hours_too(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path / "id") as store:
        lived(store, clock)
        store.erasure.delete(ID, "id", "HR", "contract ended", clock.now())
        assert [punch.person_id for punch in store.book.punches(person_id=ID)] == [ID] * 4
        assert b"Xanthippe" not in files(tmp_path / "id")
    with open_store(tmp_path / "erase") as store:
        subject = lived(store, clock)
        receipt = store.erasure.delete(ID, "erase", "HR", "contract ended", clock.now())
        assert receipt.content["erased"]["punches"] == 4
        assert [punch.person_id for punch in store.book.punches()] == ["B"]
        assert store.book.stamps(subject=subject).seq.tolist() == []
        assert [record for _, kind, record in store.outbox.pending(100) if kind == "punch"] == [next(store.book.punches()).id]
        assert whole(store)


def test_whoever_is_enrolled_again_is_another_pseudonym(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        before = lived(store, clock)
        store.erasure.delete(ID, "pseudonym", "HR", "contract ended", clock.now())
        assert store.people.enrol(ID, NAME, [sample(1)]).subject != before
        assert list(store.book.punches(person_id=ID)) == []


def test_a_receipt_is_checked_by_its_signature_and_by_the_book(tmp_path: Path) -> None:
    clock, path = SetClock(), tmp_path / "receipt.json"
    with open_store(tmp_path / "a") as store, open_store(tmp_path / "b") as other:
        lived(store, clock)
        other.book.begin()
        made = store.erasure.delete(ID, "pseudonym", "HR", "contract ended", clock.now()).as_json()
        path.write_text(json.dumps(made))
        receipt = read(path)
        assert (receipt.content["person_id"], store.erasure.holds(receipt), other.erasure.holds(receipt)) == (ID, True, None)
        for key, value in (("by", "somebody"), ("entry", 1), ("pseudonym", "p-1"), ("public_key", "00" * 32), ("receipt", "other")):
            path.write_text(json.dumps(made | {key: value}))
            with pytest.raises(NotAllowed, match=r"altered|no receipt"):
                read(path)
    for torn in ("", "{}", "[]", json.dumps(made)[:200], json.dumps(made | {"signature": "zz"})):
        path.write_text(torn)
        with pytest.raises(NotAllowed, match="torn, or no receipt"):
            read(path)
    with pytest.raises(NotAllowed, match="cannot be read"):
        read(tmp_path / "none.json")


def test_a_receipt_that_another_key_signed_or_that_tells_of_another_entry_is_not_held(tmp_path: Path) -> None:
    """The hashes of all entries stand in the database, for anyone who can read it to put into a receipt of their own."""
    clock = SetClock()
    with open_store(tmp_path / "a") as store:
        lived(store, clock)
        made = store.erasure.delete(ID, "pseudonym", "HR", "contract ended", clock.now())
        own, another = Signer.load(tmp_path / "a", create=False), Signer(bytes(32))
        head = store.book.head()
        assert head is not None
        store.book.append("clock", {"boot_id": "b", "boot_us": 0, "us": 0}, clock.now())
        later = store.book.head()
        assert later is not None
        elsewhere = {"entry": later.seq, "entry_hash": later.hash.hex()}
        assert store.erasure.holds(sign(made.content, own)) is True
        assert store.erasure.holds(sign(made.content, another)) is False
        for changed in (elsewhere, {"pseudonym": "p-1"}, {"hours": "erase"}, {"entry": 10**30}, {"entry": []}):
            assert store.erasure.holds(sign({**made.content, **changed}, own)) is False, changed


@pytest.mark.parametrize(
    "why", ["Quill left", f"see {ID}", f"about {ID.lower()}", "xanthippe, gone", "Quill's wish", "asked (Xanthippe)", "Quill; moved"]
)
def test_a_reason_that_names_the_person_is_refused(tmp_path: Path, why: str) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        lived(store, clock)
        before = store.book.head()
        with pytest.raises(NotAllowed, match="names the person"):
            store.erasure.delete(ID, "pseudonym", "HR", why, clock.now())
        with pytest.raises(UnknownPerson):
            store.erasure.delete("nobody", "pseudonym", "HR", "x", clock.now())
        assert store.book.head() == before
        assert store.people.get(ID).templates == 2


def test_a_full_disk_in_the_middle_of_a_deletion_leaves_everything(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        lived(store, clock)
        before = dossier(store, ID, "t-1", vectors=True)
        with full_disk(store), pytest.raises(StoreError, match="disk is full"):
            store.erasure.delete(ID, "erase", "HR" * 40, "w" * 500, clock.now())
            store.book.append("x", {"filler": "x" * 400_000}, clock.now())
        if store.people.find(ID) is not None:
            assert dossier(store, ID, "t-1", vectors=True) == before
        assert whole(store)


def test_withdrawn_consent_erases_templates_and_keeps_name_and_hours(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        lived(store, clock)
        assert store.erasure.withdraw(ID, "HR", "said so at the desk", clock.now()) == 2
        person = store.people.get(ID)
        assert (person.status, person.templates, person.name) == (PersonStatus.DEACTIVATED, 0, NAME)
        assert len(list(store.book.punches(person_id=ID))) == 4
        assert clerk_of(store, clock, ANYTIME).attend(ID, 0.7, {}) == TurnedAway("inactive")
        assert [(entry["kind"], entry["why"]) for entry in dossier(store, ID, "t-1")["entries"]] == [("withdrawal", "said so at the desk")]
        assert whole(store)


def test_a_person_is_told_everything_that_is_held(tmp_path: Path) -> None:
    clock = SetClock()
    with open_store(tmp_path) as store:
        subject = lived(store, clock)
        held = dossier(store, ID, "t-1", vectors=True)
        assert (held["name"], held["groups"], held["valid_from"], held["valid_until"]) == (NAME, ["Line 2", "Night"], "2026-01-01", None)
        assert (len(held["templates"]), len(held["punches"]), len(held["scans"])) == (2, 4, 5)
        assert held["enrolments"][0]["consent"] == "signed form 12"
        assert held["vectors"][MODEL][0] == pytest.approx(vector(1).tolist())
        assert "vectors" not in dossier(store, ID, "t-1")
        assert [one["why"] for one in held["punches"][1]["corrections"]] == [f"{NAME} forgot the badge"]
        assert json.dumps(held)
        store.erasure.delete(ID, "pseudonym", "HR", "contract ended", clock.now())
        left = dossier(store, pseudonym(subject), "t-1")
        assert (left["erased"], len(left["punches"]), left["entries"][0]["kind"]) == (True, 4, "deletion")
        with pytest.raises(UnknownPerson, match="nothing is held"):
            dossier(store, ID, "t-1")


def test_dates_and_groups_are_checked(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("A", "Ann", [])
        changed = store.people.change(
            "A", name=" Ann \n Lee ", valid=(date(2026, 1, 1), date(2026, 12, 31)), join=["Night", "Night", "Day"]
        )
        assert (changed.name, changed.valid_until, changed.groups) == ("Ann Lee", date(2026, 12, 31), ("Day", "Night"))
        assert store.people.change("A", valid=(None, None), leave=["Day", "none"]).groups == ("Night",)
        for wrong in (
            {"valid": (date(2026, 2, 1), date(2026, 1, 1))},
            {"valid": (date(1969, 12, 31), None)},
            {"valid": (None, date(2100, 1, 1))},
            {"name": " "},
            {"join": [""]},
            {"join": ["x" * 61]},
        ):
            refused: dict[str, Any] = wrong
            with pytest.raises(EnrolmentRefused):
                store.people.change("A", **refused)
        assert store.people.get("A").groups == ("Night",)
        assert microseconds(START) > 0
