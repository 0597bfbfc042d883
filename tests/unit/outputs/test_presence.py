"""Presence comes from the book: right after a restart, over midnight and after corrections."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Assignment, Rota
from blinkd.attendance.shifts.shift import Shift
from blinkd.attendance.supervisor import Supervisor
from blinkd.errors import StoreError
from blinkd.outputs.presence import BookCounter
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.attendance.reports.golden import IN, OUT, enrol
from tests.unit.store.stores import QUICK, open_store, punch

MADRID = ZoneInfo("Europe/Madrid")
DAY = Shift("day", time(9), time(17), check_in_before_min=240, check_out_after_min=360, determine="log_type")
NIGHT = Shift("night", time(22), time(6), check_in_before_min=120, check_out_after_min=120)


class Site:
    """A terminal in Madrid: a writer, and whoever counts beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, SetClock()
        self.store = open_store(folder)
        self.subjects = {who: enrol(self.store, who, who, date(2026, 3, 1)) for who in ("ann", "bob", "eve")}

    def rota(self, store: Store) -> Rota:
        del store
        nights = [Assignment(self.subjects["eve"], "night", date(2026, 3, 1), None)]
        return Rota({"day": DAY, "night": NIGHT}, "day", nights, Holidays({}), MADRID)

    def at(self, day: int, clock: str) -> datetime:
        """March 2026, local time."""
        return datetime.combine(date(2026, 3, day), time.fromisoformat(clock), tzinfo=MADRID).astimezone(UTC)

    def punch(self, day: int, clock: str, who: str, way: str) -> int:
        seq = self.store.book.next_seq()
        status = IN if way == "in" else OUT
        self.store.book.append_punch(replace(punch(seq), subject=self.subjects[who], utc=self.at(day, clock), status=status))
        return seq

    def read_only(self) -> Store:
        return Store.open(self.folder, QUICK, read_only=True)

    @contextmanager
    def counter(self) -> Iterator[BookCounter]:
        with closing(BookCounter(self.read_only, self.rota, self.clock)) as counter:
            yield counter

    def now(self, day: int, clock: str) -> tuple[int, int]:
        """Present and check-ins, by somebody who has just started."""
        self.clock.utc = self.at(day, clock)
        with self.counter() as counter:
            found = counter.count()
            return found.present, found.check_ins


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with closing(made.store):
        yield made


def test_nobody_is_present_before_anybody_came(site: Site) -> None:
    assert site.now(2, "08:00") == (0, 0)


def test_who_came_is_present_until_leaving_and_every_check_in_of_the_day_counts(site: Site) -> None:
    site.punch(2, "08:55", "ann", "in")
    site.punch(2, "09:05", "bob", "in")
    assert site.now(2, "10:00") == (2, 2)
    site.punch(2, "12:00", "ann", "out")
    assert site.now(2, "12:30") == (1, 2)
    site.punch(2, "13:00", "ann", "in")
    assert site.now(2, "13:30") == (2, 3)


def test_one_counter_follows_what_others_write(site: Site) -> None:
    site.clock.utc = site.at(2, "10:00")
    with site.counter() as counter:
        assert counter.count().present == 0
        site.punch(2, "09:30", "ann", "in")
        assert counter.count().present == 1
        Supervisor(site.store.book, site.clock, "S-7").void(site.store.book.next_seq() - 1, "was not here")
        assert (counter.count().present, counter.count().check_ins) == (0, 0)


def test_corrections_count(site: Site) -> None:
    seq = site.punch(2, "09:30", "ann", "in")
    site.clock.utc = site.at(2, "10:00")
    supervisor = Supervisor(site.store.book, site.clock, "S-7")
    supervisor.add("bob", site.at(2, "09:40"), IN, "came by the back door")
    assert site.now(2, "10:00") == (2, 2)
    supervisor.amend(seq, "was leaving", None, OUT)
    assert site.now(2, "10:00") == (1, 1)


def test_midnight_is_the_sites_and_the_night_shift_stays_present_over_it(site: Site) -> None:
    site.punch(2, "09:00", "ann", "in")
    site.punch(2, "22:05", "eve", "in")
    assert site.now(2, "22:30") == (2, 2)
    assert site.now(2, "23:30") == (1, 2)  # the day shift's time to leave is over at eleven
    site.clock.utc = site.at(3, "00:01")  # 23:01 UTC of the day before
    with site.counter() as counter:
        found = counter.count()
    assert (found.present, found.check_ins) == (1, 0)
    assert found.since == datetime(2026, 3, 3, tzinfo=MADRID)
    site.punch(3, "05:00", "eve", "out")
    assert site.now(3, "05:01") == (0, 0)


def test_the_day_on_which_clocks_change_begins_at_its_own_midnight(site: Site) -> None:
    site.punch(29, "00:30", "eve", "in")  # at two the clock goes to three
    site.punch(29, "08:30", "ann", "in")
    assert site.now(29, "09:00")[1] == 2
    site.clock.utc = site.at(29, "09:00")
    with site.counter() as counter:
        assert counter.count().since.isoformat() == "2026-03-29T00:00:00+01:00"


def test_a_book_that_cannot_be_read_is_opened_again_the_next_time(site: Site) -> None:
    site.clock.utc = site.at(2, "10:00")
    site.punch(2, "09:00", "ann", "in")
    troubles = [StoreError("locked")]
    opened: list[Store] = []

    def opening() -> Store:
        if troubles:
            raise troubles.pop()
        opened.append(site.read_only())
        return opened[-1]

    with closing(BookCounter(opening, site.rota, site.clock)) as counter:
        with pytest.raises(StoreError, match="locked"):
            counter.count()
        assert counter.count().present == 1
        assert counter.count().present == 1
        assert len(opened) == 1  # and kept: to open it checks the whole database
