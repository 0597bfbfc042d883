"""What the terminal vouches for of people: that a name, a status and the dates of validity are the ones that were given through it.

Who is enrolled gets a signature; every later change is an entry of the book, so that an earlier state cannot be put back. The digests say nothing
without the person's salt, which goes with the person.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from peewee import SqliteDatabase

from blinkd.clock import Instant, SystemClock
from blinkd.crypto.chain import binding_of, new_salt, state_of
from blinkd.crypto.signing import Verifier

PEOPLE, PEOPLE_AT_ONCE = "people", 500  # entries that say how people are now; so many in one
DELETION = "deletion"  # entries that say that a person is gone
CONTEXT = b"blinkd person 1\n"
PERSON = "SELECT salt, subject, id, name, status, valid_from, valid_until FROM people"
Entries = Callable[[str], Iterable[tuple[int, Mapping[str, Any], str | None]]]


class Vouching:
    """Transactions are the caller's."""

    def __init__(
        self,
        database: SqliteDatabase,
        sign: Callable[[bytes], bytes],
        append: Callable[[str, Mapping[str, Any], Instant], int],
        entries: Entries,
        reading: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._database = database
        self._sign = sign
        self._append = append
        self._entries = entries
        self._reading = reading

    def enrolled(self, person_id: str) -> None:
        """Sign a new person as they stand in the table. Raises KeyMissing."""
        (digest,) = self._states((person_id,)).values()
        self._database.execute_sql("UPDATE people SET signature = ? WHERE id = ?", (self._sign(CONTEXT + bytes.fromhex(digest)), person_id))

    def changed(self, *person_ids: str) -> None:
        """Add an entry that says how people stand in the table now. Raises KeyMissing."""
        states = self._states(person_ids)
        if states:
            self._append(PEOPLE, {"states": [list(one) for one in states.items()]}, SystemClock().now())

    def older(self) -> Iterator[Mapping[str, Any]]:
        """Contents of the entries by which a book that begins vouches for people whom an older version enrolled, and those it had left.

        Who has no salt gets one: from then on nobody is without.
        """
        former = []
        for table in ("people", "former_people"):
            for (subject,) in self._database.execute_sql(f"SELECT subject FROM {table} WHERE salt IS NULL").fetchall():
                self._database.execute_sql(f"UPDATE {table} SET salt = ? WHERE subject = ?", (new_salt(), subject))
        for subject, person_id, salt in self._database.execute_sql("SELECT subject, id, salt FROM former_people").fetchall():
            former.append(binding_of(bytes(salt), int(subject), str(person_id)))
        unsigned = [row[0] for row in self._database.execute_sql("SELECT id FROM people WHERE signature IS NULL").fetchall()]
        states = [list(one) for one in self._states(unsigned).items()]
        for start in range(0, max(len(states), len(former)), PEOPLE_AT_ONCE):
            some = slice(start, start + PEOPLE_AT_ONCE)
            yield {"kind": PEOPLE, "states": states[some], "former": former[some]}

    def unproved(self, key: bytes | None) -> dict[int, str]:
        """Ids, by pseudonym, of people of whom the tables say something else than the terminal vouches for.

        key: the public key that the book began with, 32 bytes.
        """
        with self._reading():
            said: dict[int, str] = {}
            bindings: set[str] = set()
            for _, content, _ in self._entries(PEOPLE):
                said |= {int(subject): str(digest) for subject, digest in content["states"]}
                bindings.update(content.get("former", ()))
            bindings.update(content["binding"] for _, content, _ in self._entries(DELETION) if content.get("binding"))
            return self._wrong_people(said, None if key is None else Verifier(key)) | self._wrong_former(bindings)

    def nameless(self) -> dict[int, int]:
        """Pseudonyms of punches of whom nobody knows whose they are, and no entry says that the person was deleted; the first punch of each."""
        with self._reading():
            deleted = {(content["subject"], content["hours"]) for _, content, _ in self._entries(DELETION)}
            found = self._database.execute_sql(
                """SELECT subject, min(seq) FROM punches WHERE subject NOT IN (SELECT subject FROM people)
                AND subject NOT IN (SELECT subject FROM former_people) GROUP BY subject"""
            ).fetchall()
        return {int(subject): int(seq) for subject, seq in found if (subject, "pseudonym") not in deleted}

    def _states(self, person_ids: Collection[str]) -> dict[int, str]:
        found = {}
        for person_id in person_ids:
            row = self._database.execute_sql(f"{PERSON} WHERE id = ?", (person_id,)).fetchone()
            if row is not None and row[0] is not None:
                found[int(row[1])] = state_of(bytes(row[0]), *row[1:])
        return found

    def _wrong_people(self, said: Mapping[int, str], verifier: Verifier | None) -> dict[int, str]:
        wrong = {}
        for row in self._database.execute_sql(f"{PERSON.replace(' FROM', ', signature FROM')}").fetchall():
            salt, subject, person_id, *_, signature = row
            digest = state_of(salt, *row[1:-1]) if isinstance(salt, bytes) else ""
            if subject in said:
                known = said[subject] == digest
            else:
                known = bool(digest) and isinstance(signature, bytes) and verifier is not None
                known = known and verifier is not None and verifier.holds(CONTEXT + bytes.fromhex(digest), signature)
            if not known:
                wrong[int(subject)] = str(person_id)
        return wrong

    def _wrong_former(self, bindings: set[str]) -> dict[int, str]:
        rows = self._database.execute_sql("SELECT subject, id, salt FROM former_people").fetchall()
        return {
            int(subject): str(person_id)
            for subject, person_id, salt in rows
            if not isinstance(salt, bytes) or binding_of(salt, int(subject), str(person_id)) not in bindings
        }
