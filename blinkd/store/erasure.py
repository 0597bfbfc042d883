"""Erases a person everywhere on this terminal, and keeps the proof that it was done."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

from peewee import SqliteDatabase

from blinkd.attendance.ledger import LEDGER_KINDS
from blinkd.attendance.punch import pseudonym
from blinkd.attendance.receipt import Receipt, sign
from blinkd.attendance.supervisor import LONGEST_BY, LONGEST_WHY, words
from blinkd.clock import Instant
from blinkd.crypto.chain import binding_of
from blinkd.crypto.signing import Signer
from blinkd.errors import NotAllowed
from blinkd.store.book import BookRepository
from blinkd.store.people import PeopleRepository
from blinkd.store.vouching import DELETION

Hours = Literal["id", "pseudonym", "erase"]
WITHDRAWAL = "withdrawal"
WORD = re.compile(r"\w+")
SAID_TWICE = ("hours", "by", "erased")  # in the entry of a deletion and in its receipt


class Erasure:
    """Deletion and withdrawal of consent; each is one transaction."""

    def __init__(
        self,
        database: SqliteDatabase,
        people: PeopleRepository,
        book: BookRepository,
        signer: Callable[[bool], Signer],
        guard: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._database = database
        self._people = people
        self._book = book
        self._signer = signer  # called with whether a missing key may be made
        self._guard = guard

    def delete(self, person_id: str, hours: Hours, by: str, why: str, now: Instant, *, typed: bool = True) -> Receipt:
        """Erase name, templates, groups, records of enrolment, words about the person, and what hours says of the punches.

        typed: somebody wrote the reason, who may have named the person in it. What stays in the book stays under the pseudonym (`id`:
        under the id). Raises UnknownPerson, NotAllowed, KeyMissing, StoreError.
        """
        by, why = words(by, "name of who deletes (--by)", LONGEST_BY), words(why, "reason (--why)", LONGEST_WHY)
        with self._guard():
            self._book.begin()  # after which nobody is without a salt
            person = self._people.get(person_id)
            if typed and _names(why, person.name, person.id):
                raise NotAllowed("the reason (--why) names the person, and stays in the book; write it without name and id")
            erased = {
                "templates": person.templates,
                "enrolments": len(self._people.enrolments(person_id)),
                "groups": len(person.groups),
                "words": self._book.erase_notes(person.subject, "person deleted", now),
                "punches": self._erase_hours(person.subject, now) if hours == "erase" else 0,
            }
            self._people.erase(person_id, keep_id=hours == "id")
            said = {"subject": person.subject, "hours": hours, "by": by, "erased": erased} | self._binding(person.subject)
            seq = self._book.append(DELETION, said, now, why)
            head = self._book.begin()
        content = {
            "person_id": person.id,
            "pseudonym": pseudonym(person.subject),
            "hours": hours,
            "erased": erased,
            "by": by,
            "why": why,
            "at": now.utc.isoformat(),
            "clock": now.confidence,
            "book": head.book,
            "entry": seq,
            "entry_hash": head.hash.hex(),
        }
        return sign(content, self._signer(False))

    def withdraw(self, person_id: str, by: str, why: str, now: Instant) -> int:
        """The person no longer consents: templates are erased and the person is switched off; the name stays, for the hours are theirs.

        Returns how many templates there were. Raises as `delete`.
        """
        by, why = words(by, "name of who withdraws (--by)", LONGEST_BY), words(why, "reason (--why)", LONGEST_WHY)
        with self._guard():
            subject = self._people.get(person_id).subject
            erased = self._people.withdraw(person_id)
            self._book.append(WITHDRAWAL, {"subject": subject, "templates": erased, "by": by}, now, why)
        return erased

    def holds(self, receipt: Receipt) -> bool | None:
        """Whether this book's terminal signed a receipt, and the book holds the deletion that it tells of; None when it is of another book."""
        head = self._book.head()
        if head is None or head.book != receipt.content.get("book"):
            return None
        content = receipt.content
        if type(content.get("entry")) is not int or not 0 <= content["entry"] <= head.seq:
            return False
        row = self._database.execute_sql(
            "SELECT hash, content FROM chain JOIN entries USING (seq) WHERE seq = ? AND kind = ?", (content["entry"], DELETION)
        ).fetchone()
        key = self._database.execute_sql("SELECT json_extract(content, '$.key') FROM entries WHERE seq = 0").fetchone()
        if row is None or key is None or key[0] != receipt.public.hex() or bytes(row[0]).hex() != content.get("entry_hash"):
            return False
        said = json.loads(row[1])
        return pseudonym(said["subject"]) == content.get("pseudonym") and all(said[one] == content.get(one) for one in SAID_TWICE)

    def _binding(self, subject: int) -> dict[str, str]:
        """What the deletion's entry keeps of somebody whose hours stay under the id, so that nobody can be put in their place."""
        row = self._database.execute_sql("SELECT salt, id FROM former_people WHERE subject = ?", (subject,)).fetchone()
        return {} if row is None else {"binding": binding_of(bytes(row[0]), subject, row[1])}

    def _erase_hours(self, subject: int, now: Instant) -> int:
        kinds = ", ".join("?" * len(LEDGER_KINDS))
        punches = [int(row[0]) for row in self._rows("SELECT seq FROM punches WHERE subject = ?", subject)]
        later = [
            int(row[0]) for row in self._rows(f"SELECT seq FROM entries WHERE subject = ? AND kind IN ({kinds})", subject, *LEDGER_KINDS)
        ]
        self._book.erase([*punches, *later], "person deleted", now)
        return len(punches)

    def _rows(self, sql: str, *values: object) -> list[Any]:
        return list(self._database.execute_sql(sql, values).fetchall())


def _names(text: str, name: str, person_id: str) -> bool:
    """Whether a text holds the person's id, or one of the words of their name."""
    said = set(WORD.findall(text.casefold()))
    return bool(said & {word for word in WORD.findall(name.casefold()) if len(word) > 1}) or person_id.casefold() in text.casefold()
