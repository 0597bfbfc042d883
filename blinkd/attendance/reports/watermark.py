"""Which days are final: every terminal of the site has reported past their end, and nothing in the book may still move into or out of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from blinkd.attendance.reports.span import DaySpan
from blinkd.clock import BUILT, Instant

LISTED = 10  # numbers in one sentence


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a terminal has reported. utc: aware, every punch of it before that moment is here; seq: the last of its numbers that is."""

    terminal: str
    utc: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class DayState:
    """why: every reason for which the day is provisional; none when it is final."""

    date: date
    why: tuple[str, ...]

    @property
    def final(self) -> bool:
        """Whether nothing that is yet to come should change it."""
        return not self.why


class Doubt(Protocol):
    """A punch whose time is not known; of a moment between `after` and `before`, where these are known."""

    @property
    def seq(self) -> int:
        """Its number."""

    @property
    def recorded(self) -> datetime:
        """What the clock showed."""

    @property
    def after(self) -> datetime | None:
        """The latest trusted time before it."""

    @property
    def before(self) -> datetime | None:
        """The earliest trusted time after it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What decides whether days are final. here: this terminal's id; others: those of the same site; reported: by terminal, of this one up
    to its newest trusted time; disowned: number and time of the punches that wait for a supervisor.
    """  # fmt: skip

    here: str
    others: Sequence[str]
    reported: Mapping[str, Watermark]
    now: Instant
    zone: ZoneInfo
    uncertain: Sequence[Doubt]
    disowned: Sequence[tuple[int, datetime]]

    def state(self, span: DaySpan) -> DayState:
        """Whether a day is final, and if not, every reason."""
        return DayState(span.date, (*self._clock(span), *self._terminals(span), *self._doubts(span), *self._disowned(span)))

    def _clock(self, span: DaySpan) -> Iterable[str]:
        if self.now.confidence == "unsynced":
            mark = self.reported.get(self.here)
            if mark is None:
                yield f"{self.here}: its clock is not trusted now, so it cannot be said which days are over"
            elif mark.utc < span.until:
                yield f"{self.here}: its clock is not trusted now; when it last was, {self._shown(mark.utc)}, this day was not over"
        elif self.now.utc < span.until:
            yield f"the day is not over; its last shift window ends {self._shown(span.until)}"

    def _terminals(self, span: DaySpan) -> Iterable[str]:
        for terminal in self.others:
            if terminal == self.here:
                continue
            mark = self.reported.get(terminal)
            if mark is None:
                yield f"{terminal}: has not reported yet"
            elif mark.utc < span.until:
                yield f"{terminal}: has reported up to {self._shown(mark.utc)}, entry {mark.seq}"

    def _doubts(self, span: DaySpan) -> Iterable[str]:
        found = [doubt.seq for doubt in self.uncertain if may_belong(doubt, span, self.now)]
        if found:
            yield f"punches whose time is uncertain may belong to it: {listed(found)}"

    def _disowned(self, span: DaySpan) -> Iterable[str]:
        found = [seq for seq, utc in self.disowned if span.since <= utc < span.until]
        if found:
            yield f"punches that were disowned wait for a supervisor: {listed(found)}"

    def _shown(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).isoformat(sep=" ", timespec="minutes")


def may_belong(doubt: Doubt, span: DaySpan, now: Instant) -> bool:
    """Whether an uncertain punch may be one of that day: by what is known of its time, and for what is not, since this program exists."""
    if span.since <= doubt.recorded < span.until:
        return True
    before = doubt.before or (now.utc if now.confidence != "unsynced" else None)
    return (doubt.after or BUILT) < span.until and (before is None or before >= span.since)


def runs(states: Iterable[DayState]) -> list[tuple[date, date, tuple[str, ...]]]:
    """Provisional days in a row that have the same reasons: first, last, and why."""
    found: list[tuple[date, date, tuple[str, ...]]] = []
    for state in states:
        if found and found[-1][2] == state.why and state.date - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], state.date, state.why)
        elif not state.final:
            found.append((state.date, state.date, state.why))
    return found


def listed(seqs: Sequence[int]) -> str:
    """Numbers of entries in words; of many the first ones."""
    shown = ", ".join(str(seq) for seq in sorted(seqs)[:LISTED])
    return shown if len(seqs) <= LISTED else f"{shown} and {len(seqs) - LISTED} more"
