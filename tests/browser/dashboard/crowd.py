"""50,000 envelopes of four gates and six hundred people over two months, sealed, signed and verified by the real code, and what they come to."""

import json
import random
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from blinkd.attendance.punch import Direction, Punch, SyncState
from blinkd.attendance.reports.period import Period
from blinkd.attendance.reports.report import Site
from blinkd.attendance.reports.report import make as report
from blinkd.attendance.reports.roster import Roster
from blinkd.attendance.reports.stats import today
from blinkd.attendance.reports.totals import Totals
from blinkd.attendance.reports.watermark import Watermark
from blinkd.attendance.shifts.punctuality import ON_TIME, judge
from blinkd.attendance.shifts.rota import Rota
from blinkd.attendance.shifts.shift import ShiftDay
from blinkd.clock import Instant, microseconds
from blinkd.crypto.chain import NO_HASH
from blinkd.crypto.sealing import Sealer
from blinkd.relay.sqlite import SqliteConnections
from tests.browser.dashboard.organisation import NOW, ZONE, Desk, Organisation, sealed_batch

ENVELOPES = 50_000
PEOPLE = 600
GATES = ("gate-1", "gate-2", "gate-3", "gate-4")
DATABASE, EXPECTED = "relay.sqlite3", "expected.json"
BATCH = 250
IN_A_TRANSACTION = 8  # messages


@dataclass(frozen=True)
class Crowd:
    """What the relay holds, and what it comes to by blinkd's own reports."""

    connections: SqliteConnections
    expected: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Punched:
    """As the store gives them."""

    subject: np.ndarray[Any, np.dtype[np.int64]]
    us: np.ndarray[Any, np.dtype[np.int64]]
    entering: np.ndarray[Any, np.dtype[np.bool_]]
    seq: np.ndarray[Any, np.dtype[np.int64]]
    uncertain: tuple[Any, ...] = ()
    disowned: tuple[int, ...] = ()
    corrected: tuple[int, ...] = ()
    amended: tuple[int, ...] = ()


def make(folder: Path, kept: Path) -> None:
    """Make the database and what is expected of it, and leave both in a folder."""
    organisation = Organisation.begin(folder)
    desks = [organisation.terminal(name) for name in GATES]
    with desks[0].store.transaction():
        for number in range(PEOPLE):
            organisation.enrol(desks[0], f"P-{number:04}", f"Person {number:04}", number)
    organisation.publish_keyring(desks[0])
    organisation.sync(desks[0])
    subjects = [person.subject for person in desks[0].store.people.all()]
    rota = desks[0].parts.rota(desks[0].store)
    punches = list(_punches(rota, subjects))
    for number, desk in enumerate(desks):
        _send(organisation, desk, [one for gate, one in punches if gate == number])
    expected = _expected(rota, subjects, [one for _, one in punches])
    organisation.close()
    kept.mkdir(parents=True)
    shutil.copy(folder / DATABASE, kept / DATABASE)
    (kept / EXPECTED).write_text(json.dumps(expected))  # last: without it the rest is not whole


def _punches(rota: Rota, subjects: list[int]) -> Iterator[tuple[int, Punch]]:
    """Gate and punch, by time; so many that with the four first entries and the keys' there are ENVELOPES."""
    chance = random.Random(7)
    days = [day for off in range(120) if (day := NOW.date() - timedelta(days=off)).weekday() < 5]
    wanted, found = ENVELOPES - len(GATES), list[tuple[datetime, int, Direction]]()
    for day in days:
        for person in range(PEOPLE):
            for direction, when in _day(day, chance):
                if when <= NOW:
                    found.append((when, person, direction))
        if len(found) >= wanted:
            break
    found.sort(key=lambda one: one[0])
    shifts: dict[date, ShiftDay | None] = {}
    for utc, person, direction in found[len(found) - wanted :]:
        day = utc.astimezone(rota.zone).date()
        if day not in shifts:
            shifts[day] = rota.placed(subjects[person], datetime.combine(day, time(12), tzinfo=rota.zone).astimezone(UTC))
        shift = shifts[day]
        inside = shift is not None and shift.opens <= utc < shift.closes
        judged = judge(utc, direction, shift) if inside else ON_TIME
        name = shift.shift.name if shift is not None and inside else None
        yield (
            person % len(GATES),
            Punch(
                *(str(uuid.UUID(int=chance.getrandbits(128))), 0, subjects[person], "", utc, (utc - NOW).total_seconds() + 1e7),
                *(
                    "boot",
                    "synced",
                    direction,
                    judged.punctuality,
                    judged.minutes,
                    name,
                    GATES[person % len(GATES)],
                    0.7,
                    SyncState.PENDING,
                ),
            ),
        )


