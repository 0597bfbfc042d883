"""Enrols into the people's store and the gallery in one step, after looking for the same face under another name."""

import uuid
from typing import Protocol, TypeVar

from blinkd.errors import EnrolmentRefused
from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.gallery import Candidate, Gallery
from blinkd.identity.matcher import Bands, fuse


class Person(Protocol):
    """What enrolment needs to know of a stored person."""

    @property
    def id(self) -> str:
        """Staff number or made-up id."""

    @property
    def name(self) -> str:
        """As it is greeted."""


P_co = TypeVar("P_co", bound=Person, covariant=True)


class PeopleStore(Protocol[P_co]):
    """The people of this terminal, as enrolment needs them."""

    def find(self, person_id: str) -> P_co | None:
        """The person with that id, or None."""

    def enrol(self, person_id: str, name: str, model_id: str, templates: list[NewTemplate]) -> P_co:
        """Add a person with templates in one transaction; raises EnrolmentRefused for a bad name or id."""

    def add_templates(self, person_id: str, model_id: str, templates: list[NewTemplate]) -> P_co:
        """Add templates to a person in one transaction; raises UnknownPerson."""


class Register:
    """Adds people while keeping store and gallery the same."""

    def __init__(self, people: PeopleStore[Person], gallery: Gallery, bands: Bands, model_id: str) -> None:
        self._people = people
        self._gallery = gallery
        self._bands = bands
        self._model_id = model_id

    def check_id(self, person_id: str | None) -> None:
        """Raise EnrolmentRefused(id_exists); asked before any picture is looked at."""
        if person_id is not None and (known := self._people.find(person_id)) is not None:
            raise EnrolmentRefused("id_exists", f"id {person_id!r} belongs to {known.name!r}; use --add to give that person more templates")

    def enrol(self, name: str, person_id: str | None, templates: list[NewTemplate], *, allow_duplicate: bool = False) -> Person:
        """Add a new person.

        Raises EnrolmentRefused: id_exists, duplicate (the face looks like somebody enrolled, who is named), bad_name, bad_id.
        """
        self.check_id(person_id)
        if not allow_duplicate:
            self._refuse_duplicate(templates, None)
        person = self._people.enrol(person_id or str(uuid.uuid4()), name, self._model_id, templates)
        self._remember(person.id, templates)
        return person

    def add(self, person_id: str, templates: list[NewTemplate], *, allow_duplicate: bool = False) -> Person:
        """Give more templates to a person.

        Raises UnknownPerson, or EnrolmentRefused: duplicate when they look like somebody else, several_people when they do not look
        like this person.
        """
        if not allow_duplicate:
            self._refuse_duplicate(templates, person_id)
            self._refuse_stranger(templates, person_id)
        person = self._people.add_templates(person_id, self._model_id, templates)
        self._remember(person.id, templates)
        return person

    def _remember(self, person_id: str, templates: list[NewTemplate]) -> None:
        for template in templates:
            self._gallery.add(person_id, template.embedding)

    def _refuse_duplicate(self, templates: list[NewTemplate], own_id: str | None) -> None:
        found = self._lookalike(templates, own_id)
        if found is None:
            return
        other = self._people.find(found.person_id)
        name = repr(other.name) if other is not None else "somebody"
        raise EnrolmentRefused(
            "duplicate",
            f"this face looks like {name} (id {found.person_id}), similarity {found.similarity:.2f}; "
            f"use --add --id {found.person_id} if it is the same person, --allow-duplicate if not",
        )

    def _refuse_stranger(self, templates: list[NewTemplate], person_id: str) -> None:
        for template in templates:
            similarity = self._gallery.similarity(person_id, template.embedding)
            if similarity is not None and similarity < self._bands.uncertain:
                raise EnrolmentRefused(
                    "several_people",
                    f"{template.source}: does not look like the person with id {person_id} (similarity {similarity:.2f}); "
                    "use another picture, or --allow-duplicate if you are sure",
                )

    def _lookalike(self, templates: list[NewTemplate], own_id: str | None) -> Candidate | None:
        embeddings = [template.embedding for template in templates]
        found = [
            candidate
            for probe in [*embeddings, fuse(embeddings)]
            for candidate in self._gallery.search(probe)
            if candidate is not None and candidate.person_id != own_id and candidate.similarity >= self._bands.match
        ]
        return max(found, key=lambda candidate: candidate.similarity, default=None)
