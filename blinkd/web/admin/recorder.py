"""Writes the audit: what operators do, and what was refused."""

import logging
from dataclasses import dataclass

from blinkd.clock import Clock
from blinkd.errors import StoreError
from blinkd.store.audit import Outcome
from blinkd.web.admin.signed import Signed
from blinkd.web.shared_store import SharedStore

# Lines an hour of each operator, and of all who are not logged in together; more are counted and told of in one. So nobody fills the disk by
# guessing, and whoever is logged in cannot hide behind somebody who does.
MOST_REFUSALS = 30
REFUSALS_S = 3600.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Hour:
    """since_s: seconds since boot when it began; count: refusals in it; untold: those of them that were not written down."""

    since_s: float
    count: int = 0
    untold: int = 0


class Recorder:
    """Use `done` within the transaction of what it tells of, or after it; `refused` on its own."""

    def __init__(self, store: SharedStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._hours: dict[int | None, _Hour] = {}  # by operator, who are few

    def done(self, signed: Signed, action: str, target: str = "", outcome: Outcome = "done", reason: str = "") -> None:
        """An operator has done something. target: ids, never names. Raises StoreError: what cannot be audited is not done."""
        with self._store.use() as store:
            store.audit.append(self._clock.now(), signed.operator.id, signed.roles, action, target, outcome, reason)

    def unsigned(self, action: str, target: str = "", outcome: Outcome = "done", reason: str = "") -> None:
        """Somebody has done something without being logged in: the first run. Raises StoreError."""
        with self._store.use() as store:
            store.audit.append(self._clock.now(), None, (), action, target, outcome, reason)

    def refused(self, signed: "Signed | None", action: str, target: str = "", reason: str = "") -> None:
        """Somebody was refused something; so many lines an hour at most. A full disk is only logged: the refusal stands."""
        operator, roles = (None, frozenset[str]()) if signed is None else (signed.operator.id, signed.roles)
        with self._store.use() as store:
            now = self._clock.now()
            hour = self._hours.setdefault(operator, _Hour(now.boot_s))
            untold = 0
            if now.boot_s - hour.since_s >= REFUSALS_S:
                untold = hour.untold
                hour = self._hours[operator] = _Hour(now.boot_s)
            hour.count += 1
            if hour.count > MOST_REFUSALS:
                hour.untold += 1
                return
            try:
                if untold:
                    store.audit.append(
                        now, operator, roles, "refusals", "", "refused", f"{untold} more within an hour were not written down"
                    )
                store.audit.append(now, operator, roles, action, target, "refused", reason)
            except StoreError as error:
                log.error("the audit cannot be written: %s", error)
