"""Clocks that were wrong, punches that were corrected: how they stand, one by one and as arrays."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.punch import Direction, Punch, TurnedAway
from blinkd.attendance.supervisor import Supervisor
from blinkd.attendance.timekeeper import Timekeeper
from blinkd.clock import BUILT, microseconds
from blinkd.errors import NotAllowed, UnknownPerson
from blinkd.settings import AttendanceSettings
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import clerk_of, open_store

ANYTIME = AttendanceSettings(min_interval_s=0, disown_s=30)
PAST = datetime(1970, 1, 1, 0, 3, tzinfo=UTC)


class Site:
    """A terminal, its clock, and what time it really is."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock(utc=datetime(2026, 3, 2, 8, tzinfo=UTC))
        self.real = self.clock.utc
        self.store = open_store(folder)
        self.store.people.enrol("E-1", "Ann", [])
        self.store.people.enrol("E-2", "Bo", [])
        self.clerk: Clerk = clerk_of(self.store, self.clock, ANYTIME)
        self.keeper = Timekeeper(self.store.book, self.clock)

    def wait(self, **time: float) -> None:
        self.clock.wait(**time)
        self.real += timedelta(**time)

    def punch(self, person_id: str = "E-1") -> Punch:
        punch = self.clerk.attend(person_id, 0.7, {})
        assert isinstance(punch, Punch), punch
        return punch

    def boot_into_the_past(self, boot_id: str = "boot-2") -> None:
        self.clock.reboot(boot_id)
        self.clock.utc, self.clock.confidence = PAST, "unsynced"

    def becomes_right(self) -> None:
        self.clock.utc, self.clock.confidence = self.real, "synced"

    def stands(self, punch: Punch) -> tuple[datetime, str, str]:
        standing = self.store.book.ledger().standing(punch)
        return standing.utc, standing.certainty, standing.state


@pytest.fixture
def site(tmp_path: Path) -> Any:
    site = Site(tmp_path)
    yield site
    site.store.close()


def test_a_boot_into_the_past_is_put_right_by_an_entry_once_the_clock_is(site: Site) -> None:
    site.boot_into_the_past()
    first, when = site.punch(), site.real
    site.wait(minutes=10)
    second = site.punch("E-2")
    assert site.stands(first) == (PAST, "uncertain", "valid")
    assert not site.keeper.look()  # not yet
    site.wait(minutes=5)
    site.becomes_right()
    assert site.keeper.look()
    assert site.stands(first) == (when, "corrected", "valid")
    assert site.stands(second) == (when + timedelta(minutes=10), "corrected", "valid")
    assert next(site.store.book.punches()).utc == PAST  # an entry beside it, no edit
    assert not site.keeper.look()  # once is enough
    third = site.punch()
    assert site.stands(third) == (site.real, "certain", "valid")
    assert [punch.seq for punch in site.store.book.punches()] == [1, 2, 4]  # order is by sequence; 3 is the clock's entry


def test_the_clerk_notices_it_too_before_the_next_punch(site: Site) -> None:
    site.boot_into_the_past()
    first, when = site.punch(), site.real
    site.wait(hours=1)
    site.becomes_right()
    site.punch()
    assert site.stands(first) == (when, "corrected", "valid")


def test_what_a_boot_without_a_right_clock_recorded_stays_uncertain(site: Site) -> None:
    before = site.punch()
    site.boot_into_the_past("boot-2")
    lost = site.punch("E-2")
    site.wait(hours=1)
    site.boot_into_the_past("boot-3")
    site.becomes_right()
    site.keeper.look()
    after = site.punch()
    assert site.stands(lost) == (PAST, "uncertain", "valid")
    stamped = site.store.book.stamps(microseconds(site.real - timedelta(days=1)), microseconds(site.real + timedelta(days=1)))
    assert stamped.seq.tolist() == [before.seq, after.seq]
    (one,) = stamped.uncertain
    assert (one.seq, one.counted, one.recorded, one.after, one.before) == (lost.seq, False, PAST, before.utc, after.utc)
    another_day = site.real + timedelta(days=40)
    assert site.store.book.stamps(microseconds(another_day), None).uncertain == ()


