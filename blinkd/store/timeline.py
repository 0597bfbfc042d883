"""How far this terminal is in the registry, and whether the relay still is on the same way.

Versions are numbers that the relay gives out, and a relay whose database was put back from a back-up has lost some. So it names each by a random
word, its mark, which is another one after the database was away, and goes on far later then. This terminal says with its version the mark by
which it knows it. A relay that knows the version by none or another says so; then the newest one that both know is looked for, and what came
after it here is sent again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SqliteDatabase

from blinkd.store.book import Guard
from blinkd.store.preferences import PreferencesRepository
from blinkd.store.replica import Replica

CURSOR = "registry_version"  # preference: up to which version of the registry everything is here
MARKS = "registry_marks"  # preference: versions and the relay's words for them, as JSON
MOST_MARKS = 64
NOBODY = ""  # the author of what a relay that was put back has lost: what it has instead may have been made before
REWOUND = "registry_rewound"  # preference: "yes" from a rewind until everything that the relay has is here
SHOWN = "registry_shown"  # preference: the latest version up to which pages have ever come


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record as it stands at the relay. author: the terminal that changed it; replica: a person or template, None for a deletion, for an
    open record (`said`, `admin`), and for what cannot be used: then `refused` says why (a word, and words); epoch: of its keys; change,
    certificate: as they came, for a second try.
    """  # fmt: skip

    record: str
    type: str
    version: int
    edit: int
    author: str
    replica: Replica | None
    refused: tuple[str, str] | None
    change: Mapping[str, Any]
    certificate: bytes
    said: Mapping[str, Any] | None = None
    admin: bytes | None = None
    epoch: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether it is a deletion."""
        return self.replica is None and self.said is None and self.refused is None

    @property
    def base(self) -> int:
        """The version that its author knew."""
        return int(self.change["base"])

    @property
    def again(self) -> bool:
        """Whether its author has changed nothing, but brought what that version was to a relay that had lost it."""
        return bool(self.change.get("again"))

    def follows(self, here: str, version: int, again: bool) -> bool:
        """Whether it can stand where this terminal's change had become a version: it is that change, or knew of it, or is a deletion.

        again: that was no change, and so whoever changed what it repeated stands against it.
        """
        if self.author == here:
            return self.version >= version
        return self.version > version and (self.deleted or again or self.base >= version)


class Timeline:
    """Of one terminal."""

    def __init__(self, database: SqliteDatabase, preferences: PreferencesRepository, guard: Guard) -> None:
        self._database = database
        self._preferences = preferences
        self._guard = guard

    def version(self) -> int:
        """Up to which version of the registry everything is here; 0 at the beginning."""
        return int(self._preferences.get(CURSOR) or 0)

    def known(self, back: int = 0) -> tuple[int, str | None]:
        """A version up to which everything was here, and the relay's mark of it: the newest one, or the one that was so many pages before."""
        marks, here = self._marks(), self.version()
        if back == 0:
            return here, marks[-1][1] if marks and marks[-1][0] == here else None
        earlier = [one for one in marks if one[0] < here]
        return earlier[-back] if back <= len(earlier) else (0, None)

    def advance(self, version: int, mark: str | None, *, last: bool) -> None:
        """Everything up to a version is here. mark: the relay's, of it; last: it is the newest one. Call it within a transaction."""
        marks = [one for one in self._marks() if one[0] < version]
        if mark is not None:
            marks.append((version, mark))
        if len(marks) > MOST_MARKS:
            marks = marks[: MOST_MARKS // 2 : 2] + marks[MOST_MARKS // 2 :]  # the further back, the fewer
        self._preferences.set(CURSOR, str(version))
        self._preferences.set(MARKS, json.dumps(marks))
        if version > self._shown():
            self._preferences.set(SHOWN, str(version))
        if last and self.rewound():
            self._preferences.set(REWOUND, "")

    def rewound(self) -> bool:
        """Whether the relay was found to be an older copy, and not all that it has is here: till then versions here and there say little."""
        return self._preferences.get(REWOUND) == "yes"

    def rewind(self, version: int, mark: str | None) -> None:
        """The relay is an older copy of itself, which has in common with this terminal what came up to a version: it gets the rest from here.

        Versions stay as they are: by them it knows which terminal's state of a record is the newer one.
        """
        with self._guard():
            self._preferences.set(CURSOR, str(version))
            self._preferences.set(
                MARKS, json.dumps([*(one for one in self._marks() if one[0] < version), *([(version, mark)] if mark else [])])
            )
            self._preferences.set(REWOUND, "yes")
            self._resend("version > ?", version)
            self._database.execute_sql("DELETE FROM registry_quarantine WHERE version > ?", (version,))

    def claimed(self) -> int:
        """The latest version of which this terminal was told, by a page or by a receipt."""
        return int(self._database.execute_sql("SELECT coalesce(max(version), 0) FROM registry").fetchone()[0])

    def doubt(self, here: str, page: Sequence[Incoming], upto: int, claimed: int, *, last: bool) -> set[str]:
        """Records of which a receipt said that this terminal's change is stored, but which the relay has otherwise: it is an older copy, or
        the receipt was false. They wait again; returns which of them the page holds. claimed: what `claimed` was when the page was asked for;
        last: the page holds all that is not in an earlier one.
        """  # fmt: skip
        if last:
            # what was told before the page was asked for, and lies beyond the registry's end, nobody has stored; but what waits here for a
            # relay that has lost it, and once came by a page, was: by that version the others know that its author knew it
            self._database.execute_sql(
                "UPDATE registry SET version = ?1, edit = edit + 1, sync = 'PENDING', reason = NULL, again = NULL "
                "WHERE version > ?1 AND version <= ?2 AND NOT (sync = 'PENDING' AND version <= ?3)",
                (upto, claimed, self._shown()),
            )
        told = {one.record: one for one in page}
        rows = self._database.execute_sql(
            "SELECT record, version, again IS edit FROM registry WHERE sync = 'SYNCED' AND version > ? AND version <= ?",
            (self.version(), upto),
        ).fetchall()
        doubtful = {
            record for record, version, again in rows if (not told[record].follows(here, version, bool(again)) if record in told else last)
        }
        for record in doubtful:
            self._resend("record = ?", record)
        return doubtful & told.keys()

    def _resend(self, which: str, value: object) -> None:
        self._database.execute_sql(
            "UPDATE registry SET again = CASE WHEN sync = 'SYNCED' OR again = edit THEN edit + 1 END, edit = edit + 1, sync = 'PENDING', "
            f"reason = NULL, author = '{NOBODY}' WHERE {which}",
            (value,),
        )

    def _shown(self) -> int:
        return int(self._preferences.get(SHOWN) or 0)

    def _marks(self) -> list[tuple[int, str]]:
        """By version."""
        return [(int(version), str(mark)) for version, mark in json.loads(self._preferences.get(MARKS) or "[]")]
