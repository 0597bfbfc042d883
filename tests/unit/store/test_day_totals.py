"""What past days came to is kept, and what is kept is always what counting them now would say."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blinkd.attendance.punch import Direction, PersonStatus
from blinkd.attendance.reports.trend import DayFigures, Figures, busy_hours
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Assignment, Rota
from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import Instant, microseconds
from blinkd.errors import NotAllowed
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.attendance.reports.golden import MADRID, NIGHT, OFFICE, enrol
from tests.unit.store.stores import open_store, punch

FIRST, LAST = date(2026, 3, 27), date(2026, 3, 30)  # the clocks go forward on the 29th
START = datetime(2026, 3, 26, 12, tzinfo=UTC)
NOW = Instant(datetime(2026, 4, 1, 12, tzinfo=UTC), 9_000_000.0, "boot-9", "synced")
SPAN_MIN = 6 * 24 * 60
HOLIDAYS = {date(2026, 3, 30): "holiday"}


class Nothing:
    """Keeps nothing."""

    def version(self) -> int:
        return 0

    def read(self, _: Any) -> dict[date, DayFigures]:
        return {}

    def keep(self, *_: Any) -> None:
        pass


def rota_of(store: Store, holidays: dict[date, str] | None = None) -> Rota:
    assigned = [
        Assignment(content["subject"], content["shift"], date.fromisoformat(content["first"]), None)
        for _, content, _ in store.book.entries("assignment")
    ]
    return Rota({"office": OFFICE, "night": NIGHT}, "office", assigned, Holidays(HOLIDAYS if holidays is None else holidays), MADRID)


def figures(store: Store, kept: Any, rota: Rota | None = None, now: Instant = NOW) -> dict[date, DayFigures]:
    return Figures(store.book, store.rosters, kept, rota or rota_of(store), now).of(FIRST, LAST)


minutes = st.integers(0, SPAN_MIN)
people = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("punch"), people, minutes, st.booleans()),
    st.tuples(st.just("unsynced"), people, minutes, st.booleans()),
    st.tuples(st.just("clock"), minutes, st.just(0), st.just(0)),
    st.tuples(st.just("void"), st.integers(0, 11), st.just(0), st.just(0)),
    st.tuples(st.just("uphold"), st.integers(0, 11), st.just(0), st.just(0)),
    st.tuples(st.just("amend"), st.integers(0, 11), minutes, st.booleans()),
    st.tuples(st.just("add"), people, minutes, st.booleans()),
    st.tuples(st.just("disown"), st.integers(0, 11), st.just(0), st.just(0)),
    st.tuples(st.just("assign"), people, st.integers(0, 5), st.just(0)),
    st.tuples(st.just("status"), people, st.just(0), st.booleans()),
    st.tuples(st.just("valid"), people, st.integers(0, 5), st.booleans()),
    st.tuples(st.just("enrol"), st.integers(4, 7), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("delete"), people, st.just(0), st.just(0)),
    st.tuples(st.just("erase"), st.integers(0, 11), st.just(0), st.just(0)),
)


class History:
    """Does one step after the other to a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = SetClock(NOW.utc)
        self.subjects = [enrol(store, f"E-{number}", f"Person {number}", FIRST) for number in range(4)]
        self.punches: list[int] = []

    def take(self, step: tuple[str, int, int, Any]) -> None:
        what, number, minute, flag = step
        do: Callable[[int, int, Any], None] = getattr(self, f"_{what}")
        do(number, minute, flag)

    def _punch(self, who: int, minute: int, entering: bool, clock: str = "synced", boot: str = "boot-1") -> None:
        seq = self.store.book.next_seq()
        status = Direction.CHECK_IN if entering else Direction.CHECK_OUT
        one = replace(punch(seq), subject=self.subjects[who], utc=START + timedelta(minutes=minute), status=status, boot_s=60.0 * minute)
        self.store.book.append_punch(replace(one, clock=clock, boot_id=boot))
        self.punches.append(seq)

    def _unsynced(self, who: int, minute: int, entering: bool) -> None:
        self._punch(who, (minute * 7) % SPAN_MIN, entering, "unsynced", "boot-2")

    def _clock(self, minute: int, *_: object) -> None:
        mark = {"boot_id": "boot-2", "boot_us": 0, "us": microseconds(START + timedelta(minutes=minute - SPAN_MIN // 2))}
        self.store.book.append("clock", mark, self.clock.now())

    def _correct(self, number: int, how: Callable[[Supervisor, int], object]) -> None:
        if self.punches:
            with contextlib.suppress(NotAllowed):  # it was erased
                how(Supervisor(self.store.book, self.clock, "S-7"), self.punches[number % len(self.punches)])

    def _void(self, number: int, *_: object) -> None:
        self._correct(number, lambda supervisor, seq: supervisor.void(seq, "why"))

    def _uphold(self, number: int, *_: object) -> None:
        self._correct(number, lambda supervisor, seq: supervisor.uphold(seq, "why"))

    def _amend(self, number: int, minute: int, entering: bool) -> None:
        status = Direction.CHECK_IN if entering else Direction.CHECK_OUT
        self._correct(number, lambda supervisor, seq: supervisor.amend(seq, "why", START + timedelta(minutes=minute), status))

    def _add(self, who: int, minute: int, entering: bool) -> None:
        status = Direction.CHECK_IN if entering else Direction.CHECK_OUT
        if self.store.people.find(f"E-{who}") is None:
            return
        with contextlib.suppress(NotAllowed):  # the very same was added before
            supervisor = Supervisor(self.store.book, self.clock, "S-7")
            self.punches.append(supervisor.add(f"E-{who}", START + timedelta(minutes=minute), status, "why"))

    def _disown(self, number: int, *_: object) -> None:
        if self.punches:
            self.store.book.append("disowned", {"target": self.punches[number % len(self.punches)]}, self.clock.now())

    def _assign(self, who: int, day: int, *_: object) -> None:
        first = (FIRST + timedelta(days=day)).isoformat()
        self.store.book.append(
            "assignment", {"subject": self.subjects[who], "shift": "night", "first": first, "last": None, "by": "S"}, self.clock.now()
        )

    def _enrol(self, who: int, day: int, *_: object) -> None:
        self.store._database.execute_sql(
            "INSERT OR IGNORE INTO people (id, name, status, enrolled_at, subject, valid_from) VALUES (?, 'New', 'ACTIVE', ?, ?, ?)",
            (f"E-{who}", NOW.utc.isoformat(), who, (FIRST + timedelta(days=day - 1)).isoformat()),
        )

    def _status(self, who: int, _: int, active: bool) -> None:
        if self.store.people.find(f"E-{who}") is not None:
            self.store.people.set_status(f"E-{who}", PersonStatus.ACTIVE if active else PersonStatus.DEACTIVATED)

    def _valid(self, who: int, day: int, until: bool) -> None:
        column = "valid_until" if until else "valid_from"
        limit = (FIRST + timedelta(days=day - 1)).isoformat()
        self.store._database.execute_sql(f"UPDATE people SET {column} = ? WHERE id = ?", (limit, f"E-{who}"))

    def _delete(self, who: int, *_: object) -> None:
        if self.store.people.find(f"E-{who}") is not None:
            self.store.people.erase(f"E-{who}", keep_id=True)

    def _erase(self, number: int, *_: object) -> None:
        if self.punches:
            self.store.book.erase([self.punches.pop(number % len(self.punches))], "retention", self.clock.now())


@example([("punch", 0, 0, False), ("amend", 0, 660, False), ("erase", 0, 0, 0)])
@example([("unsynced", 0, 900, True), ("clock", 4000, 0, 0), ("erase", 0, 0, 0)])
@example([("punch", 0, 900, True), ("amend", 0, 3000, True), ("amend", 0, 4500, True), ("uphold", 0, 0, 0)])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=14))
def test_what_is_kept_is_what_counting_says_after_any_history(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, int, Any]]
) -> None:
    with open_store(tmp_path_factory.mktemp("state")) as store:
        doer = History(store)
        for step in history:
            doer.take(step)
            assert figures(store, store.day_totals) == figures(store, Nothing()), step


