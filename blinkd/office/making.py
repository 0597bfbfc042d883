"""From what somebody asked for to a counted report."""

import os
from dataclasses import dataclass

import numpy as np

from blinkd.attendance.reports.period import Period
from blinkd.attendance.reports.report import Report, Site, Standing, make, span
from blinkd.attendance.reports.roster import Longs
from blinkd.attendance.reports.totals import Totals, whole
from blinkd.attendance.reports.trend import Figures
from blinkd.attendance.reports.watermark import Watermark
from blinkd.clock import Instant
from blinkd.errors import ReportRefused, UnknownPerson
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import DATABASE_FILE, Store
from blinkd.store.rosters import Known


@dataclass(frozen=True, slots=True)
class Made:
    """A report, the punches it was counted from, and whom its subjects stand for."""

    report: Report
    punched: Standing
    known: dict[int, Known]


def site_of(parts: Parts, store: Store) -> Site:
    """This terminal's site, with the shifts in force."""
    terminal = parts.settings.terminal
    return Site(terminal.id, terminal.others, parts.rota(store))


def own(settings: Settings) -> bool:
    """Whether the database is this user's, who then may keep what past days came to; anybody else's files would be in its owner's way."""
    try:
        return (settings.state_dir / DATABASE_FILE).stat().st_uid == os.geteuid()
    except OSError:
        return False


def marks(store: Store, site: Site) -> dict[str, Watermark]:
    """How far each terminal of the site has reported, this one among them."""
    own = store.book.reported(site.here)
    return store.watermarks.all() | ({} if own is None else {site.here: own})


def chosen(store: Store, person: str | None, group: str | None) -> Longs | None:
    """The subjects of a person or a group; None for everybody. Raises UnknownPerson, ReportRefused."""
    if person is not None:
        subjects = [subject for subject in store.book.subjects_of(person) if _exists(store, subject)]
        if not subjects:
            raise UnknownPerson(f"nobody has the id {person!r}, and nobody had it; blinkd people list shows who is enrolled")
        return np.array(sorted(set(subjects)), np.int64)
    return None if group is None else store.rosters.group(group)


def _exists(store: Store, subject: int) -> bool:
    """A pseudonym that somebody typed may be nobody's."""
    return store.rosters.known([subject])[subject].known or store.rosters.punched(subject)


def counted(site: Site, store: Store, period: Period, now: Instant, only: Longs | None, *, compare: bool = True) -> Made:
    """Count a period. compare: whether the period before is counted too. Raises ReportRefused when there is nothing to report on."""
    before = period.before(now.utc.astimezone(site.zone).date())
    earlier = (
        Totals() if not compare else _site_totals(site, store, before, now) if only is None else _totals(site, store, before, now, only)
    )
    report, punched = _make(site, store, period, now, only, (before, earlier))
    if not report.people and not store.rosters.roster(period.first, period.last, site.zone).anybody:
        raise ReportRefused(
            f"{period.first} to {period.last}: nobody was enrolled and nobody punched, so there is nothing to report; blinkd enroll adds people"
        )
    subjects = {one.subject for one in report.people}
    return Made(report, punched, store.rosters.known(sorted(subjects)))


def _make(
    site: Site, store: Store, period: Period, now: Instant, only: Longs | None, before: tuple[Period, Totals]
) -> tuple[Report, Standing]:
    since, until = span(period, site.rota)
    subject = int(only[0]) if only is not None and len(only) == 1 else None
    punched = store.book.stamps(since, until, subject)
    roster = store.rosters.roster(period.first, period.last, site.zone)
    if only is not None:
        roster = roster.only(only)
    return make(period, punched, roster, site, marks(store, site), now, before, only), punched


def _totals(site: Site, store: Store, period: Period, now: Instant, only: Longs) -> Totals:
    report, _ = _make(site, store, period, now, only, (period, Totals()))
    return whole(report.attendances)


def _site_totals(site: Site, store: Store, period: Period, now: Instant) -> Totals:
    figures = Figures(store.book, store.rosters, store.day_totals, site.rota, now).of(period.first, period.last)
    return sum((one.totals for one in figures.values()), Totals())
