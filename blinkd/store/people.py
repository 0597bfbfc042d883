"""People: who they are, what is kept of their faces, and on what grounds."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from peewee import IntegrityError, fn

from blinkd.attendance.punch import PersonStatus
from blinkd.attendance.supervisor import EARLIEST, LATEST
from blinkd.clock import SystemClock
from blinkd.crypto.at_rest import TemplateCipher
from blinkd.crypto.chain import new_salt, subject_of
from blinkd.errors import EnrolmentRefused, UnknownPerson
from blinkd.identity.grounds import Grounds
from blinkd.store.book import Guard
from blinkd.store.naming import check_id, clean_consent, clean_group, clean_name
from blinkd.store.shelf import Changes, Moment, NewTemplate, Template, TemplateShelf
from blinkd.store.vouching import Vouching

NO_GROUNDS = Grounds()


@dataclass(frozen=True, slots=True)
class Person:
    """subject: the pseudonym under which the book knows them; enrolled_at: aware UTC; templates: of how many moments, whichever models
    made them; valid_from, valid_until: local dates, both included, None without limit.
    """  # fmt: skip

    id: str
    subject: int
    name: str
    status: PersonStatus
    enrolled_at: datetime
    templates: int
    valid_from: date | None = None
    valid_until: date | None = None
    groups: tuple[str, ...] = ()


class PeopleRepository:
    """Everything on people goes through here; each call is one transaction."""

    def __init__(
        self,
        tables: Any,  # noqa: ANN401
        cipher: Callable[[bool], TemplateCipher],
        guard: Guard,
        reading: Guard,
        forget: Callable[[], None],
        vouching: Vouching,
    ) -> None:
        self._tables = tables
        self._shelf = TemplateShelf(tables, cipher)
        self._guard = guard
        self._reading = reading
        self._vouching = vouching
        self._forget = forget  # called when something deleted must leave the files too

    def exclusive(self) -> AbstractContextManager[object]:
        """Within it nobody else writes, and all that is done is on disk when it ends, or nothing of it."""
        return self._guard()

    def find(self, person_id: str) -> Person | None:
        """The person with that id, or None."""
        found = self._select(self._tables.people.id == person_id)
        return found[0] if found else None

    def get(self, person_id: str) -> Person:
        """The person with that id. Raises UnknownPerson."""
        person = self.find(person_id)
        if person is None:
            raise UnknownPerson(f"nobody has the id {person_id!r}; blinkd people list shows who is enrolled")
        return person

    def name_of(self, person_id: str) -> str:
        """The name, or the id of somebody who was deleted."""
        person = self.find(person_id)
        return person.name if person is not None else person_id

    def all(self) -> list[Person]:
        """Everybody, by name."""
        return self._select(None)

    def named(self, ids: Sequence[str]) -> list[Person]:
        """Those of these ids, by name."""
        return self._select(self._tables.people.id.in_(list(ids))) if ids else []

    def enrol(self, person_id: str, name: str, templates: Sequence[NewTemplate], grounds: Grounds = NO_GROUNDS) -> Person:
        """Add a person with templates, and the record of it. Raises EnrolmentRefused: bad_name, bad_id, id_exists, bad_consent, bad_vector."""
        check_id(person_id)
        name, now = clean_name(name), _now()
        with self._guard():
            if self._tables.former.get_or_none(self._tables.former.id == person_id) is not None:
                raise EnrolmentRefused(
                    "id_exists",
                    f"somebody who was deleted had the id {person_id!r}, and their hours stay under it; give this person another id",
                )
            try:
                salt = new_salt()
                self._tables.people.create(
                    id=person_id,
                    name=name,
                    status=PersonStatus.ACTIVE.value,
                    enrolled_at=now,
                    subject=subject_of(salt, person_id),
                    salt=salt,
                )
            except IntegrityError:
                raise EnrolmentRefused("id_exists", f"a person with id {person_id!r} exists") from None
            self._vouching.enrolled(person_id)
            self._shelf.put(person_id, templates, now)
            self._record("new", person_id, now, len(templates), 0, grounds)
        return self.get(person_id)

    def add_templates(self, person_id: str, templates: Sequence[NewTemplate], grounds: Grounds = NO_GROUNDS) -> Person:
        """Add templates to a person, and the record of it. Raises UnknownPerson, EnrolmentRefused: bad_consent, bad_vector."""
        now = _now()
        with self._guard():
            self.get(person_id)
            self._shelf.put(person_id, templates, now)
            self._record("added", person_id, now, len(templates), 0, grounds)
        return self.get(person_id)

    def replace_templates(self, person_id: str, templates: Sequence[NewTemplate], grounds: Grounds) -> Person:
        """Put these templates in the place of all that the person had, of any model (SQLite overwrites the freed pages).

        Raises UnknownPerson, EnrolmentRefused: bad_consent, bad_vector; what was there then stays.
        """
        now = _now()
        with self._guard():
            self.get(person_id)
            replaced = self._shelf.replace(person_id, templates, now)
            self._record("refreshed", person_id, now, len(templates), replaced, grounds)
        self._forget()
        return self.get(person_id)

    def copy_from(self, other: "PeopleRepository") -> None:
        """Take over everybody's id, name, status and dates, without templates, and without a signature: a preview's book is never proved."""
        theirs = other._tables.people
        salts = dict(theirs.select(theirs.id, theirs.salt).tuples())
        with self._guard():
            for person in other.all():
                self._tables.people.create(
                    id=person.id,
                    name=person.name,
                    status=person.status.value,
                    enrolled_at=person.enrolled_at.isoformat(),
                    subject=person.subject,
                    salt=salts.get(person.id),
                    signature=b"",
                    valid_from=None if person.valid_from is None else person.valid_from.isoformat(),
                    valid_until=None if person.valid_until is None else person.valid_until.isoformat(),
                )

    def set_status(self, person_id: str, status: PersonStatus) -> Person:
        """Switch a person on or off. Raises UnknownPerson."""
        with self._guard():
            self.get(person_id)
            self._tables.people.update(status=status.value).where(self._tables.people.id == person_id).execute()
            self._vouching.changed(person_id)
        return self.get(person_id)

    def change(
        self,
        person_id: str,
        *,
        name: str | None = None,
        valid: tuple[date | None, date | None] | None = None,
        join: Sequence[str] = (),
        leave: Sequence[str] = (),
    ) -> Person:
        """Change what is given: the name, the dates of validity (both at once), groups to join and to leave.

        Raises UnknownPerson, EnrolmentRefused: bad_name, bad_group, bad_dates.
        """
        people, members = self._tables.people, self._tables.memberships
        changes: dict[str, Any] = {} if name is None else {"name": clean_name(name)}
        if valid is not None:
            _check_dates(*valid)
            changes |= {
                key: None if day is None else day.isoformat() for key, day in zip(("valid_from", "valid_until"), valid, strict=True)
            }
        joined, left = [clean_group(group) for group in join], [clean_group(group) for group in leave]
        with self._guard():
            self.get(person_id)
            if changes:
                people.update(**changes).where(people.id == person_id).execute()
                self._vouching.changed(person_id)
            for group in joined:
                members.insert(person_id=person_id, name=group).on_conflict_ignore().execute()
            if left:
                members.delete().where((members.person_id == person_id) & members.name.in_(left)).execute()
        self._forget()
        return self.get(person_id)

    def withdraw(self, person_id: str) -> int:
        """Erase a person's templates and switch the person off, who no longer consents. Returns of how many moments. Raises UnknownPerson."""
        with self._guard():
            person = self.get(person_id)
            self._tables.templates.delete().where(self._tables.templates.person_id == person_id).execute()
            self._tables.people.update(status=PersonStatus.DEACTIVATED.value).where(self._tables.people.id == person_id).execute()
            self._vouching.changed(person_id)
        self._forget()
        return person.templates

    def erase(self, person_id: str, *, keep_id: bool) -> Person:
        """Erase name, templates, groups, records of enrolment, and the mention in those of others; returns who it was.

        keep_id: what stays in the book and the scan log stays under the id, else under the pseudonym. Raises UnknownPerson.
        """
        enrolments = self._tables.enrolments
        with self._guard():
            person = self.get(person_id)
            if keep_id:
                salt = self._tables.people.get_by_id(person_id).salt
                self._tables.former.create(force_insert=True, subject=person.subject, id=person.id, salt=salt)
            self._tables.people.delete().where(self._tables.people.id == person_id).execute()
            enrolments.update(lookalike_id=None).where(enrolments.lookalike_id == person_id).execute()
        self._forget()
        return person

    def templates(self, model_id: str, after: int = 0) -> Iterator[Template]:
        """Every template of one model, in the order in which they came; after: only those beyond a row. Raises KeyMissing when the key does not fit."""
        with self._reading():
            yield from self._shelf.read(model_id, after)

    def origin_envelopes(self) -> list[tuple[Person, str]]:
        """People whom the origin's app had enrolled, with the envelope of version 1 that came with them, as JSON."""
        people = self._tables.people
        with self._reading():
            kept = dict(people.select(people.id, people.envelope).where(people.envelope.is_null(False)).tuples())
        return [(self.get(person_id), envelope) for person_id, envelope in kept.items()]

    def template_changes(self) -> Changes:
        """How often templates have come and gone since the database was made, whoever did it."""
        with self._reading():
            return self._shelf.changes()

    def last_template(self) -> int:
        """The row of the newest template, 0 where there is none."""
        with self._reading():
            return self._shelf.last()

    def moments(self, person_id: str) -> list[Moment]:
        """What is kept of each moment of a person but the vectors, oldest first."""
        with self._reading():
            return self._shelf.moments(person_id)

    def count_templates(self) -> int:
        """Of all models."""
        with self._reading():
            return int(self._tables.templates.select().count())

    def lacking(self, model_id: str) -> set[str]:
        """Ids of the people without a template of that model: under it they are strangers until they are enrolled again."""
        with self._reading():
            return self._shelf.lacking(model_id)

    def models_complete(self) -> set[str]:
        """The models under which nobody is lost: those for which every active person has a template.

        Active people who have no template of any model do not count, for no choice of a model makes them known. Nobody enrolled: none.
        """
        people, templates = self._tables.people, self._tables.templates
        with self._reading():
            rows = (
                templates.select(templates.model_id, templates.person_id)
                .join(people, on=templates.person_id == people.id)
                .where(people.status == PersonStatus.ACTIVE.value)
                .distinct()
                .tuples()
            )
            known: dict[str, set[str]] = {}
            for model_id, person_id in rows:
                known.setdefault(model_id, set()).add(person_id)
        everybody = set[str]().union(*known.values())
        return {model_id for model_id, those in known.items() if those == everybody}

    def enrolments(self, person_id: str) -> list[dict[str, Any]]:
        """Each time that templates of a person were taken in, oldest first, as JSON values.

        `lookalike`: the other person whom the face looked like, by the name they have now (null once erased), None when there was none.
        """
        table = self._tables.enrolments
        with self._reading():
            rows = list(table.select().where(table.person_id == person_id).order_by(table.at, table.id))
        return [
            {
                "at": row.at,
                "kind": row.kind,
                "moments": row.moments,
                "replaced": row.replaced,
                "consent": row.consent,
                "own_similarity": row.own_similarity,
                "lookalike": None
                if row.lookalike_similarity is None
                else {
                    "person_id": row.lookalike_id,
                    "name": None if row.lookalike_id is None else self.name_of(row.lookalike_id),
                    "similarity": row.lookalike_similarity,
                },
                "decision": row.decision,
            }
            for row in rows
        ]

    def kept_templates(self, person_id: str) -> list[dict[str, Any]]:
        """What is kept of each template but the vector, as JSON values."""
        templates = self._tables.templates
        kept = [templates.id, templates.model_id, templates.quality, templates.source, templates.created_at]
        kept += [templates.view, templates.label, templates.moment]
        with self._reading():
            return list(templates.select(*kept).where(templates.person_id == person_id).dicts())

    def _record(self, kind: str, person_id: str, at: str, moments: int, replaced: int, grounds: Grounds) -> None:
        self._tables.enrolments.create(
            id=str(uuid.uuid4()),
            person_id=person_id,
            kind=kind,
            at=at,
            moments=moments,
            replaced=replaced,
            consent=None if grounds.consent is None else clean_consent(grounds.consent),
            own_similarity=grounds.own_similarity,
            lookalike_id=grounds.lookalike_id,
            lookalike_similarity=grounds.lookalike_similarity,
            decision=grounds.decision,
        )

    def _select(self, where: Any) -> list[Person]:  # noqa: ANN401  a peewee expression
        people, templates, members = self._tables.people, self._tables.templates, self._tables.memberships
        query = people.select().order_by(people.name, people.id)
        moments = templates.select(templates.person_id, fn.COUNT(fn.DISTINCT(templates.moment))).group_by(templates.person_id)
        groups = members.select(members.person_id, members.name).order_by(members.name)
        if where is not None:
            query = query.where(where)
            those = people.select(people.id).where(where)
            moments, groups = moments.where(templates.person_id.in_(those)), groups.where(members.person_id.in_(those))
        with self._reading():
            counts = dict(moments.tuples())
            joined: dict[str, tuple[str, ...]] = {}
            for person_id, name in groups.tuples():
                joined[person_id] = (*joined.get(person_id, ()), name)
            return [
                Person(
                    id=row["id"],
                    subject=row["subject"],
                    name=row["name"],
                    status=PersonStatus(row["status"]),
                    enrolled_at=datetime.fromisoformat(row["enrolled_at"]),
                    templates=int(counts.get(row["id"], 0)),
                    valid_from=None if row["valid_from"] is None else date.fromisoformat(row["valid_from"]),
                    valid_until=None if row["valid_until"] is None else date.fromisoformat(row["valid_until"]),
                    groups=joined.get(row["id"], ()),
                )
                for row in query.dicts()
            ]


def _check_dates(first: date | None, last: date | None) -> None:
    for day in (first, last):
        if day is not None and not EARLIEST.date() <= day < LATEST.date():
            raise EnrolmentRefused("bad_dates", f"{day}: nobody is valid before 1970 or after 2099; check the year")
    if first is not None and last is not None and last < first:
        raise EnrolmentRefused("bad_dates", f"valid from {first} until {last}: the end lies before the start")


def _now() -> str:
    return SystemClock().now().utc.isoformat()
