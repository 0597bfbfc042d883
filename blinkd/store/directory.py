"""People page by page, searched by name or id: of twenty thousand only those that are shown are read whole."""

import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import PersonStatus
from blinkd.store.book import Guard
from blinkd.store.people import Person

PAGE = 50  # people on a page: more than fit on any screen, and few enough to be read whole at once


@dataclass(frozen=True, slots=True)
class Portion:
    """people: by name; total: how many there are of what was asked for."""

    people: list[Person]
    total: int


class Directory:
    """Reads only."""

    def __init__(self, database: SqliteDatabase, reading: Guard, read: Callable[[Sequence[str]], list[Person]]) -> None:
        """read: people by their ids, in the order of names."""
        self._database = database
        self._reading = reading
        self._read = read

    def page(
        self, text: str = "", status: PersonStatus | None = None, group: str | None = None, *, first: int = 0, most: int = PAGE
    ) -> Portion:
        """Those from the `first` on, by name. text: each word of it must stand in the name, or the id begin with it; case and accents are
        nothing to it.
        """  # fmt: skip
        where, values = _where(status, group)
        if text.strip():
            ids = self._found(text, where, values)
            total, ids = len(ids), ids[first : first + most]
        else:
            with self._reading():
                total = int(self._rows(f"SELECT count(*) FROM people p{where}", *values)[0][0])
                rows = self._rows(f"SELECT p.id FROM people p{where} ORDER BY p.name, p.id LIMIT ? OFFSET ?", *values, most, first)
            ids = [str(row[0]) for row in rows]
        return Portion(self._read(ids), total)

    def subjects(self, text: str, most: int) -> list[int]:
        """The pseudonyms of whom `page` finds, `most` of them at most."""
        ids = self._found(text, *_where(None, None))[:most]
        marks = ", ".join("?" * len(ids))
        with self._reading():
            return [int(row[0]) for row in self._rows(f"SELECT subject FROM people WHERE id IN ({marks})", *ids)]

    def groups(self) -> list[str]:
        """The names of all groups."""
        with self._reading():
            return [str(row[0]) for row in self._rows("SELECT DISTINCT name FROM memberships ORDER BY name")]

    def _found(self, text: str, where: str, values: list[str]) -> list[str]:
        """Ids by name. In Python, for SQLite knows no other letters than those of English."""
        words = [folded(word) for word in text.split()]
        # as one text: with other threads at work, each row that is fetched by itself may have to wait for its turn
        inner = f"SELECT p.id, p.name FROM people p{where} ORDER BY p.name, p.id"
        with self._reading():
            (whole,) = self._rows(f"SELECT json_group_array(json_array(id, name)) FROM ({inner})", *values)[0]
        found = []
        for person_id, name in json.loads(whole):
            plain, number = folded(name), folded(person_id)
            if all(word in plain or number.startswith(word) for word in words):
                found.append(str(person_id))
        return found

    def _rows(self, sql: str, *values: object) -> list[Any]:
        return list(self._database.execute_sql(sql, values).fetchall())


def folded(text: str) -> str:
    """Without case and accents, so that "zoe" finds "Zoë"."""
    if text.isascii():
        return text.lower()
    return "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))


def _where(status: PersonStatus | None, group: str | None) -> tuple[str, list[str]]:
    conditions, values = [], []
    if status is not None:
        conditions.append("p.status = ?")
        values.append(status.value)
    if group is not None:
        conditions.append("p.id IN (SELECT person_id FROM memberships WHERE name = ?)")
        values.append(group)
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values