def test_a_possible_but_untrusted_time_counts_and_is_marked(site: Site) -> None:
    site.clock.confidence = "unsynced"
    punch = site.punch()
    stamped = site.store.book.stamps()
    assert (stamped.seq.tolist(), stamped.us.tolist()) == ([punch.seq], [microseconds(punch.utc)])
    assert [(one.seq, one.counted) for one in stamped.uncertain] == [(punch.seq, True)]


@pytest.mark.parametrize("step", [timedelta(hours=-3), timedelta(hours=3), timedelta(days=-9000), timedelta(seconds=-0.5)])
def test_steps_of_an_untrusted_clock_do_not_matter(site: Site, step: timedelta) -> None:
    site.clock.confidence = "unsynced"
    first, when = site.punch(), site.real
    site.wait(minutes=1)
    site.clock.utc += step  # somebody sets it, or NTP steps it without being sure
    second, then = site.punch("E-2"), site.real
    site.wait(minutes=1)
    site.becomes_right()
    site.keeper.look()
    assert [site.stands(punch)[0] for punch in (first, second)] == [when, then]


def test_a_trusted_clock_that_steps_back_keeps_order_by_sequence_and_loses_nothing(site: Site) -> None:
    first = site.punch()
    site.clock.utc -= timedelta(minutes=2)
    second = site.punch("E-2")
    assert [punch.seq for punch in site.store.book.punches()] == [first.seq, second.seq]
    assert second.utc < first.utc
    assert site.store.book.stamps().seq.tolist() == [second.seq, first.seq]  # by time, for whoever adds up


def test_a_leap_day_and_the_nights_of_the_clock_change_are_real_time(site: Site) -> None:
    for day in ("2028-02-29T12:00", "2026-03-29T00:59:59", "2026-03-29T01:00", "2026-10-25T00:30", "2026-10-25T01:30"):
        site.clock.utc = datetime.fromisoformat(day).replace(tzinfo=UTC)
        site.clock.boot_s += 10
        assert site.stands(site.punch())[0] == site.clock.utc


def test_corrections_stand_beside_what_was_recorded(site: Site) -> None:
    punch = site.punch()
    chief = Supervisor(site.store.book, site.clock, "S-7")
    right = punch.utc - timedelta(minutes=20)
    chief.amend(punch.seq, "came earlier, the camera was dark", right, None)
    assert site.stands(punch) == (right, "certain", "amended")
    chief.amend(punch.seq, "and left", None, Direction.CHECK_OUT)
    standing = site.store.book.ledger().standing(punch)
    assert (standing.utc, standing.status) == (right, Direction.CHECK_OUT)
    assert [(one.what, one.by, one.why) for one in standing.trail] == [
        ("amend", "S-7", "came earlier, the camera was dark"),
        ("amend", "S-7", "and left"),
    ]
    chief.void(punch.seq, "not here at all")
    assert site.stands(punch)[2] == "voided"
    assert site.store.book.stamps().seq.tolist() == []
    chief.uphold(punch.seq, "here after all")
    assert site.stands(punch) == (punch.utc, "certain", "valid")
    assert site.store.book.stamps().us.tolist() == [microseconds(punch.utc)]
    assert list(site.store.book.punches()) == [punch]


def test_an_uphold_forgets_the_times_that_were_given_before_it(site: Site) -> None:
    punch = site.punch()
    chief = Supervisor(site.store.book, site.clock, "S-7")
    chief.amend(punch.seq, "came earlier", punch.utc - timedelta(minutes=20), None)
    chief.uphold(punch.seq, "no, it was right")
    chief.amend(punch.seq, "but left", None, Direction.CHECK_OUT)
    assert site.stands(punch) == (punch.utc, "certain", "amended")
    assert site.store.book.stamps().us.tolist() == [microseconds(punch.utc)]


@pytest.mark.parametrize("possible", [True, False])
def test_another_direction_does_not_make_an_uncertain_time_certain(site: Site, possible: bool) -> None:
    if possible:
        site.clock.confidence = "unsynced"
    else:
        site.boot_into_the_past()
    punch = site.punch()
    chief = Supervisor(site.store.book, site.clock, "S-7")
    chief.amend(punch.seq, "left", None, Direction.CHECK_OUT)
    stamped = site.store.book.stamps()
    assert site.stands(punch)[1] == "uncertain"
    assert [(one.seq, one.counted) for one in stamped.uncertain] == [(punch.seq, possible)]
    assert stamped.entering.tolist() == ([False] if possible else [])
    chief.amend(punch.seq, "as the camera showed", site.real - timedelta(hours=1), None)
    stamped = site.store.book.stamps()
    assert (stamped.uncertain, stamped.seq.tolist()) == ((), [punch.seq])


