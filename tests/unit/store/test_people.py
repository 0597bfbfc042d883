import sqlite3
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.attendance.punch import PersonStatus
from blinkd.errors import EnrolmentRefused, KeyMissing, UnknownPerson
from blinkd.store.database import Store
from blinkd.store.dossier import dossier
from blinkd.store.naming import clean_name
from tests.unit.store.stores import MODEL, QUICK, open_store, punch, sample, vector


@pytest.mark.parametrize(
    "name",
    [
        "Zoë O'Neill",
        'Ann "the boss" Lee',
        "Robert'); DROP TABLE people;--",
        "' OR 1=1 --",
        "% _ \\ $1 ? :name {0}",
        "李小龍",
        "محمد",
        "علی\u200cرضا",  # Persian spells with the non-joiner
        "👩\u200d💻 Kim",
        "Ann ❤\ufe0f",
        "\U0001fae8 shaking face",  # newer than some Pythons' Unicode tables
        "-",
        "0",
        "x" * 200,
    ],
)
def test_a_name_is_stored_as_it_is_written(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", name, [])
        store.people.enrol("E-2", "Other", [])
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        assert store.people.get("E-1").name == name
        assert store.people.name_of("E-1") == name
        assert len(store.people.all()) == 2


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("  Ann \t  Lee ", "Ann Lee"),
        ("Ann\nLee", "Ann Lee"),
        ("Ann\r\n\u2028Lee\u00a0X", "Ann Lee X"),
        ("Zoe\u0308", "Zoë"),  # combining form
        (" " + "x" * 200 + " ", "x" * 200),
        ("e\u0301" * 200, "é" * 200),  # 400 code points that compose to 200
    ],
)
def test_white_space_and_combining_forms_are_made_one(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "empty"),
        (" \t\n\u3000", "empty"),
        ("x" * 201, "201 characters"),
        ("Ann\0", "U\\+0000"),
        ("Ann\x1b[31m", "U\\+001B"),
        ("Ann \u202egnp.exe", "U\\+202E"),
        ("Ann\u2066x", "U\\+2066"),
        ("Ann\u200b", "U\\+200B"),
        ("\ufeffAnn", "U\\+FEFF"),
        ("Ann\udcff", "U\\+DCFF"),  # what a wrongly encoded command line turns into
        ("Ann\ue000", "U\\+E000"),
        ("Ann\uffff", "U\\+FFFF"),
        ("\u200d", "nothing of the name shows"),
        ("\u0301\u0302", "nothing of the name shows"),
    ],
)
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(EnrolmentRefused, match=said) as refusal:
            store.people.enrol("E-1", name, [sample(1)])
        assert refusal.value.reason == "bad_name"
        assert store.people.all() == []


@given(st.text(max_size=250))
def test_what_is_accepted_is_short_composed_visible_and_stays_so(name: str) -> None:
    try:
        cleaned = clean_name(name)
    except EnrolmentRefused as refusal:
        assert refusal.reason == "bad_name"
        return
    assert 0 < len(cleaned) <= 200
    assert cleaned == cleaned.strip() == unicodedata.normalize("NFC", cleaned)
    assert clean_name(cleaned) == cleaned
    assert not any(unicodedata.category(character) in ("Cc", "Cs") or character in "\u202d\u202e" for character in cleaned)


@pytest.mark.parametrize("person_id", ["E-1", "0", "a.b_c-d", "A" * 64, "4f8c1a52-0d0e-4a43-8a9e-6f8f1d1c2b3a"])
def test_good_ids_are_taken(tmp_path: Path, person_id: str) -> None:
    with open_store(tmp_path) as store:
        assert store.people.enrol(person_id, "Ann", []).id == person_id


@pytest.mark.parametrize(
    "person_id", ["", " ", ".hidden", "-x", "a/b", "a b", "a\n", "é", "A" * 65, "a\0", "'; DROP TABLE people", "a#", "a+"]
)
def test_bad_ids_are_refused(tmp_path: Path, person_id: str) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(EnrolmentRefused) as refusal:
            store.people.enrol(person_id, "Ann", [])
        assert refusal.value.reason == "bad_id"
        assert store.people.all() == []


