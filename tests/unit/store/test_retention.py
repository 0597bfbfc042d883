"""Retention: what is old goes, by sequence; what cannot be said to be old stays; the book is still proved."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blinkd.attendance.proof import in_order, prove
from blinkd.attendance.punch import Punch
from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import Instant
from blinkd.errors import StoreError
from blinkd.parts import Parts
from blinkd.settings import AttendanceSettings, PrivacySettings, Settings
from blinkd.store import retention
from blinkd.store.database import Store
from blinkd.upkeep import EVERY, due, keep_up, last_run
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of, open_store

DAY = timedelta(days=1)
LIMITS = PrivacySettings(scan_log_days=90, punches_days=365)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Years:
    """A store in which somebody punches at the given times, each by a trusted clock unless it says 1970."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, SetClock()
        store.people.enrol("A", "Ann", [])
        self.clerk = clerk_of(store, self.clock, AttendanceSettings(min_interval_s=0))

    def punch(self, *days_ago: float | None) -> None:
        for ago in days_ago:
            self.clock.boot_s += 100
            self.clock.boot_id = f"boot-{self.clock.boot_s}"
            self.clock.utc = datetime(1970, 1, 1, tzinfo=UTC) if ago is None else NOW - ago * DAY
            self.clock.confidence = "unsynced" if ago is None else "synced"
            assert isinstance(self.clerk.attend("A", 0.7, {}), Punch)

    @property
    def now(self) -> Instant:
        return Instant(NOW, 9e9, "boot-now", "synced")

    def kept(self) -> list[int]:
        return [round((NOW - punch.utc) / DAY) for punch in self.store.book.punches()]

    def whole(self) -> bool:
        entries, strays = self.store.book.audit()
        return prove(in_order(entries, strays), [], None).ok


@pytest.fixture
def years(tmp_path: Path) -> Iterator[Years]:
    with open_store(tmp_path) as store:
        yield Years(store)


def test_what_is_older_than_the_limits_goes_and_the_book_is_still_proved(years: Years) -> None:
    years.punch(800, 400, 366, 364, 100, 91, 89, 1)
    Supervisor(years.store.book, years.clock, "S-7").void(1, "why")
    done = years.store.retention.run(LIMITS, years.now)
    assert (done.scans, done.punches) == (6, 3)
    assert years.kept() == [364, 100, 91, 89, 1]
    assert len(list(years.store.scans.read())) == 2
    assert years.whole()
    assert years.store.retention.run(LIMITS, years.now).punches == 0
    assert [p.id for p in years.store.book.punches() if p.sync.value == "PENDING"] == [p.id for p in years.store.book.punches()]


def test_zero_keeps_for_ever(years: Years) -> None:
    years.punch(5000, 1)
    years.store.retention.run(PrivacySettings(scan_log_days=0, punches_days=0), years.now)
    assert (len(years.kept()), len(list(years.store.scans.read()))) == (2, 2)


def test_a_clock_of_1970_makes_nothing_old(years: Years) -> None:
    years.punch(None, 400, None, None, 10, None)
    done = years.store.retention.run(LIMITS, years.now)
    assert (done.punches, done.scans) == (2, 2)  # the first stands before one that is known to be old; the others may be new
    assert len(years.kept()) == 4


def test_a_recording_of_long_ago_that_was_replayed_today_erases_nothing_before_it(years: Years) -> None:
    years.punch(400, 10, 5, 700, 1)
    years.store.retention.run(LIMITS, years.now)
    assert years.kept() == [10, 5, 700, 1]


def test_while_the_clock_is_not_trusted_nothing_is_erased_and_that_is_said(years: Years) -> None:
    years.punch(800, 1)
    done = years.store.retention.run(LIMITS, Instant(NOW, 1, "b", "unsynced"))
    assert (done.punches, done.scans, len(years.kept())) == (0, 0, 2)
    assert done.why_not is not None
    assert "not trusted" in done.why_not


def test_a_dry_run_counts_and_erases_nothing(years: Years) -> None:
    years.punch(800, 400, 1)
    done = years.store.retention.run(LIMITS, years.now, dry=True)
    assert (done.punches, done.scans, len(years.kept())) == (2, 2, 3)


def test_it_goes_in_portions_and_can_be_stopped_between_them(years: Years, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PORTION", 2)
    years.punch(*[800] * 5, 1)
    answers = iter([True, False])
    years.store.retention.run(LIMITS, years.now, lambda: next(answers))
    assert len(years.kept()) == 4
    years.store.retention.run(LIMITS, years.now)
    assert years.kept() == [1]
    assert years.whole()


def test_the_upkeep_runs_once_a_day_and_says_when_it_last_did(years: Years) -> None:
    years.punch(800, 1)
    parts = Parts(Settings())
    assert due(years.store, NOW)
    done = keep_up(years.store, LIMITS, years.now, parts.rota(years.store))
    assert (done.punches, done.notes) == (1, ())
    assert last_run(years.store) == NOW
    assert [due(years.store, NOW + after) for after in (timedelta(0), EVERY - timedelta(seconds=1), EVERY, -DAY)] == [
        False,
        False,
        True,
        True,
    ]


def test_the_upkeep_notices_a_database_that_contradicts_itself(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        years = Years(store)
        years.punch(10, 5)
        raw = store.connection()
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, '(us, subject', '(subject, us') WHERE name = 'punches_by_time'")
    with pytest.raises(StoreError, match="damaged"), Store.open(tmp_path, Settings().store, repair=False) as store:
        keep_up(store, LIMITS, years.now, Parts(Settings()).rota(store))


def test_a_limit_below_a_month_is_refused() -> None:
    with pytest.raises(ValueError, match="too short: a month"):
        PrivacySettings(punches_days=30)