def test_an_added_punch_counts_and_can_be_voided(site: Site) -> None:
    chief, when = Supervisor(site.store.book, site.clock, "S-7"), site.real - timedelta(hours=2)
    entry = chief.add("E-1", when, Direction.CHECK_OUT, "left by the back door")
    stamped = site.store.book.stamps()
    assert (stamped.seq.tolist(), stamped.us.tolist(), stamped.entering.tolist()) == ([entry], [microseconds(when)], [False])
    with pytest.raises(NotAllowed, match=f"entry {entry} has added just this"):
        chief.add("E-1", when, Direction.CHECK_OUT, "again")
    chief.void(entry, "was another day")
    assert site.store.book.stamps().seq.tolist() == []


def test_what_cannot_be_corrected_is_refused_in_words(site: Site) -> None:
    punch = site.punch()
    chief = Supervisor(site.store.book, site.clock, "S-7")
    before = site.store.book.head()
    with pytest.raises(NotAllowed, match="no punch of this book"):
        chief.void(99, "why")
    with pytest.raises(NotAllowed, match="no punch of this book"):
        chief.void(0, "the book's beginning")
    with pytest.raises(NotAllowed, match="nothing to amend"):
        chief.amend(punch.seq, "why", None, None)
    with pytest.raises(NotAllowed, match="reason"):
        chief.void(punch.seq, "  ")
    with pytest.raises(NotAllowed, match="501 characters"):
        chief.void(punch.seq, "x" * 501)
    with pytest.raises(NotAllowed, match="name of who corrects"):
        Supervisor(site.store.book, site.clock, "")
    with pytest.raises(NotAllowed, match="future"):
        chief.amend(punch.seq, "why", site.real + timedelta(minutes=1), None)
    for year in (1969, 2100):
        with pytest.raises(NotAllowed, match="before 1970 or after 2099"):
            chief.add("E-1", datetime(year, 6, 1, tzinfo=UTC), Direction.CHECK_IN, "why")
    with pytest.raises(UnknownPerson, match="E-9"):
        chief.add("E-9", site.real, Direction.CHECK_IN, "why")
    assert site.store.book.head() == before


def test_not_me_within_seconds_marks_the_punch_and_gives_the_other_person_their_turn(site: Site) -> None:
    punch = site.punch()
    site.wait(seconds=30)
    site.clerk.disown(punch.seq)
    assert site.stands(punch)[2] == "disowned"
    stamped = site.store.book.stamps()
    assert (stamped.seq.tolist(), stamped.disowned) == ([punch.seq], (punch.seq,))  # counts until a supervisor decides
    site.wait(minutes=5)
    assert site.punch().status is Direction.CHECK_IN  # not out: the other one was not hers
    Supervisor(site.store.book, site.clock, "S-7").void(punch.seq, "was somebody else")
    assert site.store.book.stamps().disowned == ()
    assert site.stands(punch)[2] == "voided"


def test_not_me_said_again_adds_nothing_to_the_book(site: Site) -> None:
    punch = site.punch()
    entry = site.clerk.disown(punch.seq)
    head = site.store.book.head()
    assert site.clerk.disown(punch.seq) == entry
    assert site.store.book.head() == head


def test_not_me_is_refused_later_for_other_entries_and_after_a_boot(site: Site) -> None:
    punch = site.punch()
    site.wait(seconds=31)
    with pytest.raises(NotAllowed, match=r"longer ago than 30 s .* supervisor"):
        site.clerk.disown(punch.seq)
    with pytest.raises(NotAllowed, match="entry 0 is no punch"):
        site.clerk.disown(0)
    later = site.punch()
    site.clock.reboot()
    with pytest.raises(NotAllowed, match="since it was started"):
        site.clerk.disown(later.seq)
    assert site.store.book.ledger().disowned == {}


