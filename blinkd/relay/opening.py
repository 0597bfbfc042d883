"""Opens the database that the environment names."""

import os
from collections.abc import Mapping
from pathlib import Path

from blinkd.relay.connections import OpenConnections

DATABASE_VARIABLE = "DATABASE_URL"
SQLITE_FILE = Path("cloud_blink.db")  # in the working directory, as in the origin


def open_connections(environ: Mapping[str, str] | None = None) -> OpenConnections:
    """PostgreSQL by DATABASE_URL; SQLite where it is not set. Raises StoreError."""
    url = (os.environ if environ is None else environ).get(DATABASE_VARIABLE, "")
    if url:
        from blinkd.relay.postgres import PostgresConnections  # noqa: PLC0415  SQLite does without its library

        return PostgresConnections(url)
    from blinkd.relay.sqlite import SqliteConnections  # noqa: PLC0415

    return SqliteConnections(SQLITE_FILE)
