"""Writes the audit: what operators do, and what was refused."""

import logging
from typing import TYPE_CHECKING

from blinkd.clock import Clock
from blinkd.errors import StoreError
from blinkd.store.audit import Outcome
from blinkd.web.shared_store import SharedStore

if TYPE_CHECKING:
    from blinkd.web.admin.access import Signed

MOST_REFUSALS = 30  # lines an hour; more are counted and told of in one, so that nobody can fill the disk by guessing
REFUSALS_S = 3600.0

log = logging.getLogger(__name__)


class Recorder:
    """Use `done` within the transaction of what it tells of, or after it; `refused` on its own."""

    def __init__(self, store: SharedStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._since_s = float("-inf")
        self._refusals = self._untold = 0

    def done(self, signed: "Signed", action: str, target: str = "", outcome: Outcome = "done", reason: str = "") -> None:
        """An operator has done something. target: ids, never names. Raises StoreError: what cannot be audited is not done."""
        with self._store.use() as store:
            store.audit.append(self._clock.now(), signed.operator.id, signed.roles, action, target, outcome, reason)

    def unsigned(self, action: str, target: str = "", outcome: Outcome = "done", reason: str = "") -> None:
        """Somebody has done something without being logged in: the first run. Raises StoreError."""
        with self._store.use() as store:
            store.audit.append(self._clock.now(), None, (), action, target, outcome, reason)

    def refused(self, signed: "Signed | None", action: str, target: str = "", reason: str = "") -> None:
        """Somebody was refused something; so many lines an hour at most. A full disk is only logged: the refusal stands."""
        with self._store.use() as store:
            now = self._clock.now()
            if now.boot_s - self._since_s >= REFUSALS_S:
                self._since_s, self._refusals = now.boot_s, 0
                untold, self._untold = self._untold, 0
            else:
                untold = 0
            self._refusals += 1
            if self._refusals > MOST_REFUSALS:
                self._untold += 1
                return
            operator, roles = (None, frozenset[str]()) if signed is None else (signed.operator.id, signed.roles)
            try:
                if untold:
                    store.audit.append(now, None, (), "refusals", "", "refused", f"{untold} more within an hour were not written down")
                store.audit.append(now, operator, roles, action, target, "refused", reason)
            except StoreError as error:
                log.error("the audit cannot be written: %s", error)
