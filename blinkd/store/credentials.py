"""PINs and badges: by what people whom the camera cannot do are known."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.supervisor import LONGEST_BY, words
from blinkd.clock import Instant
from blinkd.crypto.at_rest import TemplateCipher
from blinkd.errors import PinRefused, UnknownPerson
from blinkd.store.book import Guard
from blinkd.store.replica import CredentialReplica, Kind

MOST = 10  # PINs and badges of one person; what travels has room for more
CREDENTIAL = "credential"  # entries that say that a PIN or badge was given or taken away


class CredentialRepository:
    """Every change is an entry of the book too, which says by whom, and never what it was."""

    def __init__(
        self,
        database: SqliteDatabase,
        cipher: Callable[[bool], TemplateCipher],
        append: Callable[[str, Mapping[str, Any], Instant], int],
        guard: Guard,
        reading: Guard,
        forget: Callable[[], None],
    ) -> None:
        """append: adds an entry to the book; forget: called when something deleted must leave the files too."""
        self._database = database
        self._cipher = cipher
        self._append = append
        self._guard = guard
        self._reading = reading
        self._forget = forget

    def set_pin(self, person_id: str, hashed: str, by: str, now: Instant) -> None:
        """In the place of the PIN that there was. Raises UnknownPerson, NotAllowed, KeyMissing, StoreError."""
        self._change(person_id, "pin", hashed, by, now, replace=True)

    def add_badge(self, person_id: str, digest: str, by: str, now: Instant, *, replace: bool) -> None:
        """A badge by the digest of its code; replace: those that there were open nothing any more. Raises PinRefused for somebody else's, and
        as `set_pin`.
        """  # fmt: skip
        with self._guard():
            if any(owner != person_id for owner in self.holders_of(digest)):
                raise PinRefused("this badge or card is somebody else's already; take another one")
            if not replace and len(self.kept(person_id)) >= MOST:
                raise PinRefused(f"{person_id} has {MOST} already; take them away first (--revoke)")
            self._change(person_id, "badge", digest, by, now, replace=replace)

    def take_away(self, person_id: str, kind: Kind, by: str, now: Instant) -> int:
        """All of one kind; returns how many there were. Raises as `set_pin`."""
        said = {"by": words(by, "name of who changes this (--by)", LONGEST_BY), "what": f"{kind}_taken"}
        with self._guard():
            subject, gone = self._subject(person_id), self._delete(person_id, kind)
            if gone:
                self._append(CREDENTIAL, said | {"subject": subject}, now)
        self._forget()
        return gone

    def pin_of(self, person_id: str) -> str | None:
        """The hash of a person's PIN; None where there is none. Raises KeyMissing."""
        with self._reading():
            return next((one.hash for one in self._of(person_id) if one.kind == "pin"), None)

    def pin_holders(self) -> list[str]:
        """Ids of everybody who has a PIN."""
        with self._reading():
            return [str(row[0]) for row in self._rows("SELECT person_id FROM credentials WHERE kind = 'pin' ORDER BY person_id")]

    def holders_of(self, digest: str) -> list[str]:
        """Ids of those whose badge it is: one, none, or several where two terminals gave one card away without knowing of each other."""
        with self._reading():
            if not self._rows("SELECT 1 FROM credentials LIMIT 1"):
                return []  # and perhaps no key either
            lookup = self._cipher(False).lookup(digest)
            return [str(row[0]) for row in self._rows("SELECT DISTINCT person_id FROM credentials WHERE lookup = ?", lookup)]

    def kept(self, person_id: str) -> list[dict[str, Any]]:
        """What there is of a person but the hashes, as JSON values."""
        with self._reading():
            rows = self._rows("SELECT kind, created_at FROM credentials WHERE person_id = ? ORDER BY created_at, id", person_id)
            return [{"kind": kind, "at": at} for kind, at in rows]

    def _change(self, person_id: str, kind: Kind, text: str, by: str, now: Instant, *, replace: bool) -> None:
        said = {"by": words(by, "name of who changes this (--by)", LONGEST_BY), "what": f"{kind}_given"}
        with self._guard():
            subject = self._subject(person_id)
            if replace:
                self._delete(person_id, kind)
            put(self._database, self._cipher, person_id, [CredentialReplica(str(uuid.uuid4()), kind, text, now.utc.isoformat())])
            self._append(CREDENTIAL, said | {"subject": subject}, now)
        self._forget()

    def _delete(self, person_id: str, kind: Kind) -> int:
        sql = "DELETE FROM credentials WHERE person_id = ? AND kind = ?"
        return int(self._database.execute_sql(sql, (person_id, kind)).rowcount)

    def _subject(self, person_id: str) -> int:
        rows = self._rows("SELECT subject FROM people WHERE id = ?", person_id)
        if not rows:
            raise UnknownPerson(f"nobody has the id {person_id!r}; blinkd people list shows who is enrolled")
        return int(rows[0][0])

    def _of(self, person_id: str) -> Iterator[CredentialReplica]:
        yield from read(self._database, self._cipher, person_id) or ()

    def _rows(self, sql: str, *values: object) -> list[Any]:
        return list(self._database.execute_sql(sql, values).fetchall())


def read(database: SqliteDatabase, cipher: Callable[[bool], TemplateCipher], person_id: str) -> tuple[CredentialReplica, ...] | None:
    """What a person has, by id; None for somebody who never had any. Raises KeyMissing."""
    if database.execute_sql("SELECT 1 FROM credential_holders WHERE person_id = ?", (person_id,)).fetchone() is None:
        return None
    sql = "SELECT id, kind, sealed, created_at FROM credentials WHERE person_id = ? ORDER BY id"
    rows = database.execute_sql(sql, (person_id,)).fetchall()
    return tuple(
        CredentialReplica(one, kind, cipher(False).open_text(one, person_id, kind, bytes(sealed)), at) for one, kind, sealed, at in rows
    )


def put(
    database: SqliteDatabase, cipher: Callable[[bool], TemplateCipher], person_id: str, credentials: Iterable[CredentialReplica]
) -> None:
    """Seal and add. Transactions are the caller's. Raises KeyMissing."""
    database.execute_sql("INSERT OR IGNORE INTO credential_holders VALUES (?)", (person_id,))
    for one in credentials:
        key = cipher(True)
        database.execute_sql(
            "INSERT INTO credentials (id, person_id, kind, sealed, lookup, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                one.id,
                person_id,
                one.kind,
                key.seal_text(one.id, person_id, one.kind, one.hash),
                key.lookup(one.hash) if one.kind == "badge" else None,
                one.created_at,
            ),
        )