def _day(day: date, chance: random.Random) -> Iterator[tuple[Direction, datetime]]:
    if chance.random() < 0.06:
        return  # ill, or away
    zone = ZoneInfo(ZONE)
    for direction, around, spread in ((Direction.CHECK_IN, time(8, 55), 9 * 60), (Direction.CHECK_OUT, time(17, 10), 15 * 60)):
        seconds = max(-50 * 60, min(50 * 60, round(chance.gauss(0, spread))))  # within the windows of the shift
        yield direction, (datetime.combine(day, around, tzinfo=zone) + timedelta(seconds=seconds)).astimezone(UTC)


def _send(organisation: Organisation, desk: Desk, punches: list[Punch]) -> None:
    """A book of its own, as the terminal's shelf would send it."""
    book, before, sealer = str(uuid.uuid4()), NO_HASH, Sealer(organisation.keys, desk.name)
    genesis = {"kind": "genesis", "book": book, "key": desk.signer.public.hex()}
    contents: list[Mapping[str, Any]] = [genesis, *(one.content() for one in punches)]
    batches = []
    for first in range(0, len(contents), BATCH):
        batch, before = sealed_batch(desk, sealer, book, contents[first : first + BATCH], first, before)
        batches.append(batch)
    for first in range(0, len(batches), IN_A_TRANSACTION):
        outcome = organisation.core.take([(one, None) for one in batches[first : first + IN_A_TRANSACTION]])
        assert all(receipt.attendance is not None and not receipt.rejected for receipt in outcome.receipts)


def _expected(rota: Rota, subjects: list[int], punches: list[Punch]) -> dict[str, Any]:
    """By `blinkd report` and `blinkd stats`: the functions that these commands call, given all punches at once."""
    punched = Punched(
        np.array([one.subject for one in punches], np.int64),
        np.array([microseconds(one.utc) for one in punches], np.int64),
        np.array([one.status is Direction.CHECK_IN for one in punches]),
        np.arange(len(punches), dtype=np.int64),
    )
    everybody = np.array(sorted(subjects), np.int64)
    ends = (np.full(len(subjects), day.toordinal(), np.int32) for day in (date(2026, 1, 1), date(2027, 1, 1)))
    roster, now = Roster(everybody, *ends), Instant(NOW, 0.0, "boot", "synced")
    site = Site(GATES[0], GATES, rota)
    reported = {gate: Watermark(gate, NOW, 1) for gate in GATES}
    stats = today(punched, roster, site, reported, now)
    months = {}
    for first, last in ((date(2026, 11, 1), date(2026, 11, 30)), (date(2026, 10, 1), date(2026, 10, 31))):
        period = Period("month", first, last)
        made = report(period, punched, roster, site, reported, now, (period, Totals()))
        months[first.isoformat()] = {
            state.date.isoformat(): {"came": totals.present + totals.half_day, "late": totals.late} for state, totals in made.days
        }
    return {
        "envelopes": len(punches) + len(GATES),
        "today": {"came": stats.came, "in_now": stats.in_now, "late": stats.totals.late, "busy": list(stats.busy)},
        "months": months,
    }
