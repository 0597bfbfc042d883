"""What is done once a day: retention, a check of the whole database, and the totals of past days for the dashboard."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from blinkd.attendance.reports.trend import Figures
from blinkd.attendance.shifts.rota import Rota
from blinkd.clock import Instant
from blinkd.settings import PrivacySettings
from blinkd.store.database import Store

LAST_RUN = "upkeep_at"  # the preference that holds when it last ended well
EVERY = timedelta(days=1)
KEPT_DAYS = 30  # of totals, as many as the dashboard shows


@dataclass(frozen=True, slots=True)
class Done:
    """scans, punches: erased, or to be erased in a dry run; notes: in words, what could not be done."""

    scans: int
    punches: int
    notes: tuple[str, ...]


def keep_up(
    store: Store, settings: PrivacySettings, now: Instant, rota: Rota, goes_on: Callable[[], bool] = lambda: True, *, dry: bool = False
) -> Done:
    """Do all of it. goes_on: asked between portions, so that whoever runs this can stop. Raises StoreError, for a damaged database too."""
    erased = store.retention.run(settings, now, goes_on, dry=dry)
    if not dry and goes_on():
        store.examine()
        yesterday = now.utc.astimezone(rota.zone).date() - timedelta(days=1)
        store.day_totals.forget()  # counted anew once a day, so that a row that was put there from outside does not last
        Figures(store.book, store.rosters, store.day_totals, rota, now).of(yesterday - timedelta(days=KEPT_DAYS - 1), yesterday)
        store.preferences.set(LAST_RUN, now.utc.isoformat())
    return Done(erased.scans, erased.punches, () if erased.why_not is None else (erased.why_not,))


def due(store: Store, now: datetime) -> bool:
    """Whether the last run is a day ago; also when it lies in the future, by a clock that has been set back since."""
    last = last_run(store)
    return last is None or not timedelta(0) <= now - last < EVERY


def last_run(store: Store) -> datetime | None:
    """When it last ended well, aware; None when that is not known."""
    try:
        last = datetime.fromisoformat(store.preferences.get(LAST_RUN) or "")
    except ValueError:
        return None
    return last if last.tzinfo is not None else None
