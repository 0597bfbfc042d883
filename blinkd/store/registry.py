"""This terminal's side of the registry: what has changed here and waits for the relay, and what the relay has said of it."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from peewee import SqliteDatabase

from blinkd.attendance.punch import PersonStatus
from blinkd.clock import Instant
from blinkd.crypto.at_rest import TemplateCipher
from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import unb64
from blinkd.store import credentials
from blinkd.store.book import Guard
from blinkd.store.replica import PersonReplica, Replica, TemplateReplica

FORGED = frozenset({"signature", "certificate"})  # reasons of the quarantine: nobody of the organisation has said it
CONFLICT = "conflict"  # reason of a change that lost, until the page comes with what stands
WAITING = "record, type, local_id, version, edit, open, admin, again IS edit"
SEALED = "type IN ('person', 'template')"
# the names of sealed records are hexadecimal: so the index leads to the few others, which begin with 'epoch.' or come after 'g'
IN_TURN = (f"record > 'g' AND NOT {SEALED}", f"record BETWEEN 'epoch.' AND 'epoch/' AND NOT {SEALED}", SEALED)
ENROLMENT = "id, kind, at, moments, replaced, consent, own_similarity, decision"  # not whom the face looked like: that is another person


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that the relay does not have. record: the relay's name; local_id: None for one that is deleted here; version: of the relay's
    that this terminal knew, 0 for none; edit: counts the changes made here; open: what a record says that is no secret, as JSON; admin: the
    administrator's signature of it; again: nothing has changed since that version, which the relay has lost.
    """  # fmt: skip

    record: str
    type: str
    local_id: str | None
    version: int
    edit: int
    open: str | None = None
    admin: bytes | None = None
    again: bool = False

    @property
    def deleted(self) -> bool:
        """Whether the change is a deletion."""
        return self.local_id is None and self.open is None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that another terminal's came before, or this terminal's, as `winner` says. at: ISO 8601; lost: the one's envelope as JSON,
    None for a deletion.
    """  # fmt: skip

    at: str
    record: str
    local_id: str | None
    winner: str
    lost: str | None


class Registry:
    """Records of people and templates, and the keys' own."""

    def __init__(
        self,
        database: SqliteDatabase,
        cipher: Callable[[bool], TemplateCipher],
        guard: Guard,
        reading: Guard,
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._guard = guard
        self._reading = reading

    def together(self) -> AbstractContextManager[object]:
        """All of what is done within, or nothing of it. Raises StoreError."""
        return self._guard()

    def note_changes(self, record_of: Callable[[str, str, str], str], limit: int) -> int:
        """Give what has changed its place in the registry, people first; returns how much there was.

        record_of: the relay's name of a record from its type, its id here, and the id of the person that it belongs to.
        """
        with self._guard():
            rows = self._database.execute_sql(
                "SELECT c.type, c.local_id, t.person_id FROM registry_changes c LEFT JOIN templates t ON c.type = 'template' AND t.id = c.local_id "
                "ORDER BY c.type LIMIT ?",
                (limit,),
            ).fetchall()
            for kind, local_id, person_id in rows:
                self._database.execute_sql("DELETE FROM registry_changes WHERE type = ? AND local_id = ?", (kind, local_id))
                self._database.execute_sql(
                    "INSERT INTO registry (record, type, local_id, edit, sync) VALUES (?, ?, ?, 1, 'PENDING') ON CONFLICT (record) "
                    "DO UPDATE SET local_id = excluded.local_id, deleted = 0, edit = edit + 1, sync = 'PENDING', reason = NULL",
                    (record_of(kind, local_id, person_id or local_id), kind, local_id),
                )
        return len(rows)

    def changed(self) -> bool:
        """Whether something has changed that has no place in the registry yet."""
        with self._reading():
            return self._database.execute_sql("SELECT 1 FROM registry_changes LIMIT 1").fetchone() is not None

    def waiting(self, limit: int) -> list[Waiting]:
        """What the relay does not have: first what all must know of keys and terminals, for without it they cannot open the rest, and a lost
        terminal would be shut out last; then by record, so that a person comes before the templates that carry their record's name.
        """  # fmt: skip
        found: list[Any] = []
        with self._reading():
            for which in IN_TURN:
                sql = f"SELECT {WAITING} FROM registry WHERE sync = 'PENDING' AND {which} ORDER BY record LIMIT ?"
                found += self._database.execute_sql(sql, (limit - len(found),)).fetchall()
        return [Waiting(*row) for row in found]

    def publish(self, record: str, kind: str, said: Mapping[str, Any], admin: bytes | None = None) -> None:
        """A record that is no secret will be sent, unless it says what the relay has already. admin: the administrator's signature."""
        text = canonical(said).decode()
        with self._guard():
            self._database.execute_sql(
                "INSERT INTO registry (record, type, edit, sync, open, admin) VALUES (?, ?, 1, 'PENDING', ?, ?) ON CONFLICT (record) DO UPDATE SET "
                "open = excluded.open, admin = excluded.admin, edit = edit + 1, sync = 'PENDING', deleted = 0, reason = NULL "
                "WHERE open IS NOT excluded.open",
                (record, kind, text, admin),
            )

    def published(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """What the records of one open type say, by record."""
        with self._reading():
            rows = self._database.execute_sql("SELECT record, open FROM registry WHERE type = ? AND open IS NOT NULL", (kind,)).fetchall()
        return {str(record): json.loads(text) for record, text in rows}

    def terminals(self) -> list[tuple[str, bytes]]:
        """Every terminal of the organisation that has made itself known, and its certificate (DER)."""
        return [(record.partition(".")[2], unb64(said["certificate"])) for record, said in sorted(self.published("terminal").items())]

    def sealed_in(self, epoch: str) -> bool:
        """Whether the relay has anything that only an epoch's keys open, or may have: what waits in quarantine counts too."""
        # what nobody of the organisation has signed is in no epoch: else whoever can forge a page could keep old keys alive for ever
        marks = ", ".join("?" * len(FORGED))
        sql = (
            "SELECT 1 FROM registry WHERE epoch = ? AND NOT deleted "
            f"UNION ALL SELECT 1 FROM registry_quarantine WHERE reason NOT IN ({marks}) LIMIT 1"
        )
        with self._reading():
            return self._database.execute_sql(sql, (epoch, *sorted(FORGED))).fetchone() is not None

    def try_again(self) -> None:
        """What the relay did not take waits once more: it may have been somebody else who said so."""
        with self._guard():
            self._database.execute_sql(
                "UPDATE registry SET sync = 'PENDING', reason = NULL WHERE sync = 'FAILED' AND reason IS NOT ?", (CONFLICT,)
            )

    def refused(self) -> list[tuple[str, str, str | None, str]]:
        """Record, type, id here and reason of every change that is FAILED."""
        with self._reading():
            rows = self._database.execute_sql(
                "SELECT record, type, local_id, coalesce(reason, '') FROM registry WHERE sync = 'FAILED' ORDER BY record"
            ).fetchall()
        return [(str(record), str(kind), local_id, str(reason)) for record, kind, local_id, reason in rows]

    def counts(self) -> dict[str, int]:
        """How many records are PENDING, SYNCED and FAILED; what has changed and has no place yet is PENDING too; and how many are in quarantine."""
        with self._reading():
            found = dict(self._database.execute_sql("SELECT sync, count(*) FROM registry GROUP BY sync").fetchall())
            found["PENDING"] = found.get("PENDING", 0) + self._one("SELECT count(*) FROM registry_changes")
            found["quarantined"] = self._one("SELECT count(*) FROM registry_quarantine")
            found["conflicts"] = self._one("SELECT count(*) FROM registry_conflicts")
        return {name: int(found.get(name, 0)) for name in ("PENDING", "SYNCED", "FAILED", "quarantined", "conflicts")}

    def replica(self, kind: str, local_id: str) -> Replica | None:
        """A person or a template as it is now; None when it is gone. Raises KeyMissing when a template, PIN or badge does not open."""
        with self._reading():
            return self._person(local_id) if kind == "person" else self._template(local_id)

    def settle(self, record: str, edit: int, version: int, failed: str | None = None, epoch: str | None = None) -> None:
        """The relay has answered: it holds a version of the record, by this edit or another's; failed: why it takes none of this terminal's;
        epoch: by whose keys that version is sealed, where this terminal sealed it.

        What has changed here since waits on.
        """  # fmt: skip
        with self._guard():
            self._database.execute_sql(
                "UPDATE registry SET version = max(version, ?1), author = iif(version < ?1, NULL, author), "
                "author_base = iif(version < ?1, version, author_base), author_again = iif(version < ?1, again IS edit, author_again), "
                "sync = CASE WHEN edit > ?2 THEN sync WHEN ?3 IS NULL THEN 'SYNCED' ELSE 'FAILED' END, "
                "reason = CASE WHEN edit > ?2 THEN reason ELSE ?3 END, epoch = coalesce(?4, epoch) WHERE record = ?5",
                (version, edit, failed, epoch, record),
            )

    def waits(self, waiting: Waiting) -> bool:
        """Whether a change is not settled yet, and knows of no later version than when it was read."""
        with self._reading():
            sql = "SELECT 1 FROM registry WHERE record = ? AND edit = ? AND sync = 'PENDING' AND version = ?"
            return self._database.execute_sql(sql, (waiting.record, waiting.edit, waiting.version)).fetchone() is not None

    def keep(self, record: str, version: int) -> None:
        """What is here stands, though the relay has something else as this version: it waits, as a change of that."""
        with self._guard():
            self._database.execute_sql(
                "UPDATE registry SET version = max(version, ?), sync = 'PENDING', reason = NULL, again = NULL WHERE record = ?",
                (version, record),
            )

    def lose(self, waiting: Waiting, winner: str, lost: str | None, now: Instant) -> None:
        """Another terminal's change stands: this one's is kept where a supervisor finds it, and waits no longer."""
        with self._guard():
            self._database.execute_sql(
                "INSERT INTO registry_conflicts (at, record, local_id, winner, lost) VALUES (?, ?, ?, ?, ?)",
                (now.utc.isoformat(), waiting.record, waiting.local_id, winner, lost),
            )
            self._database.execute_sql(
                "UPDATE registry SET sync = 'SYNCED', reason = NULL WHERE record = ? AND edit = ?", (waiting.record, waiting.edit)
            )

    def overrule(self, waiting: Waiting, here: str, lost: str, now: Instant) -> None:
        """What is here stands against another terminal's change, which a relay took after it had lost this: that is kept in the same place."""
        with self._guard():
            self._database.execute_sql(
                "INSERT INTO registry_conflicts (at, record, local_id, winner, lost) SELECT ?1, ?2, ?3, ?4, ?5 "
                "WHERE NOT EXISTS (SELECT 1 FROM registry_conflicts WHERE record = ?2 AND lost = ?5)",
                (now.utc.isoformat(), waiting.record, waiting.local_id, here, lost),
            )

    def conflicts(self) -> list[Conflict]:
        """All of them, oldest first."""
        with self._reading():
            rows = self._database.execute_sql("SELECT at, record, local_id, winner, lost FROM registry_conflicts ORDER BY id").fetchall()
        return [Conflict(*row) for row in rows]

    def resend(self) -> None:
        """Everything waits again: for new keys, or a relay that has lost its registry."""
        with self._guard():
            self._database.execute_sql(
                "UPDATE registry SET edit = edit + 1, sync = 'PENDING', reason = NULL WHERE local_id IS NOT NULL AND type IN ('person', 'template')"
            )

    def seal_anew(self, here: str, epoch: str) -> int:
        """What this terminal sent sealed by older keys, after others had been given those of the current epoch, waits again: they may have given
        up the older ones by then. Returns how much it is.
        """  # fmt: skip
        with self._guard():
            cursor = self._database.execute_sql(
                "UPDATE registry SET edit = edit + 1, sync = 'PENDING', reason = NULL WHERE sync = 'SYNCED' AND local_id IS NOT NULL "
                "AND epoch IS NOT NULL AND epoch <> ?1 AND (author IS NULL OR author = ?2) AND version > "
                "(SELECT min(version) FROM registry WHERE type = 'epoch' AND version > 0 AND record LIKE 'epoch.' || ?1 || '.%')",
                (epoch, here),
            )
        return int(cursor.rowcount)

    def _one(self, sql: str, *values: object) -> int:
        return int(self._database.execute_sql(sql, values).fetchone()[0])

    def _person(self, person_id: str) -> PersonReplica | None:
        row = self._database.execute_sql(
            "SELECT name, status, enrolled_at, subject, salt, valid_from, valid_until FROM people WHERE id = ?", (person_id,)
        ).fetchone()
        if row is None:
            return None
        name, status, enrolled_at, subject, salt, first, last = row
        groups = self._database.execute_sql("SELECT name FROM memberships WHERE person_id = ? ORDER BY name", (person_id,)).fetchall()
        sql = f"SELECT {ENROLMENT} FROM enrolments WHERE person_id = ? ORDER BY at, id"
        enrolments: list[dict[str, Any]] = [
            dict(zip(ENROLMENT.split(", "), one, strict=True)) for one in self._database.execute_sql(sql, (person_id,)).fetchall()
        ]
        return PersonReplica(
            person_id,
            name,
            PersonStatus(status),
            datetime.fromisoformat(enrolled_at),
            int(subject),
            None if salt is None else bytes(salt),
            None if first is None else date.fromisoformat(first),
            None if last is None else date.fromisoformat(last),
            tuple(group for (group,) in groups),
            tuple(enrolments),
            credentials.read(self._database, self._cipher, person_id),
        )

    def _template(self, template_id: str) -> TemplateReplica | None:
        row = self._database.execute_sql(
            "SELECT person_id, model_id, sealed, quality, source, created_at, view, label, moment FROM templates WHERE id = ?",
            (template_id,),
        ).fetchone()
        if row is None:
            return None
        person_id, model_id, sealed, quality, source, created_at, view, label, moment = row
        vector = self._cipher(False).open(template_id, person_id, model_id, bytes(sealed))
        return TemplateReplica(template_id, person_id, model_id, vector, quality, source, created_at, view, label, moment)
