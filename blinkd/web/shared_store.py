"""The one open store of the web process: opening checks the whole database, so requests share it, one at a time."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from blinkd.parts import Parts
from blinkd.store.database import Store

log = logging.getLogger(__name__)


class SharedStore:
    """Opened when it is first needed, and again at the next need where that has failed: the kiosk shows what it can without it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.RLock()
        self._store: Store | None = None

    @contextmanager
    def use(self) -> Iterator[Store]:
        """For one thread at a time. Keep it short: the others wait. Raises StoreError, KeyMissing."""
        with self._lock:
            if self._store is None:
                self._store = self._parts.open_store(repair=False, threads=True)
                self._store.book.begin()
            yield self._store

    def close(self) -> None:
        """When the process ends."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = None
