"""Takes in what other terminals have changed: people and templates from the registry, each record once, in the order of its versions."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from peewee import DataError, IntegrityError, InterfaceError, ProgrammingError, SqliteDatabase

from blinkd.attendance.punch import PersonStatus
from blinkd.clock import Instant
from blinkd.crypto.at_rest import TemplateCipher
from blinkd.crypto.chain import binding_of, canonical
from blinkd.errors import EnrolmentRefused
from blinkd.store import credentials
from blinkd.store.book import Guard
from blinkd.store.erasure import Erasure, Hours
from blinkd.store.naming import check_id, clean_consent, clean_group, clean_name
from blinkd.store.precedence import Precedence
from blinkd.store.registry import ENROLMENT, FORGED, Registry, Waiting
from blinkd.store.replica import PersonReplica, TemplateReplica
from blinkd.store.timeline import Incoming, Timeline
from blinkd.store.vouching import Vouching

OLD = "old"  # reason of the quarantine
MOST_FORGED = 1000  # that are kept in quarantine: whoever can forge pages must not be able to fill the card
UNUSABLE = (IntegrityError, InterfaceError, ProgrammingError, DataError, OverflowError)  # what a value can do that no terminal writes
LONGEST_WORDS = 500
ELSEWHERE = "deleted at another terminal"


@dataclass(slots=True)
class Taken:
    """What became of a page."""

    applied: int = 0
    quarantined: int = 0
    conflicts: int = 0
    people: list[str] = field(default_factory=list)  # ids of those who were put in
    former: list[str] = field(default_factory=list)  # bindings of pseudonyms that were given up


class Intake:
    """A page is one transaction."""

    def __init__(
        self,
        database: SqliteDatabase,
        registry: Registry,
        erasure: Erasure,
        vouching: Vouching,
        timeline: Timeline,
        cipher: Callable[[bool], TemplateCipher],
        guard: Guard,
        reading: Guard,
    ) -> None:
        self._database = database
        self._registry = registry
        self._precedence = Precedence(database, registry)
        self._erasure = erasure
        self._vouching = vouching
        self._timeline = timeline
        self._cipher = cipher
        self._guard = guard
        self._reading = reading

    def take(
        self,
        here: str,
        page: list[Incoming],
        upto: int | None,
        hours: Hours,
        now: Instant,
        seal: Callable[[Waiting], str | None],
        *,
        mark: str | None = None,
        last: bool = False,
        claimed: int = 0,
    ) -> Taken:
        """Take in records in the order of their versions; what cannot be used is set aside with its reason and never holds up the rest.

        here: this terminal; upto: the version that everything is here after this, None for a second try; hours: what becomes of the punches
        of people who were deleted elsewhere; seal: the envelope of a change of this terminal's that loses, as JSON; mark: the relay's, of
        `upto`; last: the registry ends there; claimed: see `Timeline.doubt`.
        """  # fmt: skip
        taken = Taken()
        with self._guard():
            dimensions, rewound = self._dimensions(), self._timeline.rewound()
            doubtful = set[str]() if upto is None else self._timeline.doubt(here, page, upto, claimed, last=last)
            for one in page:
                before = taken.quarantined
                self._one(here, one, hours, now, seal, taken, dimensions, rewound or one.record in doubtful)
                if taken.quarantined == before:  # whatever became of it, an earlier form of it is wanted no longer
                    self._database.execute_sql(
                        "DELETE FROM registry_quarantine WHERE record = ? AND version <= ?", (one.record, one.version)
                    )
            self._vouching.changed(*taken.people, former=taken.former)
            if taken.quarantined:
                self._forget_forged()
            if upto is not None:
                self._timeline.advance(upto, mark, last=last)
        return taken

    def quarantined(self) -> list[tuple[str, int, str, str]]:
        """Record, version, reason and words of all that waits in quarantine."""
        with self._reading():
            rows = self._database.execute_sql("SELECT record, version, reason, words FROM registry_quarantine ORDER BY version").fetchall()
        return [(str(record), int(version), str(reason), str(words)) for record, version, reason, words in rows]

    def held(self, reasons: set[str]) -> list[tuple[Mapping[str, Any], bytes]]:
        """The changes in quarantine for one of these reasons, with their authors' certificates, by version."""
        marks = ", ".join("?" * len(reasons))
        with self._reading():
            rows = self._database.execute_sql(
                f"SELECT change, certificate FROM registry_quarantine WHERE reason IN ({marks}) ORDER BY version", tuple(sorted(reasons))
            ).fetchall()
        return [(json.loads(change), bytes(certificate)) for change, certificate in rows]

    def _one(
        self,
        here: str,
        one: Incoming,
        hours: Hours,
        now: Instant,
        seal: Callable[[Waiting], str | None],
        taken: Taken,
        dimensions: dict[str, int],
        lost: bool,
    ) -> None:
        """lost: the relay may have lost what is here of it, and gone on without, so that a later version need not be a newer one."""
        own = self._precedence.own(one)
        pending = own if own is not None and self._precedence.waits(own) else None
        lost = lost or (pending is not None and bool(pending.again))
        if own is not None and own.version >= one.version and (pending is None or not lost):
            return  # it is here already
        if pending is not None and one.author == here and self._precedence.is_what_waits(one, pending):
            self._registry.settle(one.record, one.edit, one.version, epoch=one.epoch)  # its receipt was lost
            return
        if (
            own is not None
            and one.author == here
            and (one.edit < own.edit or (pending is not None and one.refused is None and not one.deleted))
        ):
            # an earlier change: its receipt was lost, it was repeated to a relay that was put back, or this terminal was begun anew or put back
            # and does not remember it
            self._registry.keep(one.record, one.version)
            return
        if pending is not None and self._precedence.says_the_same(one, pending):
            self._registry.settle(one.record, pending.edit, one.version, epoch=one.epoch)
            self._by(one)
            return
        if pending is not None and self._precedence.stands(one, pending, lost):
            if self._precedence.overrules(one, pending):
                self._registry.overrule(pending, here, canonical(one.change["envelope"]).decode(), now)
                taken.conflicts += 1
            self._registry.keep(one.record, one.version)
            self._by(one)
            return
        if own is not None and self._precedence.is_old(here, one, own):
            self._quarantine(one, (OLD, f"terminal {one.author} made it before what stands here; somebody has put it back"))
            taken.quarantined += 1
            return
        refused = one.refused or self._unusable(one, dimensions)
        if refused is not None:
            self._quarantine(one, refused)
            taken.quarantined += 1
            return
        if pending is not None and not self._precedence.repeats(pending) and not (one.deleted and pending.deleted):
            self._registry.lose(pending, one.author, seal(pending), now)
            taken.conflicts += 1
        try:
            with self._database.atomic():  # a savepoint: what one record cannot bring in holds up none of the others
                self._apply(one, own, hours, now, taken, dimensions)
        except UNUSABLE as error:
            self._quarantine(one, ("bad_content", f"it does not fit the database: {error}"[:LONGEST_WORDS]))
            taken.quarantined += 1
        else:
            taken.applied += 1

    def _apply(self, one: Incoming, own: Waiting | None, hours: Hours, now: Instant, taken: Taken, dimensions: dict[str, int]) -> None:
        replica, local_id = one.replica, None if own is None else own.local_id
        if replica is not None:
            # by an upsert SQLite lets a trigger's INSERT OR IGNORE fail, so what was noted of this record a moment ago must not be there
            self._noted(one.type, replica.id)
        if isinstance(replica, PersonReplica):
            former = self._put_person(replica)
            taken.former += former
            taken.people.append(replica.id)
            local_id = replica.id
        elif isinstance(replica, TemplateReplica):
            self._put_template(replica, dimensions)
            local_id = replica.id
        elif one.said is not None:
            local_id = None
        elif local_id is not None and one.type == "person":
            self._erasure.delete(local_id, hours, one.author, ELSEWHERE, now, typed=False)
            local_id = None
        elif local_id is not None:
            self._database.execute_sql("DELETE FROM templates WHERE id = ?", (local_id,))
            local_id = None
        said = None if one.said is None else canonical(one.said).decode()
        self._database.execute_sql(
            "INSERT INTO registry (record, type, local_id, version, sync, deleted, epoch, open, admin) VALUES (?, ?, ?, ?, 'SYNCED', ?, ?, ?, ?) "
            "ON CONFLICT (record) DO UPDATE SET local_id = excluded.local_id, version = excluded.version, sync = 'SYNCED', "
            "deleted = excluded.deleted, reason = NULL, epoch = excluded.epoch, open = excluded.open, admin = excluded.admin",
            (one.record, one.type, local_id, one.version, int(one.deleted), one.epoch, said, one.admin),
        )
        self._by(one)
        if local_id is not None:  # noted by the triggers just now: it is not this terminal's change
            self._noted(one.type, local_id)
        if isinstance(replica, PersonReplica) and replica.credentials is None:
            # its author is of a version that knows of no PINs and badges: whoever asks the relay from now on would not get them
            self._database.execute_sql(
                "INSERT OR IGNORE INTO registry_changes SELECT 'person', person_id FROM credential_holders WHERE person_id = ?",
                (replica.id,),
            )

    def _noted(self, kind: str, local_id: str) -> None:
        """What was noted as changed here is no longer this terminal's change."""
        self._database.execute_sql("DELETE FROM registry_changes WHERE type = ? AND local_id = ?", (kind, local_id))

    def _by(self, one: Incoming) -> None:
        """Note whose change the relay's version of a record is."""
        self._database.execute_sql(
            "UPDATE registry SET author = ?, author_edit = ?, author_base = ?, author_again = ? WHERE record = ?",
            (one.author, one.edit, one.base, int(one.again), one.record),
        )

    def _unusable(self, one: Incoming, dimensions: dict[str, int]) -> tuple[str, str] | None:
        """Why a record that opened cannot be used here."""
        replica = one.replica
        try:
            if isinstance(replica, PersonReplica):
                check_id(replica.id)
                if clean_name(replica.name) != replica.name or [clean_group(group) for group in replica.groups] != list(replica.groups):
                    return "bad_content", "a name or group that no terminal writes"
                for enrolment in replica.enrolments:
                    if enrolment["consent"] is not None:
                        clean_consent(str(enrolment["consent"]))
                taken = self._database.execute_sql(
                    "SELECT id FROM people WHERE subject = ? AND id <> ?", (replica.subject, replica.id)
                ).fetchone()
                if taken is not None:
                    return "bad_content", "a pseudonym that is somebody else's"
        except EnrolmentRefused as error:
            return "bad_content", str(error)
        if isinstance(replica, TemplateReplica):
            if self._database.execute_sql("SELECT 1 FROM people WHERE id = ?", (replica.person_id,)).fetchone() is None:
                return "no_person", "its person is not here yet"
            if (wanted := dimensions.get(replica.model_id, replica.vector.size)) != replica.vector.size:
                return "bad_content", f"{replica.vector.size} numbers, where templates by {replica.model_id} have {wanted}"
        return None

    def _quarantine(self, one: Incoming, refused: tuple[str, str]) -> None:
        self._database.execute_sql(
            "INSERT OR REPLACE INTO registry_quarantine VALUES (?, ?, ?, ?, ?, ?)",
            (one.record, one.version, *refused, json.dumps(one.change), one.certificate),
        )

    def _forget_forged(self) -> None:
        marks = ", ".join("?" * len(FORGED))
        self._database.execute_sql(
            f"DELETE FROM registry_quarantine WHERE reason IN ({marks}) AND record NOT IN "
            f"(SELECT record FROM registry_quarantine WHERE reason IN ({marks}) ORDER BY version DESC LIMIT ?)",
            (*sorted(FORGED), *sorted(FORGED), MOST_FORGED),
        )

    def _put_person(self, person: PersonReplica) -> list[str]:
        """Returns the binding of the pseudonym that was here before, if it was another one."""
        former = []
        first, last = person.valid_from, person.valid_until
        before = self._database.execute_sql("SELECT subject, salt FROM people WHERE id = ?", (person.id,)).fetchone()
        if before is not None and int(before[0]) != person.subject:
            # enrolled at two terminals that did not know of each other: what was punched here stays theirs
            if before[1] is not None:  # else the book binds it when it begins
                former.append(binding_of(bytes(before[1]), int(before[0]), person.id))
            self._database.execute_sql(
                "INSERT OR IGNORE INTO former_people (subject, id, salt) VALUES (?, ?, ?)", (before[0], person.id, before[1])
            )
        self._database.execute_sql(
            "INSERT INTO people (id, name, status, enrolled_at, subject, salt, valid_from, valid_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, enrolled_at = excluded.enrolled_at, "
            "subject = excluded.subject, salt = excluded.salt, valid_from = excluded.valid_from, valid_until = excluded.valid_until",
            (
                person.id,
                person.name,
                PersonStatus(person.status).value,
                person.enrolled_at.isoformat(),
                person.subject,
                person.salt,
                None if first is None else first.isoformat(),
                None if last is None else last.isoformat(),
            ),
        )
        self._database.execute_sql("DELETE FROM memberships WHERE person_id = ?", (person.id,))
        for group in person.groups:
            self._database.execute_sql("INSERT OR IGNORE INTO memberships (person_id, name) VALUES (?, ?)", (person.id, group))
        names = ENROLMENT.split(", ")
        for enrolment in person.enrolments:
            self._database.execute_sql(
                f"INSERT INTO enrolments (person_id, {ENROLMENT}) VALUES (?, {', '.join('?' * len(names))}) ON CONFLICT (id) DO NOTHING",
                (person.id, *(enrolment[name] for name in names)),
            )
        if person.credentials is not None:
            self._database.execute_sql("DELETE FROM credentials WHERE person_id = ?", (person.id,))
            credentials.put(self._database, self._cipher, person.id, person.credentials)
        return former

    def _put_template(self, template: TemplateReplica, dimensions: dict[str, int]) -> None:
        sealed = self._cipher(True).seal(template.id, template.person_id, template.model_id, template.vector)
        self._database.execute_sql(
            "INSERT INTO templates (id, person_id, model_id, dimension, sealed, quality, source, created_at, view, label, moment) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                template.id,
                template.person_id,
                template.model_id,
                template.vector.size,
                sealed,
                template.quality,
                template.source,
                template.created_at,
                template.view,
                template.label,
                template.moment,
            ),
        )
        dimensions.setdefault(template.model_id, template.vector.size)

    def _dimensions(self) -> dict[str, int]:
        """Of the stored templates, by model: read by the index, not from every row."""
        found: dict[str, int] = {}
        model = ""
        while row := self._database.execute_sql(
            "SELECT model_id, dimension FROM templates WHERE model_id > ? ORDER BY model_id LIMIT 1", (model,)
        ).fetchone():
            model = str(row[0])
            found[model] = int(row[1])
        return found
