"""People and their templates."""

import re
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from peewee import SQL, IntegrityError, fn

from blinkd.attendance.punch import PersonStatus
from blinkd.clock import SystemClock
from blinkd.crypto.at_rest import TemplateCipher
from blinkd.errors import EnrolmentRefused, UnknownPerson
from blinkd.store.book import Guard
from blinkd.vision.face import Embedding

ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LONGEST_NAME = 200  # characters
JOINERS = "\u200c\u200d"  # Persian and the scripts of India spell with them, and emoji of several people are joined by the second


@dataclass(frozen=True, slots=True)
class Person:
    """enrolled_at: aware UTC; templates: how many, of any model."""

    id: str
    name: str
    status: PersonStatus
    enrolled_at: datetime
    templates: int


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """vector: float32 (D,), unit length."""

    person_id: str
    vector: Embedding


class NewTemplate(Protocol):
    """What enrolment hands over."""

    @property
    def embedding(self) -> Embedding:
        """float32 (D,), unit length."""

    @property
    def quality(self) -> float:
        """0..1."""

    @property
    def source(self) -> str:
        """Where it came from, in words."""


def clean_name(name: str) -> str:
    """Return the name with runs of white space (line breaks too) as one blank, in Unicode's composed form.

    Quotes, emoji and every script are kept. Raises EnrolmentRefused(bad_name) for an empty or overlong one, for one of which nothing
    shows, and for characters that do not show or turn the reading direction of what follows.
    """
    cleaned = unicodedata.normalize("NFC", " ".join(name.split()))
    if not cleaned:
        raise EnrolmentRefused("bad_name", "the name is empty; give --name")
    if len(cleaned) > LONGEST_NAME:
        raise EnrolmentRefused("bad_name", f"the name has {len(cleaned)} characters; shorten it to {LONGEST_NAME}")
    for character in cleaned:
        if _hides(character):
            raise EnrolmentRefused("bad_name", f"the name holds the invisible character U+{ord(character):04X}; leave it out")
    if all(unicodedata.category(character)[0] in "MCZ" for character in cleaned):
        raise EnrolmentRefused("bad_name", "nothing of the name shows: it holds marks and joiners only; give --name with letters")
    return cleaned


def _hides(character: str) -> bool:
    """Whether it is a control, half of a surrogate pair, private, no character at all, or a format character that spelling does not need."""
    category, code = unicodedata.category(character), ord(character)
    if category == "Cn":
        # not yet known to this Python is allowed (new emoji), never to be one is not
        return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return category in ("Cc", "Cs", "Co") or (category == "Cf" and character not in JOINERS)


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
        self._cipher = cipher  # called with whether a missing key may be made
        self._guard = guard
        self._reading = reading
        self._forget = forget  # called when something deleted must leave the files too

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

    def enrol(self, person_id: str, name: str, model_id: str, templates: Sequence[NewTemplate]) -> Person:
        """Add a person with templates. Raises EnrolmentRefused: bad_name, bad_id, id_exists."""
        if not ID_FORM.fullmatch(person_id):
            raise EnrolmentRefused("bad_id", f"id {person_id!r}: use up to 64 letters, digits, dots, dashes and underscores")
        name = clean_name(name)
        with self._guard():
            try:
                self._tables.people.create(id=person_id, name=name, status=PersonStatus.ACTIVE.value, enrolled_at=_now())
            except IntegrityError:
                raise EnrolmentRefused("id_exists", f"a person with id {person_id!r} exists") from None
            self._seal(person_id, model_id, templates)
        return self.get(person_id)

    def add_templates(self, person_id: str, model_id: str, templates: Sequence[NewTemplate]) -> Person:
        """Add templates to a person. Raises UnknownPerson."""
        with self._guard():
            self.get(person_id)
            self._seal(person_id, model_id, templates)
        return self.get(person_id)

    def copy_from(self, other: "PeopleRepository") -> None:
        """Take over everybody's id, name and status, without templates."""
        with self._guard():
            for person in other.all():
                self._tables.people.create(
                    id=person.id, name=person.name, status=person.status.value, enrolled_at=person.enrolled_at.isoformat()
                )

    def set_status(self, person_id: str, status: PersonStatus) -> Person:
        """Switch a person on or off. Raises UnknownPerson."""
        with self._guard():
            self.get(person_id)
            self._tables.people.update(status=status.value).where(self._tables.people.id == person_id).execute()
        return self.get(person_id)

    def delete(self, person_id: str) -> int:
        """Erase name and templates (SQLite overwrites the freed pages); punches stay. Returns the number of templates."""
        with self._guard():
            person = self.get(person_id)
            self._tables.people.delete().where(self._tables.people.id == person_id).execute()
        self._forget()
        return person.templates

    def templates(self, model_id: str) -> Iterator[Template]:
        """Every template of one model, in the order in which they came. Raises KeyMissing when the key does not fit."""
        table = self._tables.templates
        cipher: TemplateCipher | None = None
        with self._reading():
            for row in table.select().where(table.model_id == model_id).order_by(SQL("rowid")).iterator():
                cipher = cipher or self._cipher(False)
                yield Template(row.person_id, cipher.open(row.id, row.person_id, row.model_id, bytes(row.sealed)))

    def count_templates(self) -> int:
        """Of all models."""
        with self._reading():
            return int(self._tables.templates.select().count())

    def everything(self, person_id: str) -> dict[str, Any]:
        """All that is stored on one person but the template vectors, as JSON values."""
        person = self.get(person_id)
        templates, punches, scans = self._tables.templates, self._tables.punches, self._tables.scans
        kept = [templates.id, templates.model_id, templates.quality, templates.source, templates.created_at]
        with self._reading():
            return {
                "id": person.id,
                "name": person.name,
                "status": person.status.value,
                "enrolled_at": person.enrolled_at.isoformat(),
                "templates": list(templates.select(*kept).where(templates.person_id == person_id).dicts()),
                "punches": list(punches.select().where(punches.person_id == person_id).order_by(punches.seq).dicts()),
                "scans": list(scans.select().where(scans.person_id == person_id).order_by(scans.seq).dicts()),
            }

    def _seal(self, person_id: str, model_id: str, templates: Sequence[NewTemplate]) -> None:
        table = self._tables.templates
        stored = table.select().order_by(SQL("rowid")).first()
        cipher = self._cipher(stored is None)
        if stored is not None:
            # templates under two keys would keep the terminal from starting with either
            cipher.open(stored.id, stored.person_id, stored.model_id, bytes(stored.sealed))
        for template in templates:
            template_id = str(uuid.uuid4())
            self._tables.templates.create(
                id=template_id,
                person_id=person_id,
                model_id=model_id,
                dimension=len(template.embedding),
                sealed=cipher.seal(template_id, person_id, model_id, template.embedding),
                quality=template.quality,
                source=template.source,
                created_at=_now(),
            )

    def _select(self, where: Any) -> list[Person]:  # noqa: ANN401  a peewee expression
        people, templates = self._tables.people, self._tables.templates
        count = templates.select(fn.COUNT(templates.id)).where(templates.person_id == people.id)
        query = people.select(people, count.alias("templates")).order_by(people.name, people.id)
        if where is not None:
            query = query.where(where)
        with self._reading():
            return [
                Person(
                    row["id"], row["name"], PersonStatus(row["status"]), datetime.fromisoformat(row["enrolled_at"]), int(row["templates"])
                )
                for row in query.dicts()
            ]


def _now() -> str:
    return SystemClock().now().utc.isoformat()
