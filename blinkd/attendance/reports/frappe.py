"""Punches as Frappe HR's Data Import takes them for its Employee Checkin.

It wants the wall clock's time without an offset. In the night when the clocks go back one hour comes twice, and its times then say
nothing of which; such punches are written as the wall showed them, and listed, for somebody must look at those hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from blinkd.attendance.reports.lines import Known
from blinkd.attendance.reports.report import Standing
from blinkd.clock import moment_of

TITLES = ("Employee", "Time", "Log Type", "Location / Device ID")  # the labels of the DocType's fields


@dataclass(frozen=True, slots=True)
class Checkins:
    """rows: as TITLES says, by time; the others are numbers of punches. uncertain, disowned, erased (of people who are no employees here any
    more): left out; doubled: in the rows, but in the hour that came twice.
    """  # fmt: skip

    rows: list[tuple[str, str, str, str]]
    uncertain: list[int]
    disowned: list[int]
    erased: list[int]
    doubled: list[int]


def checkins(
    punched: Standing,
    known: Mapping[int, Known],
    named: Mapping[int, bool],
    here: str,
    elsewhere: Mapping[int, str],
    zone: ZoneInfo,
    first: date,
    last: date,
) -> Checkins:
    """The punches of local dates, both included. named: whether a subject is an employee by an id; here: the terminal of all punches but
    those of `elsewhere`, which is by number.
    """  # fmt: skip
    doubtful = {one.seq for one in punched.uncertain}
    waiting = set(punched.disowned)
    found = Checkins([], sorted(doubtful), [], [], [])
    order = np.lexsort((punched.seq, punched.us))
    columns = (punched.seq[order], punched.subject[order], punched.us[order], punched.entering[order])
    for seq, subject, us, entering in zip(*(column.tolist() for column in columns), strict=True):
        local = moment_of(us).astimezone(zone)
        if not first <= local.date() <= last or seq in doubtful:
            continue
        if seq in waiting:
            found.disowned.append(seq)
        elif not named[subject]:
            found.erased.append(seq)
        else:
            if twice(local):
                found.doubled.append(seq)
            device = elsewhere.get(seq, here)
            found.rows.append((known[subject].person_id, f"{local:%Y-%m-%d %H:%M:%S}", "IN" if entering else "OUT", device))
    return found


def twice(local: datetime) -> bool:
    """Whether the wall shows this time a second time that day."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
