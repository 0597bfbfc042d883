"""ON_TIME or LATE, and IN or OUT: pure functions of local time."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from blinkd.attendance.punch import Direction, Punctuality


@dataclass(frozen=True, slots=True)
class Judgement:
    """minutes_late: whole minutes after the start of the shift, 0 unless LATE."""

    punctuality: Punctuality
    minutes_late: int


def judge(utc: datetime, direction: Direction, zone: ZoneInfo, shift_start: time, grace_min: int) -> Judgement:
    """Judge a punch at an aware time against the start of the shift on that local day; only a check-in can be late.

    The grace ends with its last minute's full stroke: at 09:10:00 a check-in with ten minutes' grace is ON_TIME, any moment later it is
    LATE, and minutes_late counts the whole minutes since the start (10 at 09:10:01). The difference is taken in real time, so that it is
    right on the two days a year when the clocks change.
    """
    if direction is Direction.CHECK_OUT:
        return Judgement(Punctuality.ON_TIME, 0)
    local = utc.astimezone(zone)
    start = datetime.combine(local.date(), shift_start, tzinfo=zone)
    # both in UTC first: Python subtracts times of one zone as the wall shows them
    late = utc.astimezone(UTC) - start.astimezone(UTC)
    if late <= timedelta(minutes=grace_min):
        return Judgement(Punctuality.ON_TIME, 0)
    return Judgement(Punctuality.LATE, late // timedelta(minutes=1))


def next_direction(last: tuple[Direction, datetime] | None, utc: datetime, zone: ZoneInfo) -> Direction:
    """IN and OUT alternate within one local day, and each day begins with IN.

    A check-out forgotten yesterday must not turn this morning's arrival into a departure; shifts over midnight come with the shift
    rules, which replace this one. last: direction and aware time of the person's last punch.
    """
    if last is None:
        return Direction.CHECK_IN
    direction, when = last
    same_day = when.astimezone(zone).date() == utc.astimezone(zone).date()
    return Direction.CHECK_OUT if same_day and direction is Direction.CHECK_IN else Direction.CHECK_IN
