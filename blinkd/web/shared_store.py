"""One database connection for all requests: opening it checks the whole file, which would be too slow for each."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from blinkd.store.database import Store


class SharedStore:
    """Used by one thread at a time: `with shared() as store`. Keep it for as short as possible, for others wait. Within it may be taken again."""

    def __init__(self, store: Store) -> None:
        """store: opened with `threads`."""
        self._store = store
        self._lock = threading.RLock()

    @contextmanager
    def __call__(self) -> Iterator[Store]:
        """The store, alone."""
        with self._lock:
            yield self._store