def test_dates_of_validity_are_the_sites_days_and_a_clock_that_cannot_be_right_locks_nobody_out(site: Site) -> None:
    database: Any = site.store._database
    database.execute_sql("UPDATE people SET valid_from = '2026-03-02', valid_until = '2026-03-03' WHERE id = 'E-1'")
    assert isinstance(site.clerk.attend("E-1", 0.7, {}), Punch)
    site.wait(days=2)
    assert site.clerk.attend("E-1", 0.7, {}) == TurnedAway("inactive")
    site.clock.utc -= timedelta(days=4)
    assert site.clerk.attend("E-1", 0.7, {}) == TurnedAway("inactive")
    site.boot_into_the_past()
    assert isinstance(site.clerk.attend("E-1", 0.7, {}), Punch)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["punch", "punch", "punch", "boot", "step", "right", "lose", "void", "amend", "uphold", "add", "disown", "look"]),
        st.integers(0, 10_000),
    ),
    max_size=40,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS, st.integers(-1000, 4000), st.integers(0, 5000))
def test_the_arrays_say_what_the_standings_say_one_by_one(actions: list[tuple[str, int]], since_min: int, length_min: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="blinkd-"))
    site = Site(folder)
    try:
        _live(site, actions)
        since = datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(minutes=since_min)
        until = since + timedelta(minutes=length_min)
        stamped = site.store.book.stamps(microseconds(since), microseconds(until))
        found = [
            *zip(stamped.seq.tolist(), stamped.subject.tolist(), stamped.us.tolist(), stamped.entering.tolist(), strict=True),
        ]
        assert [row[2] for row in found] == sorted(row[2] for row in found)
        assert sorted(found) == sorted(_one_by_one(site.store, since, until))
        for person in site.store.people.all():
            own = site.store.book.stamps(microseconds(since), microseconds(until), person.subject)
            assert own.seq.tolist() == [row[0] for row in found if row[1] == person.subject]
    finally:
        site.store.close()
        shutil.rmtree(folder)


def _live(site: Site, actions: list[tuple[str, int]]) -> None:
    chief, boots = Supervisor(site.store.book, site.clock, "S-7"), 1
    for action, number in actions:
        seqs = [punch.seq for punch in site.store.book.punches()]
        site.wait(minutes=number % 300)
        chosen = seqs[number % len(seqs)] if seqs else 0
        if action == "punch":
            site.punch(f"E-{1 + number % 2}")
        elif action == "boot":
            boots += 1
            site.boot_into_the_past(f"boot-{boots}")
        elif action == "step":
            site.clock.utc += timedelta(minutes=number - 5000)
        elif action == "right":
            site.becomes_right()
        elif action == "lose":
            site.clock.confidence = "unsynced"
        elif action == "look":
            site.keeper.look()
        elif action == "add":
            when = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=number)
            try:
                chief.add(f"E-{1 + number % 2}", when, Direction.CHECK_IN if number % 3 else Direction.CHECK_OUT, "why")
            except NotAllowed:
                continue
        elif not seqs:
            continue
        elif action == "disown":
            site.store.book.append("disowned", {"target": chosen, "subject": 0}, site.clock.now())
        elif action == "amend":
            when = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=number)
            chief._clock = SetClock(utc=datetime(2027, 1, 1, tzinfo=UTC))
            chief.amend(chosen, "why", when if number % 2 else None, Direction.CHECK_OUT)
        elif action == "void":
            chief.void(chosen, "why")
        elif action == "uphold":
            chief.uphold(chosen, "why")


def _one_by_one(store: Store, since: datetime, until: datetime) -> list[tuple[int, int, int, bool]]:
    ledger, answer = store.book.ledger(), []
    for punch in store.book.punches():
        standing = ledger.standing(punch)
        if standing.counts and since <= standing.utc < until and (standing.utc >= BUILT or standing.certainty == "certain"):
            answer.append((punch.seq, punch.subject, microseconds(standing.utc), standing.status is Direction.CHECK_IN))
    for seq, content, _ in store.book.entries("correction"):
        if content["what"] == "add" and microseconds(since) <= content["us"] < microseconds(until):
            answer.append((seq, content["subject"], content["us"], content["status"] == "CHECK_IN"))
    return answer
