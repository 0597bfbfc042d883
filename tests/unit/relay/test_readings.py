"""What the relay reads out for a browser: only what is connected, newest first, of one organisation, in bounded pages."""

import json
from typing import Any

import pytest

from blinkd.crypto.chain import hash_of
from blinkd.crypto.encoding import b64
from blinkd.crypto.signing import Signer
from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.dashboard import readings as module
from blinkd.relay.dashboard.readings import Readings
from blinkd.sync.messages import SealedEntry, entry_signed
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender, keyring


@pytest.fixture
def readings(connections: OpenConnections) -> Readings:
    return Readings(connections)


def seqs(items: tuple[str, ...]) -> list[int]:
    return [json.loads(one)["seq"] for one in items]


def all_entries(readings: Readings, sender: Sender, limit: int) -> list[dict[str, Any]]:
    found, before = list[dict[str, Any]](), None
    while True:
        page = readings.entries(ORG, sender.name, sender.book, before, limit)
        assert page is not None and len({json.loads(one)["seq"] for one in page.items}) <= limit
        found += [json.loads(one) for one in page.items]
        if (before := page.following) is None:
            return found


def test_a_chain_comes_newest_first_page_by_page_as_it_was_sent(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority).write(23)
    core.attendance(sender.batch(0, 22))
    found = all_entries(readings, sender, 5)
    assert [one["seq"] for one in found] == list(range(22, -1, -1))
    for one in found:
        assert one.pop("prev") == b64(sender.hashes[one["seq"] - 1] if one["seq"] else bytes(32))
        assert SealedEntry.of(one) == sender.entries[one["seq"]]
    (terminal,) = readings.books(ORG)
    assert terminal["book"]["head"] == {"seq": 22, "hash": b64(sender.hashes[22])}
    assert terminal["book"]["first"] == sender.entries[0].to_json() | {"prev": b64(bytes(32))}


def test_what_lies_behind_a_gap_is_not_given_out_until_the_gap_is_closed(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority).write(12)
    core.attendance(sender.batch(0, 3))
    core.attendance(sender.batch(6, 11))
    (terminal,) = readings.books(ORG)
    book = terminal["book"]
    assert (book["state"], book["detail"], book["head"]["seq"], book["stored"]) == ("gap", "entry 4 is missing; 11 is here", 3, 11)
    assert [one["seq"] for one in all_entries(readings, sender, 100)] == [3, 2, 1, 0]
    core.attendance(sender.batch(4, 5))
    assert [one["seq"] for one in all_entries(readings, sender, 100)] == list(range(11, -1, -1))


def test_of_a_fork_both_branches_are_given_out_in_whole_numbers(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority).write(4)
    copy = sender.copy().write(3, mark=7)
    sender.write(5)
    core.attendance(sender.batch(0, 8))
    core.attendance(copy.batch(4, 6))
    (terminal,) = readings.books(ORG)
    assert terminal["book"]["state"] == "fork" and terminal["book"]["head"] == {"seq": 8, "hash": b64(sender.hashes[8])}
    for limit in (2, 3, 500):
        found = [one["seq"] for one in all_entries(readings, sender, limit)]
        assert found == [8, 7, 6, 6, 5, 5, 4, 4, 3, 2, 1, 0]


def test_a_page_is_bounded_in_bytes_and_yet_brings_something(
    core: Core, readings: Readings, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(authority).write(6)
    core.attendance(sender.batch(0, 5))
    monkeypatch.setattr(module, "MOST_PAGE_BYTES", 2500)
    page = readings.entries(ORG, sender.name, sender.book, None, 500)
    assert page is not None and (seqs(page.items), page.following) == ([5, 4], 4)
    monkeypatch.setattr(module, "MOST_PAGE_BYTES", 10)
    page = readings.entries(ORG, sender.name, sender.book, 4, 500)
    assert page is not None and (seqs(page.items), page.following) == ([3], 3)


def test_an_entry_without_its_content_says_why(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority).write(1)
    value = hash_of(sender.book, 1, sender.hashes[0], bytes(32))
    signature = sender.signer.sign(entry_signed(ORG, sender.name, value, bytes(32)))
    sender.hashes.append(value)
    sender.entries.append(SealedEntry(1, bytes(32), signature, None, "erased"))
    core.attendance(sender.batch(0, 1))
    newest = all_entries(readings, sender, 5)[0]
    assert (newest["envelope"], newest["missing"]) == (None, "erased")


def test_another_organisation_sees_nothing(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority).write(2)
    core.attendance(sender.batch(0, 1))
    core.people(sender.changes(sender.change("0" * 32, 0, 1)))
    assert readings.books("other") == []
    assert readings.entries("other", sender.name, sender.book, None, 5) is None
    assert readings.entries(ORG, "door-2", sender.book, None, 5) is None
    assert readings.people("other", 0, 5).items == ()
    assert readings.keyring("other") is None


def test_people_come_without_their_templates_and_with_their_deletions(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority)
    people = [sender.change(f"{number:032x}", 0, 1) for number in range(7)]
    templates = [sender.change(f"{number:032x}.{number:016x}", 0, 1, kind="template") for number in range(7)]
    core.people(sender.changes(*[one for pair in zip(people, templates, strict=True) for one in pair]))
    first = readings.people(ORG, 0, 500)
    version = json.loads(first.items[2])["version"]
    core.people(sender.changes(sender.change(people[2].id, version, 2, deleted=True)))
    found, since = list[dict[str, Any]](), 0
    while True:
        page = readings.people(ORG, since, 3)
        found += [json.loads(one) for one in page.items]
        if (following := page.following) is None:
            break
        since = following
    assert {one["type"] for one in found} == {"person"}
    assert [one["id"] for one in found] == [people[number].id for number in (0, 1, 3, 4, 5, 6, 2)]
    assert found[-1]["envelope"] is None and found[-1]["terminal"] == sender.name
    assert {name: found[0][name] for name in ("signature", "edit", "base")} == {
        name: people[0].to_json()[name] for name in ("signature", "edit", "base")
    }


def test_the_keyring_is_handed_out_as_it_was_brought(core: Core, readings: Readings, authority: Authority) -> None:
    sender, admin = Sender(authority), Signer(bytes(32))
    assert readings.keyring(ORG) is None
    core.people(sender.changes(sender.change("keyring", 0, 1, kind="keyring", opened=keyring(admin), admin=admin)))
    found = json.loads(readings.keyring(ORG) or "")
    assert found["open"] == keyring(admin) and found["terminal"] == sender.name


def test_a_terminal_that_has_sent_no_entry_is_there_without_a_book(core: Core, readings: Readings, authority: Authority) -> None:
    sender = Sender(authority)
    core.people(sender.changes(sender.change("0" * 32, 0, 1)))
    (terminal,) = readings.books(ORG)
    assert (terminal["terminal"], terminal["book"]) == (sender.name, None)
