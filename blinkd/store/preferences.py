"""Small facts that the terminal remembers between runs, by key."""

from typing import Any


class PreferencesRepository:
    """Key and value, both text."""

    def __init__(self, tables: Any) -> None:  # noqa: ANN401
        self._table = tables.settings

    def get(self, key: str) -> str | None:
        """The value, or None."""
        row = self._table.get_or_none(self._table.key == key)
        return None if row is None else str(row.value)

    def set(self, key: str, value: str) -> None:
        """Set or replace the value."""
        self._table.insert(key=key, value=value).on_conflict_replace().execute()
