"""The lease by which the terminal's pages have the camera's people to themselves while somebody is registered."""

import json
from contextlib import suppress

from blinkd.clock import Instant
from blinkd.store.preferences import PreferencesRepository

LEASE = "registration_lease"  # preference: until when by which boot's clock, as JSON
LEASE_S = 30.0  # of one renewal: so long the door waits for a page that has died without a word


class RegistrationLease:
    """In the database, where the daemon sees it within a second. By the boot clock, which nobody can set."""

    def __init__(self, preferences: PreferencesRepository) -> None:
        self._preferences = preferences

    def renew(self, now: Instant) -> None:
        """For LEASE_S from now. Raises StoreError."""
        self._preferences.set(LEASE, json.dumps({"boot_id": now.boot_id, "until_s": now.boot_s + LEASE_S}))

    def end(self) -> None:
        """At once. Raises StoreError."""
        if self._preferences.get(LEASE):
            self._preferences.set(LEASE, "")

    def in_force(self, now: Instant) -> bool:
        """Whether somebody holds it. One of another boot, or longer than any that is given out, is none. Raises StoreError."""
        with suppress(ValueError, KeyError, TypeError):
            said = json.loads(self._preferences.get(LEASE) or "")
            return said["boot_id"] == now.boot_id and 0 < float(said["until_s"]) - now.boot_s <= LEASE_S
        return False
