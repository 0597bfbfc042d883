"""People: who they are, what is kept of their faces, and on what grounds."""

import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import IntegrityError, fn

from blinkd.attendance.punch import PersonStatus
from blinkd.clock import SystemClock
from blinkd.crypto.at_rest import TemplateCipher
from blinkd.errors import EnrolmentRefused, UnknownPerson
from blinkd.identity.grounds import Grounds
from blinkd.store.book import Guard
from blinkd.store.naming import check_id, clean_consent, clean_name
from blinkd.store.shelf import Moment, NewTemplate, Template, TemplateShelf

NO_GROUNDS = Grounds()
SUBJECT_BITS = 53  # of a pseudonym: every reader of JSON keeps such a number exact


@dataclass(frozen=True, slots=True)
class Person:
    """subject: the pseudonym under which the book knows them; enrolled_at: aware UTC; templates: of how many moments, whichever models
    made them.
    """  # fmt: skip

    id: str
    subject: int
    name: str
    status: PersonStatus
    enrolled_at: datetime
    templates: int


class PeopleRepository:
    """Everything on people goes through here; each call is one transaction."""

    def __init__(
        self,
        tables: Any,  # noqa: ANN401
        cipher: Callable[[bool], TemplateCipher],
        guard: Guard,
        reading: Guard,
        forget: Callable[[], None],
    ) -> None:
        self._tables = tables
        self._shelf = TemplateShelf(tables, cipher)
        self._guard = guard
        self._reading = reading
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

    def enrol(self, person_id: str, name: str, templates: Sequence[NewTemplate], grounds: Grounds = NO_GROUNDS) -> Person:
        """Add a person with templates, and the record of it. Raises EnrolmentRefused: bad_name, bad_id, id_exists, bad_consent, bad_vector."""
        check_id(person_id)
        name, now = clean_name(name), _now()
        with self._guard():
            try:
                self._tables.people.create(
                    id=person_id, name=name, status=PersonStatus.ACTIVE.value, enrolled_at=now, subject=secrets.randbits(SUBJECT_BITS)
                )
            except IntegrityError:
                raise EnrolmentRefused("id_exists", f"a person with id {person_id!r} exists") from None
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
        """Take over everybody's id, name and status, without templates."""
        with self._guard():
            for person in other.all():
                self._tables.people.create(
                    id=person.id,
                    name=person.name,
                    status=person.status.value,
                    enrolled_at=person.enrolled_at.isoformat(),
                    subject=person.subject,
                )

    def set_status(self, person_id: str, status: PersonStatus) -> Person:
        """Switch a person on or off. Raises UnknownPerson."""
        with self._guard():
            self.get(person_id)
            self._tables.people.update(status=status.value).where(self._tables.people.id == person_id).execute()
        return self.get(person_id)

    def delete(self, person_id: str) -> int:
        """Erase name, templates and records of enrolment (SQLite overwrites the freed pages); punches stay. Returns Person.templates."""
        with self._guard():
            person = self.get(person_id)
            self._tables.former.create(force_insert=True, subject=person.subject, id=person.id)
            self._tables.people.delete().where(self._tables.people.id == person_id).execute()
        self._forget()
        return person.templates

    def templates(self, model_id: str) -> Iterator[Template]:
        """Every template of one model, in the order in which they came. Raises KeyMissing when the key does not fit."""
        with self._reading():
            yield from self._shelf.read(model_id)

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

        `lookalike`: the other person whom the face looked like, by the name they have now, None when there was none.
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
                if row.lookalike_id is None
                else {"person_id": row.lookalike_id, "name": self.name_of(row.lookalike_id), "similarity": row.lookalike_similarity},
                "decision": row.decision,
            }
            for row in rows
        ]

    def everything(self, person_id: str) -> dict[str, Any]:
        """All that is stored on one person but the template vectors, the punches and the scan log, as JSON values."""
        person = self.get(person_id)
        templates = self._tables.templates
        kept = [templates.id, templates.model_id, templates.quality, templates.source, templates.created_at]
        kept += [templates.view, templates.label, templates.moment]
        enrolments = self.enrolments(person_id)
        with self._reading():
            return {
                "id": person.id,
                "name": person.name,
                "status": person.status.value,
                "enrolled_at": person.enrolled_at.isoformat(),
                "templates": list(templates.select(*kept).where(templates.person_id == person_id).dicts()),
                "enrolments": enrolments,
            }

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
        people, templates = self._tables.people, self._tables.templates
        count = templates.select(fn.COUNT(fn.DISTINCT(templates.moment))).where(templates.person_id == people.id)
        query = people.select(people, count.alias("templates")).order_by(people.name, people.id)
        if where is not None:
            query = query.where(where)
        with self._reading():
            return [
                Person(
                    row["id"],
                    row["subject"],
                    row["name"],
                    PersonStatus(row["status"]),
                    datetime.fromisoformat(row["enrolled_at"]),
                    int(row["templates"]),
                )
                for row in query.dicts()
            ]


def _now() -> str:
    return SystemClock().now().utc.isoformat()
