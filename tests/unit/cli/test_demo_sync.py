"""`blinkd demo --sync`: what it shows, that it finds out when it does not, and that nothing is left behind."""

import base64
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.cli import demo_site, demo_sync
from blinkd.cli.demo_site import Site, join, site, synchronise, unlocked
from blinkd.cli.relay_rows import SHORTEST_NEEDLE, entries, in_clear, read_entry, read_record, records
from blinkd.errors import DemoFailed, EnvelopeRejected
from blinkd.settings import Settings
from blinkd.store.database import Store
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.store.stores import sample

PASSWORD = "correct horse battery staple"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    with site(folder, "acme", PASSWORD) as running:
        yield running


@pytest.fixture
def shown(here: Site) -> Site:
    """Somebody made of numbers is enrolled at a door, and the relay has it."""
    settings = join(here, Settings(), "door", unlocked(here, PASSWORD))
    with Store.open(settings.state_dir, settings.store) as store:
        store.book.begin()
        store.people.enrol("E-77001", "Ann Example", [sample(1)])
        synchronise(settings, store)
    return here


def demonstrate(scratch: Path, *arguments: str) -> Answer:
    done = blinkd("demo", "--sync", *arguments, state=scratch.parent / "state", TMPDIR=str(scratch))
    assert list(scratch.iterdir()) == [], "the demonstration cleans up after itself"
    assert not (scratch.parent / "state").exists()
    return done


@pytest.fixture
def temporary(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary ones: Python looks for it once only, so the variable alone would come too late."""
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return scratch


def test_who_is_enrolled_at_the_first_door_is_let_in_at_the_second_and_the_relay_reads_nothing(media: Path, temporary: Path) -> None:
    assert media.is_dir()
    done = demonstrate(temporary, "--json")
    assert done.code == 0, done.err
    value: dict[str, Any] = done.json
    assert value["ok"]
    assert value["enrolled"]["terminal"] == "door-1"
    (punch,) = [event for event in value["events"] if event["event"] == "punch"]
    assert punch["person_id"] == value["enrolled"]["person_id"] == "E-1001"
    outside, inside = value["relay"], value["opened"]
    assert {(row["terminal"], row["seq"]) for row in outside["entries"]} >= {("door-1", 0), ("door-2", punch["seq"])}
    (opened,) = [row for row in inside["entries"] if row["content"]["kind"] == "punch"]
    assert (opened["terminal"], opened["seq"], opened["content"]["status"]) == ("door-2", punch["seq"], "CHECK_IN")
    (person,) = [row for row in inside["registry"] if row["type"] == "person"]
    assert (person["name"], person["subject"]) == ("Sam Sample", opened["content"]["subject"])
    assert "Sam Sample" not in str(outside) + str(value["traffic"])
    assert value["searched"] >= 4


def test_in_words_it_says_what_travels_and_shows_the_ciphertext(media: Path, temporary: Path) -> None:
    assert media.is_dir()
    done = demonstrate(temporary)
    assert done.code == 0, done.err
    for words in ("door-1: enrolled Sam Sample", "door-2: knows 0 people", "door-2: knows Sam Sample", "entry 2   1024 bytes"):
        assert words in done.out
    before, _, after = done.out.partition("reads in the same rows with its keys:")
    assert "Sam Sample" not in before[before.index("what the relay keeps") :]
    assert "punch: 2026-01-05 09:00:04 UTC  Sam Sample  CHECK_IN" in after
    assert done.err == ""


def test_nobody_recognised_is_a_failure_in_words(media: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert media.is_dir()
    monkeypatch.setattr(demo_sync, "DEMO_RECORDING", "no_face.mp4")
    done = demonstrate(temporary, "--json")
    assert (done.code, done.out) == (1, "")
    assert "door-2 has not recognised Sam Sample in no_face.mp4" in done.err


def test_a_relay_that_never_answers_is_a_failure_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_site, "_relay", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(demo_site, "SYNC_S", 0.2)
    with site(tmp_path, "acme", PASSWORD) as here:
        settings = join(here, Settings(), "door", unlocked(here, PASSWORD))
        with Store.open(settings.state_dir, settings.store) as store, pytest.raises(DemoFailed, match="door: the relay has not confirmed"):
            store.book.begin()
            synchronise(settings, store)


def test_without_the_brokers_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "amqtt"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("blinkd.sync.embedded", "blinkd.cli.demo_site", "blinkd.cli.demo_sync"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "amqtt", None)
    done = blinkd("demo", "--sync", state=tmp_path / "state")
    assert done.code == 1
    assert "needs the package amqtt" in done.err
    assert "./install.sh demo --sync" in done.err


def test_who_has_the_keys_reads_what_the_relay_holds(shown: Site) -> None:
    keys = unlocked(shown, PASSWORD)
    read = [read_record(row, keys) for row in records(shown.database)]
    assert [value["name"] for value in read if value is not None and "name" in value] == ["Ann Example"]
    assert [read_entry(row, keys)["kind"] for row in entries(shown.database)] == ["genesis"]


def test_nothing_opens_without_the_organisations_keys(shown: Site, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    with site(strange, "acme", PASSWORD) as other:
        keys = unlocked(other, PASSWORD)
    (row,) = entries(shown.database)
    with pytest.raises(EnvelopeRejected):
        read_entry(row, keys)


def test_a_secret_that_stands_in_clear_ends_the_demonstration(shown: Site) -> None:
    said: list[str] = []
    demo_sync._search(shown, [b"Ann Example", b"E-77001"], said.append)
    assert said
    with shown.database.transaction() as cursor:
        cursor.execute("UPDATE registry SET record = 'Ann Example' WHERE type = 'person'")
    with pytest.raises(DemoFailed, match="1 of 2 secrets"):
        demo_sync._search(shown, [b"Ann Example", b"E-77001"], said.append)


@given(before=st.binary(max_size=40), needle=st.binary(min_size=SHORTEST_NEEDLE, max_size=40), after=st.binary(max_size=40))
def test_what_stands_in_clear_is_found_as_it_is_and_in_base64(before: bytes, needle: bytes, after: bytes) -> None:
    text = before + needle + after
    assert in_clear([b"", text], [needle]) == [needle]
    assert in_clear([b'{"ciphertext":"' + base64.b64encode(text) + b'"}'], [needle]) == [needle]


def test_what_does_not_stand_there_is_not_found() -> None:
    assert in_clear([b"Ann Exampel", base64.b64encode(b"Ann Exampel")], [b"Ann Example"]) == []


@given(st.binary(max_size=SHORTEST_NEEDLE - 1))
def test_what_would_be_found_by_chance_is_not_looked_for(needle: bytes) -> None:
    with pytest.raises(ValueError, match="by chance"):
        in_clear([b"anything"], [needle])
