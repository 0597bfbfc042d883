"""Small facts that the terminal remembers between runs, by key."""

from typing import Any

from blinkd.store.book import Guard


class PreferencesRepository:
    """Key and value, both text."""

    def __init__(self, tables: Any, guard: Guard, reading: Guard) -> None:  # noqa: ANN401
        self._table = tables.settings
        self._guard = guard
        self._reading = reading

    def get(self, key: str) -> str | None:
        """The value, or None."""
        with self._reading():
            row = self._table.get_or_none(self._table.key == key)
        return None if row is None else str(row.value)

    def set(self, key: str, value: str) -> None:
        """Set or replace the value, on disk when this returns. Raises StoreError."""
        with self._guard():
            self._table.insert(key=key, value=value).on_conflict_replace().execute()
