"""Opens the database that the environment names, and waits for one that comes up later than the relay."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from blinkd.errors import DatabaseAway
from blinkd.relay.connections import OpenConnections
from blinkd.sync.backoff import Backoff

DATABASE_VARIABLE = "DATABASE_URL"
PATIENCE_S = 60.0  # for a database that is begun at the same time; then the process ends, and whoever supervises it begins another
SQLITE_FILE = Path("cloud_blink.db")  # in the working directory, as in the origin

T = TypeVar("T")

log = logging.getLogger(__name__)


def open_connections(environ: Mapping[str, str] | None = None) -> OpenConnections:
    """PostgreSQL by DATABASE_URL; SQLite where it is not set. Raises StoreError."""
    url = (os.environ if environ is None else environ).get(DATABASE_VARIABLE, "")
    if url:
        from blinkd.relay.postgres import PostgresConnections  # noqa: PLC0415  SQLite does without its library

        return PostgresConnections(url)
    from blinkd.relay.sqlite import SqliteConnections  # noqa: PLC0415

    return SqliteConnections(SQLITE_FILE)


def once_there(work: Callable[[], T], stop: threading.Event, patience_s: float = PATIENCE_S) -> T | None:
    """What `work` returns, tried again while the database is away; None where `stop` was set. Raises DatabaseAway when patience ends."""
    backoff, until = Backoff(0.5, 5.0), time.monotonic() + patience_s
    while True:
        try:
            return work()
        except DatabaseAway as error:
            wait = backoff.next_s()
            if time.monotonic() + wait > until:
                raise
            log.warning("%s; next try in %.0f s", error, wait)
            if stop.wait(wait):
                return None