class Counting:
    """A book that says how often it was read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0

    def stamps(self, since_us: int | None, until_us: int | None, subject: int | None = None) -> Any:
        self.reads += 1
        return self._store.book.stamps(since_us, until_us, subject)


def reads(store: Store, rota: Rota | None = None, now: Instant = NOW) -> int:
    book = Counting(store)
    Figures(book, store.rosters, store.day_totals, rota or rota_of(store), now).of(FIRST, LAST)
    return book.reads


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "state") as opened:
        History(opened).take(("punch", 0, 24 * 60, True))
        yield opened


def test_a_kept_day_is_not_counted_again(store: Store) -> None:
    assert (reads(store), reads(store)) == (1, 0)


def test_a_punch_unsettles_its_own_day_only(store: Store) -> None:
    reads(store)
    seq = store.book.next_seq()
    store.book.append_punch(replace(punch(seq), utc=datetime(2026, 3, 28, 12, tzinfo=UTC)))
    assert {row[0] for row in store._database.execute_sql("SELECT day FROM day_totals").fetchall()} == {
        date(2026, 3, day).toordinal() for day in (27, 29, 30)
    }
    assert (reads(store), reads(store)) == (1, 0)


def test_todays_punches_leave_every_past_day_kept(store: Store) -> None:
    reads(store)
    seq = store.book.next_seq()
    store.book.append_punch(replace(punch(seq), utc=NOW.utc))
    assert reads(store) == 0


def test_other_shifts_holidays_or_zones_are_counted_anew(store: Store) -> None:
    reads(store)
    rota = rota_of(store)
    longer = Rota({"office": replace(OFFICE, late_grace_min=11), "night": NIGHT}, "office", [], Holidays(HOLIDAYS), MADRID)
    elsewhere = Rota(rota.shifts, "office", [], Holidays(HOLIDAYS), ZoneInfo("Europe/Paris"))
    for other in (longer, elsewhere):
        assert reads(store, other) == 1
        assert reads(store, other) == 0
    assert reads(store, rota_of(store, {})) == 1


def test_a_day_that_is_not_over_and_days_by_an_untrusted_clock_are_not_kept(store: Store) -> None:
    noon = replace(NOW, utc=datetime(2026, 3, 30, 10, tzinfo=UTC))
    assert (reads(store, now=noon), reads(store, now=noon)) == (1, 1)
    store._database.execute_sql("DELETE FROM day_totals")
    unknown = replace(NOW, confidence="unsynced")
    assert (reads(store, now=unknown), reads(store, now=unknown)) == (1, 1)
    assert store._database.execute_sql("SELECT count(*) FROM day_totals").fetchone() == (0,)


def test_nothing_is_kept_when_somebody_writes_while_it_is_counted(store: Store) -> None:
    class Meanwhile(Counting):
        def stamps(self, since_us: int | None, until_us: int | None, subject: int | None = None) -> Any:
            with open_store(store.path.parent) as other:
                other.preferences.set("key", str(self.reads))
            return super().stamps(since_us, until_us, subject)

    Figures(Meanwhile(store), store.rosters, store.day_totals, rota_of(store), NOW).of(FIRST, LAST)
    assert store._database.execute_sql("SELECT count(*) FROM day_totals").fetchone() == (0,)
    assert (reads(store), reads(store)) == (1, 0)


def test_a_store_that_is_only_read_keeps_nothing(store: Store) -> None:
    with Store.open(store.path.parent, StoreSettings(), read_only=True) as reader:
        assert (reads(reader), reads(reader)) == (1, 1)


def test_the_busy_hours_are_those_of_the_wall_clock() -> None:
    night = [datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in (0, 1, 2)]  # 01:30, then 03:30 and 04:30, for 02 is skipped
    us = np.array([microseconds(moment) for moment in [*night, datetime(2026, 3, 29, 22, 0, tzinfo=UTC)]], np.int64)
    found = busy_hours(us, date(2026, 3, 29), MADRID)
    assert {hour: number for hour, number in enumerate(found) if number} == {1: 1, 3: 1, 4: 1}
    autumn = np.array([microseconds(datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1)], np.int64)
    assert busy_hours(autumn, date(2026, 10, 25), MADRID)[2] == 2
