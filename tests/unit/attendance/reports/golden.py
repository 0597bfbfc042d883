"""A small site for a week, whose figures are worked out by hand: five people, an office and a night shift, a holiday on Friday.

    Mon 2 March   A 08:55-17:05   B 10:30 amended to 09:00, -17:00   C 09:00-17:00   D 09:00-17:00   E 22:00-06:10
    Tue 3         A 09:25-17:00   B both voided                      C an uncertain one              E 22:20-06:00
    Wed 4         A 09:00-12:00                                      C 09:00-17:00
    Thu 5         A 09:00-17:30                                      C 09:00 disowned, -17:00
    Fri 6         holiday

D has been deactivated since.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from blinkd.attendance.punch import Direction, PersonStatus
from blinkd.attendance.reports.totals import Totals
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Assignment, Rota
from blinkd.attendance.shifts.shift import Shift
from blinkd.attendance.supervisor import Supervisor
from blinkd.store.database import Store
from tests.unit.attendance.clocks import SetClock
from tests.unit.store.stores import open_store, punch

MADRID = ZoneInfo("Europe/Madrid")
MONDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 8)
NEXT_MONDAY = datetime(2026, 3, 9, 12, tzinfo=MADRID)
NAMES = {"A": "Ann", "B": "Bo", "C": "Cy", "D": "Di", "E": "Eve"}
OFFICE = Shift(
    "office",
    time(9),
    time(17),
    frozenset(range(5)),
    late_grace_min=10,
    early_grace_min=5,
    overtime_after_min=15,
    half_day_below_h=4.0,
    absent_below_h=1.0,
)
NIGHT = Shift("night", time(22), time(6), frozenset({0, 1}), late_grace_min=10, overtime_after_min=15)
IN, OUT = Direction.CHECK_IN, Direction.CHECK_OUT
PUNCHES = """2 08:55 A in, 2 09:00 C in, 2 09:00 D in, 2 10:30 B in, 2 17:00 B out, 2 17:00 C out, 2 17:00 D out, 2 17:05 A out, 2 22:00 E in,
3 06:10 E out, 3 09:00 B in, 3 09:25 A in, unknown C in, 3 17:00 A out, 3 17:00 B out, 3 22:20 E in, 4 06:00 E out, 4 09:00 A in, 4 09:00 C in,
4 12:00 A out, 4 17:00 C out, 5 09:00 A in, 5 09:00 C in, 5 17:00 C out, 5 17:30 A out"""

HOUR, MINUTE = 3600, 60
EXPECTED = {
    "A": Totals(present=3, half_day=1, holiday=1, late=1, early=1, worked_s=98_100, expected_s=32 * HOUR, late_s=25 * MINUTE)
    + Totals(early_s=5 * HOUR, overtime_s=30 * MINUTE),
    "B": Totals(present=1, absent=3, holiday=1, worked_s=8 * HOUR, expected_s=32 * HOUR),
    "C": Totals(present=3, absent=1, holiday=1, worked_s=24 * HOUR, expected_s=32 * HOUR),
    "D": Totals(present=1, worked_s=8 * HOUR, expected_s=8 * HOUR),
    "E": Totals(present=2, late=1, worked_s=57_000, expected_s=16 * HOUR, late_s=20 * MINUTE),
}


@dataclass(frozen=True)
class Golden:
    """The state folder, the shifts, and the subject of each person."""

    folder: Path
    rota: Rota
    subjects: dict[str, int]


def golden_site(folder: Path) -> Golden:
    with open_store(folder) as store:
        subjects = {who: enrol(store, who, name) for who, name in NAMES.items()}
        for seq, told in enumerate(PUNCHES.replace("\n", " ").split(", "), start=1):
            _record(store, seq, told.split(), subjects)
        _correct(store)
        store.people.set_status("D", PersonStatus.DEACTIVATED)
    nights = [Assignment(subjects["E"], "night", MONDAY, None)]
    rota = Rota({"office": OFFICE, "night": NIGHT}, "office", nights, Holidays({date(2026, 3, 6): "holiday"}), MADRID)
    return Golden(folder, rota, subjects)


def enrol(store: Store, person_id: str, name: str, since: date = MONDAY) -> int:
    """Enrol somebody who is expected from a date on; returns the subject."""
    store.people.enrol(person_id, name, [])
    store._database.execute_sql("UPDATE people SET valid_from = ? WHERE id = ?", (since.isoformat(), person_id))
    return store.people.get(person_id).subject


def _record(store: Store, seq: int, told: list[str], subjects: dict[str, int]) -> None:
    *when, who, way = told
    one = replace(punch(seq), subject=subjects[who], status=IN if way == "in" else OUT, terminal="terminal-1")
    if when == ["unknown"]:
        one = replace(one, utc=datetime(1970, 1, 1, 0, 5, tzinfo=UTC), clock="unsynced", boot_id="boot-2")
    else:
        day, clock = when
        one = replace(one, utc=datetime.combine(date(2026, 3, int(day)), time.fromisoformat(clock), tzinfo=MADRID).astimezone(UTC))
    store.book.append_punch(one)


def _correct(store: Store) -> None:
    clock = SetClock(NEXT_MONDAY.astimezone(UTC))
    supervisor = Supervisor(store.book, clock, "S-7")
    seqs = {(when.strip()): seq for seq, when in enumerate(PUNCHES.replace("\n", " ").split(", "), start=1)}
    supervisor.amend(seqs["2 10:30 B in"], "came through the back door", datetime(2026, 3, 2, 9, tzinfo=MADRID).astimezone(UTC), None)
    for told in ("3 09:00 B in", "3 17:00 B out"):
        supervisor.void(seqs[told], "was at another site")
    store.book.append("disowned", {"target": seqs["5 09:00 C in"]}, clock.now())
