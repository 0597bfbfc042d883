"""PINs and badges in the database."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.crypto.pins import code_digest, hash_pin, new_code
from blinkd.errors import KeyMissing, NotAllowed, PinRefused, UnknownPerson
from blinkd.settings import StoreSettings
from blinkd.store.credentials import CREDENTIAL, MOST
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import sample

NOW = SetClock().now()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, StoreSettings()) as opened:
        for id_, name in (("E-1", "Ann"), ("E-2", "Bob")):
            opened.people.enrol(id_, name, [])
        yield opened


def test_one_pin_a_person_and_the_newer_takes_the_place_of_the_older(store: Store) -> None:
    assert store.credentials.pin_of("E-1") is None
    store.credentials.set_pin("E-1", "first", "boss", NOW)
    store.credentials.set_pin("E-1", "second", "boss", NOW)
    assert store.credentials.pin_of("E-1") == "second"
    assert store.credentials.pin_holders() == ["E-1"]
    assert [one["kind"] for one in store.credentials.kept("E-1")] == ["pin"]


def test_neither_hash_nor_code_nor_anything_to_find_them_by_lies_in_the_file(store: Store, tmp_path: Path) -> None:
    hashed, digest = hash_pin("928471"), code_digest(new_code())
    store.credentials.set_pin("E-1", hashed, "boss", NOW)
    store.credentials.add_badge("E-1", digest, "boss", NOW, replace=True)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("blinkd.db*"))
    for secret in (hashed.encode(), digest.encode(), bytes.fromhex(digest), hashed.split("$")[-1].encode()):
        assert secret not in content


def test_the_book_says_who_gave_and_took_what_and_never_what_it_was(store: Store) -> None:
    store.credentials.set_pin("E-1", "the hash", "Boss", NOW)
    store.credentials.add_badge("E-1", code_digest(new_code()), "Boss", NOW, replace=True)
    assert store.credentials.take_away("E-1", "badge", "Other Boss", NOW) == 1
    assert store.credentials.take_away("E-1", "badge", "Other Boss", NOW) == 0
    said = [(content["what"], content["by"]) for _, content, _ in store.book.entries(CREDENTIAL)]
    assert said == [("pin_given", "Boss"), ("badge_given", "Boss"), ("badge_taken", "Other Boss")]
    assert "the hash" not in str(list(store.book.entries(CREDENTIAL)))
    with pytest.raises(NotAllowed):
        store.credentials.set_pin("E-1", "x", "", NOW)


def test_a_badge_is_one_persons(store: Store) -> None:
    digest = code_digest(new_code())
    store.credentials.add_badge("E-1", digest, "boss", NOW, replace=True)
    with pytest.raises(PinRefused, match="somebody else"):
        store.credentials.add_badge("E-2", digest, "boss", NOW, replace=True)
    assert store.credentials.holders_of(digest) == ["E-1"]
    other = code_digest(new_code())
    store.credentials.add_badge("E-1", other, "boss", NOW, replace=True)
    assert (store.credentials.holders_of(digest), store.credentials.holders_of(other)) == ([], ["E-1"])


def test_a_person_has_so_many_and_no_more(store: Store) -> None:
    for _ in range(MOST):
        store.credentials.add_badge("E-1", code_digest(new_code()), "boss", NOW, replace=False)
    with pytest.raises(PinRefused, match=re.escape("--revoke")):
        store.credentials.add_badge("E-1", code_digest(new_code()), "boss", NOW, replace=False)
    assert len(store.credentials.kept("E-1")) == MOST


def test_nobody_can_be_given_a_pin_who_is_not_there(store: Store) -> None:
    with pytest.raises(UnknownPerson, match="E-9"):
        store.credentials.set_pin("E-9", "x", "boss", NOW)


def test_they_go_with_the_person(store: Store) -> None:
    digest = code_digest(new_code())
    store.credentials.set_pin("E-1", "x", "boss", NOW)
    store.credentials.add_badge("E-1", digest, "boss", NOW, replace=True)
    store.people.erase("E-1", keep_id=False)
    assert (store.credentials.pin_holders(), store.credentials.holders_of(digest)) == ([], [])


def test_a_record_that_was_moved_to_somebody_else_opens_nothing(store: Store) -> None:
    store.credentials.set_pin("E-1", "the hash", "boss", NOW)
    store.connection().execute("UPDATE credentials SET person_id = 'E-2'")
    store.connection().execute("INSERT INTO credential_holders VALUES ('E-2')")
    with pytest.raises(KeyMissing, match="E-2"):
        store.credentials.pin_of("E-2")


def test_templates_and_pins_share_one_key_whichever_came_first(store: Store, tmp_path: Path) -> None:
    store.credentials.set_pin("E-1", "the hash", "boss", NOW)
    (tmp_path / "template.key").rename(tmp_path / "elsewhere")
    with Store.open(tmp_path, StoreSettings()) as again:
        with pytest.raises(KeyMissing):
            again.people.add_templates("E-1", [sample(1)])
        with pytest.raises(KeyMissing):
            again.credentials.set_pin("E-2", "another", "boss", NOW)
    assert not (tmp_path / "template.key").exists()
