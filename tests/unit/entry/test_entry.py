"""The part that the daemon owns: keys from a pipe in, decisions out; nothing waits for a slow comparison."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blinkd.crypto.pins import code_digest, new_code
from blinkd.entry.entry import DEAF_S, Entry, open_entry
from blinkd.entry.reader import KeyReader
from blinkd.session.events import Event
from blinkd.settings import EntrySettings, Settings, StoreSettings
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.entry.devices import HAND_S, READER_S, typed
from tests.unit.entry.test_desk import SETTINGS, Entrance

WAIT_S = 20.0


@dataclass
class Bench:
    """An entry with a pipe for its keypad, and a comparison that takes as long as the test wants."""

    entrance: Entrance
    pipe: int
    reader: KeyReader
    slow: threading.Event = field(default_factory=threading.Event)
    now: float = 0.0
    entry: Entry = field(init=False)

    def __post_init__(self) -> None:
        self.slow.set()
        self.entry = Entry(SETTINGS, self.entrance.desk, self.reader, None, self._compare, lambda: self.now)

    def _compare(self, pin: str, hashed: str | None) -> bool:
        assert self.slow.wait(WAIT_S)
        return hashed is not None and hashed == f"hash of {pin}"

    def type(self, *texts: str, every_s: float = HAND_S) -> None:
        os.write(self.pipe, b"".join(typed(text, every_s=every_s) for text in texts))
        self.reader.wait(WAIT_S)

    def decided(self, count: int = 1) -> list[Event]:
        """The next so many events."""
        found: list[Event] = []
        for _ in range(2000):
            found += self.entry.poll()
            if len(found) >= count:
                return found
            self.reader.wait(0.01)
        raise AssertionError(f"only {found}")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "event7"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR)
    with Store.open(tmp_path / "state", StoreSettings()) as store:
        clock = SetClock()
        entrance = Entrance(store, clock)
        for id_, name in (("E-1", "Ann"), ("E-2", "Bob")):
            store.people.enrol(id_, name, [])
            store.credentials.set_pin(id_, f"hash of 92847{id_[-1]}", "boss", clock.now())
        reader = KeyReader(path, lambda: bench.now)
        bench = Bench(entrance, pipe, reader)
        yield bench
        bench.slow.set()
        bench.entry.close()
        bench.entry.close()
    os.close(pipe)


def test_a_pin_that_is_typed_is_a_punch(bench: Bench) -> None:
    bench.type("1", "928471")
    (event,) = bench.decided()
    assert (event.kind, event.details["person_id"]) == ("punch", "E-1")
    assert bench.entry.part().state == "ok"


def test_the_loop_goes_on_while_a_pin_is_compared_and_the_next_one_waits_for_its_turn(bench: Bench) -> None:
    bench.slow.clear()
    bench.type("1", "928471", "2", "928472")
    for _ in range(50):
        assert bench.entry.poll() == []
    bench.slow.set()
    assert [event.details["person_id"] for event in bench.decided(2)] == ["E-1", "E-2"]


def test_after_a_refusal_it_is_deaf_for_a_moment_so_that_a_machine_that_tries_fills_no_log(bench: Bench) -> None:
    bench.type(*(["1", "000000"] * 20))
    (refused,) = bench.decided()
    assert refused.details["reason"] == "wrong_pin"
    for _ in range(50):
        assert bench.entry.poll() == []
    bench.now += DEAF_S + 0.1
    bench.type("1", "928471")
    assert bench.decided()[0].kind == "punch"


def test_a_badge_at_the_reader_is_a_punch(bench: Bench) -> None:
    code = new_code()
    bench.entrance.store.credentials.add_badge("E-2", code_digest(code), "boss", bench.entrance.clock.now(), replace=True)
    bench.type(code, every_s=READER_S)
    (event,) = bench.decided()
    assert (event.kind, event.details["method"], event.details["person_id"]) == ("punch", "badge", "E-2")


def test_nothing_is_opened_where_it_is_not_asked_for(tmp_path: Path) -> None:
    before = threading.active_count()
    with Store.open(tmp_path, StoreSettings()) as store:
        clock = SetClock()
        assert open_entry(Settings(), store, Entrance(store, clock).desk._clerk, clock) is None
    assert threading.active_count() == before


def test_a_keypad_that_is_missing_is_a_fault_of_this_part_only(tmp_path: Path) -> None:
    with Store.open(tmp_path, StoreSettings()) as store:
        clock = SetClock()
        settings = Settings(entry=EntrySettings(enabled=True, device=tmp_path / "missing"))
        entry = open_entry(settings, store, Entrance(store, clock).desk._clerk, clock)
        assert entry is not None
        try:
            assert entry.poll() == []
            part = entry.part()
            assert (part.name, part.state) == ("entry", "failed")
            assert "missing" in part.words
        finally:
            entry.close()
