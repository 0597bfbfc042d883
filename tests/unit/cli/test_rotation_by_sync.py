"""A rotation on the command line, beside sync processes that run on and know nothing of it until it comes to them by the relay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.crypto.encoding import b64
from blinkd.crypto.unlocked import load, load_file
from tests.unit.cli.passwords import OTHER, with_passwords
from tests.unit.store.stores import sample
from tests.unit.sync.doors import PASSWORD, Door, Organisation


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.connections.close()


@pytest.fixture
def doors(organisation: Organisation) -> Iterator[dict[str, Door]]:
    found = {name: organisation.door(name) for name in ("a", "b", "lost")}
    for door in found.values():
        (door.folder / "ca.pem").write_bytes(organisation.authority.ca_pem)
        door.store.registry.publish(f"terminal.{door.name}", "terminal", {"certificate": b64(door.certificate)})
    yield found
    for door in found.values():
        door.store.close()


def synced(*doors: Door) -> None:
    for _ in range(3):
        for door in doors:
            door.sync()


def test_a_rotation_reaches_the_sync_process_beside_it_the_other_door_and_not_the_lost_one(
    organisation: Organisation, doors: dict[str, Door]
) -> None:
    a, b, lost = doors.values()
    a.store.people.enrol("E-1", "Ann", [sample(1)])
    synced(a, b, lost)
    before = organisation.keyring.current
    done = with_passwords("keys", "rotate", "--revoke", "lost", "--json", state=a.folder, lines=(PASSWORD,), BLINKD_TERMINAL__ID="a")
    assert done.code == 0, done.err
    assert done.json["granted"] == ["a", "b"]
    synced(a, b)
    new = load_file(a.folder / "keyring.json").current
    assert new == done.json["epoch"] != before
    for door in (a, b):
        assert door.keyring.current == load(door.folder).current == new
        assert load_file(door.folder / "keyring.json").revision == 2
        assert before not in load(door.folder).roots, "what it sealed is sealed anew"
    sealed = [text for (text,) in organisation.rows("SELECT change FROM registry WHERE type IN ('person', 'template') AND NOT deleted")]
    assert len(sealed) == 2
    assert all(f'"kid":"{new}.' in text for text in sealed)
    b.store.people.change("E-1", name="Ann B")
    synced(b, a)
    assert a.people() == {"E-1": "Ann B"}
    lost.sync()
    assert new not in lost.keyring.roots


def test_a_new_password_reaches_the_other_door(doors: dict[str, Door]) -> None:
    a, b, _ = doors.values()
    synced(a, b)
    assert with_passwords("keys", "password", state=a.folder, lines=(PASSWORD, OTHER), BLINKD_TERMINAL__ID="a").code == 0
    synced(a, b)
    assert load_file(b.folder / "keyring.json") == load_file(a.folder / "keyring.json")
    assert with_passwords("keys", "rotate", state=b.folder, lines=(OTHER,), BLINKD_TERMINAL__ID="b").code == 0
    synced(b, a)
    assert a.keyring.current == b.keyring.current == load_file(a.folder / "keyring.json").current