def test_an_id_is_given_once(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
        with pytest.raises(EnrolmentRefused) as refusal:
            store.people.enrol("E-1", "Bo", [sample(2)])
        assert refusal.value.reason == "id_exists"
        assert (store.people.get("E-1").name, store.people.get("E-1").templates) == ("Ann", 1)


def test_nobody_is_unknown_everywhere(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.people.find("E-9") is None
        assert store.people.name_of("E-9") == "E-9"
        for ask in (
            lambda: store.people.get("E-9"),
            lambda: store.people.erase("E-9", keep_id=True),
            lambda: dossier(store, "E-9", "t-1"),
            lambda: store.people.change("E-9", name="Ann"),
            lambda: store.people.withdraw("E-9"),
            lambda: store.people.set_status("E-9", PersonStatus.ACTIVE),
            lambda: store.people.add_templates("E-9", [sample(1)]),
        ):
            with pytest.raises(UnknownPerson, match="E-9"):
                ask()
        assert store.people.count_templates() == 0


def test_templates_come_back_by_model_in_their_order(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1), sample(2)])
        store.people.enrol("E-2", "Bo", [sample(3, 128, "other@1")])
        store.people.add_templates("E-1", [sample(4)])
    with Store.open(tmp_path, QUICK, read_only=True) as store:
        found = list(store.people.templates(MODEL))
        assert [template.person_id for template in found] == ["E-1"] * 3
        for template, seed in zip(found, (1, 2, 4), strict=True):
            np.testing.assert_array_equal(template.vector, vector(seed))
        assert [template.vector.shape for template in store.people.templates("other@1")] == [(128,)]
        assert store.people.count_templates() == 4


def test_a_status_is_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [])
        assert store.people.set_status("E-1", PersonStatus.DEACTIVATED).status is PersonStatus.DEACTIVATED
        member = store.book.member("E-1")
        assert member is not None
        assert member.status is PersonStatus.DEACTIVATED
        assert store.book.member("E-9") is None


def test_deleting_a_person_keeps_the_punches(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        subject = store.people.enrol("E-1", "Ann", [sample(1), sample(2)]).subject
        store.book.append_punch(replace(punch(1), subject=subject))
        assert len(store.people.kept_templates("E-1")) == 2
        assert store.people.erase("E-1", keep_id=True).templates == 2
        assert store.people.count_templates() == 0
        assert [row.person_id for row in store.book.punches()] == ["E-1"]


def test_no_file_holds_a_vector_in_the_clear_nor_a_deleted_name(tmp_path: Path) -> None:
    vectors = [vector(seed) for seed in range(5)]

    def stored() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.iterdir())

    def clear(content: bytes) -> list[int]:
        plain = [(vector.astype("<f4").tobytes(), vector.astype("<f8").tobytes()) for vector in vectors]
        # a piece is enough to notice a page break in the middle
        return [seed for seed, forms in enumerate(plain) if any(form[at : at + 64] in content for form in forms for at in (0, 320, 640))]

    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Xanthippe Quill", [sample(seed) for seed in range(5)])
        assert clear(stored()) == []
        assert b"Xanthippe" in stored()
        sealed = [bytes(row[0]) for row in _sealed(store)]
        assert all(piece[:64] in stored() for piece in sealed)
        store.people.erase("E-1", keep_id=True)
        assert clear(stored()) == []
        assert b"Xanthippe" not in stored()
        assert not any(piece[13:77] in stored() for piece in sealed)
    assert clear(stored()) == []


def _sealed(store: Store) -> list[tuple[bytes]]:
    raw = sqlite3.connect(store.path)
    try:
        return list(raw.execute("SELECT sealed FROM templates"))
    finally:
        raw.close()


def test_a_missing_key_is_made_for_the_first_template_only(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-0", "Zoe", [])
        assert list(store.people.templates(MODEL)) == []
        store.people.enrol("E-1", "Ann", [sample(1)])
    (tmp_path / "template.key").unlink()
    for read_only in (True, False):
        with Store.open(tmp_path, QUICK, read_only=read_only) as store, pytest.raises(KeyMissing, match="is missing"):
            list(store.people.templates(MODEL))
    with open_store(tmp_path) as store:
        with pytest.raises(KeyMissing, match="is missing"):
            store.people.enrol("E-2", "Bo", [sample(2)])
        assert store.people.find("E-2") is None
    assert not (tmp_path / "template.key").exists()


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.people.enrol("E-1", "Ann", [sample(1)])
    (tmp_path / "template.key").write_bytes(bytes(32))
    with open_store(tmp_path) as store, pytest.raises(KeyMissing, match="person E-1 does not open"):
        list(store.people.templates(MODEL))
