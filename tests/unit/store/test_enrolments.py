"""What is kept of each enrolment: consent, decision, counts and time, and that it goes with the person."""

from datetime import datetime
from pathlib import Path

import pytest

from blinkd.errors import EnrolmentRefused, StoreError, UnknownPerson
from blinkd.identity.grounds import Grounds
from blinkd.store.database import Store
from blinkd.store.dossier import dossier
from tests.unit.store.stores import MODEL, QUICK, open_store, rows, sample, vector
from tests.unit.store.test_disk import full_disk


def test_each_enrolment_leaves_a_record_that_export_tells(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)], Grounds(consent=" signed \n form 12 "))
        store.people.add_templates("E-1", [sample(2), sample(3)], Grounds(own_similarity=0.7, decision="same_person"))
        grounds = Grounds(consent="by mail", own_similarity=0.31, lookalike_id="E-9", lookalike_similarity=0.66, decision="allowed")
        store.people.replace_templates("E-1", [sample(4)], grounds)
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        told = store.people.enrolments("E-1")
        assert dossier(store, "E-1", "t-1")["enrolments"] == told
    times = [datetime.fromisoformat(record.pop("at")) for record in told]
    assert times == sorted(times)
    assert all(time.utcoffset() is not None for time in times)
    nobody = {"lookalike": None}
    assert told == [
        {"kind": "new", "moments": 1, "replaced": 0, "consent": "signed form 12", "own_similarity": None, "decision": "none_needed"}
        | nobody,
        {"kind": "added", "moments": 2, "replaced": 0, "consent": None, "own_similarity": 0.7, "decision": "same_person"} | nobody,
        {
            "kind": "refreshed",
            "moments": 1,
            "replaced": 3,
            "consent": "by mail",
            "own_similarity": 0.31,
            "decision": "allowed",
            "lookalike": {"person_id": "E-9", "name": "E-9", "similarity": 0.66},
        },
    ]


def test_a_refresh_puts_the_new_templates_in_the_place_of_all_old_ones(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1), sample(2, 128, "other@1")])
        store.people.enrol("E-2", "Bo", [sample(3)])
        old = [bytes(row[0]) for row in rows(tmp_path, "SELECT sealed FROM templates WHERE person_id = 'E-1'")]
        assert store.people.replace_templates("E-1", [sample(4)], Grounds(consent="form")).templates == 1
        found = {template.person_id: template.vector.tolist() for template in store.people.templates(MODEL)}
        assert found == {"E-1": vector(4).tolist(), "E-2": vector(3).tolist()}
        assert list(store.people.templates("other@1")) == []
        stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert not any(piece[13:77] in stored for piece in old), "overwritten in every file"


def test_a_refresh_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        with full_disk(store), pytest.raises(StoreError, match="disk is full"):
            store.people.replace_templates("E-1", [sample(seed) for seed in range(200)], Grounds(consent="form"))
        with pytest.raises(EnrolmentRefused) as refused:
            store.people.replace_templates("E-1", [sample(2)], Grounds(consent="evil\u202eform"))
        assert refused.value.reason == "bad_consent"
        with pytest.raises(UnknownPerson):
            store.people.replace_templates("E-9", [sample(2)], Grounds(consent="form"))
        assert [template.vector.tolist() for template in store.people.templates(MODEL)] == [vector(1).tolist()]
        assert [record["kind"] for record in store.people.enrolments("E-1")] == ["new"]


def test_a_deleted_person_takes_the_records_along(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)], Grounds(consent="signed by Wilhelmina"))
        store.people.erase("E-1", keep_id=True)
        assert rows(tmp_path, "SELECT count(*) FROM enrolments") == [(0,)]
        assert all(b"Wilhelmina" not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("consent", "said"), [("", "empty"), ("x" * 501, "501 characters"), ("a\x07b", r"U\+0007"), ("\u200d", "nothing of the consent")]
)
def test_a_consent_that_cannot_be_shown_is_refused(tmp_path: Path, consent: str, said: str) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(EnrolmentRefused, match=said):
            store.people.enrol("E-1", "Ann", [sample(1)], Grounds(consent=consent))
        assert store.people.find("E-1") is None


def test_what_a_refresh_erases_leaves_the_files_at_the_end_of_the_transaction_around_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        (old,) = [bytes(row[0]) for row in rows(tmp_path, "SELECT sealed FROM templates")]
        with store.people.exclusive():
            store.people.replace_templates("E-1", [sample(2)], Grounds(consent="form"))
        assert old[13:77] not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert caplog.text == ""


def test_a_transaction_that_is_undone_erases_nothing(tmp_path: Path) -> None:
    class ChangedMind(Exception):
        pass

    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        with pytest.raises(ChangedMind), store.people.exclusive():
            store.people.replace_templates("E-1", [sample(2)], Grounds(consent="form"))
            raise ChangedMind
        assert [template.vector.tolist() for template in store.people.templates(MODEL)] == [vector(1).tolist()]
        assert [record["kind"] for record in store.people.enrolments("E-1")] == ["new"]
