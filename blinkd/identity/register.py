"""Enrols into the people's store and the gallery in one step, after looking for the same face under another name."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from blinkd.errors import EnrolmentRefused
from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.gallery import Candidate, Gallery
from blinkd.identity.grounds import Decision, Grounds
from blinkd.identity.matcher import Bands, fuse
from blinkd.vision.face import Embedding


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

    def exclusive(self) -> AbstractContextManager[object]:
        """Within it nobody else writes."""

    def find(self, person_id: str) -> P_co | None:
        """The person with that id, or None."""

    def get(self, person_id: str) -> P_co:
        """The person with that id; raises UnknownPerson."""

    def enrol(self, person_id: str, name: str, templates: Sequence[NewTemplate], grounds: Grounds) -> P_co:
        """Add a person with templates in one transaction; raises EnrolmentRefused for a bad name or id."""

    def add_templates(self, person_id: str, templates: Sequence[NewTemplate], grounds: Grounds) -> P_co:
        """Add templates to a person in one transaction; raises UnknownPerson."""

    def replace_templates(self, person_id: str, templates: Sequence[NewTemplate], grounds: Grounds) -> P_co:
        """Put templates in the place of those that the person had, in one transaction; raises UnknownPerson."""


class Register:
    """Adds people while keeping store and gallery the same. Faces are compared by the model in force, of which the gallery is made."""

    def __init__(
        self, people: PeopleStore[Person], gallery: Gallery, bands: Bands, model_id: str, follow: Callable[[], None] = lambda: None
    ) -> None:
        """Take the parts. follow: brings the gallery up to what other processes have changed in the store."""
        self._follow = follow
        self._people = people
        self._gallery = gallery
        self._bands = bands
        self._model_id = model_id

    def follow(self) -> None:
        """Bring the gallery up to what others have changed: before a transaction of one's own, for which punches wait. Raises StoreError."""
        self._follow()

    def check_id(self, person_id: str | None) -> None:
        """Raise EnrolmentRefused(id_exists); asked before any picture is looked at."""
        if person_id is not None and (known := self._people.find(person_id)) is not None:
            raise EnrolmentRefused("id_exists", f"id {person_id!r} belongs to {known.name!r}; use --add to give that person more templates")

    def check_refresh(self, person_id: str, consent: str | None) -> None:
        """Raise UnknownPerson, or EnrolmentRefused(no_consent); asked before any picture is looked at."""
        person = self._people.get(person_id)
        if consent is None or not consent.strip():
            raise EnrolmentRefused(
                "no_consent",
                f"the templates of {person.name!r} are replaced with that person's consent only; say how it was given: --consent 'signed …'",
            )

    def enrol(
        self,
        name: str,
        person_id: str | None,
        templates: list[NewTemplate],
        *,
        allow_duplicate: bool = False,
        consent: str | None = None,
    ) -> Person:
        """Add a new person.

        Raises EnrolmentRefused: id_exists, duplicate (the face looks like somebody enrolled, who is named in the error's details),
        bad_name, bad_id, bad_consent.
        """
        with self._settled():
            self.check_id(person_id)
            other = self._lookalike(self._vectors(templates), None)
            if other is not None and not allow_duplicate:
                self._refuse_duplicate(other)
            grounds = _grounds(consent, other, None, "none_needed" if other is None else "allowed")
            person = self._people.enrol(person_id or str(uuid.uuid4()), name, templates, grounds)
        self._remember(person.id, templates)
        return person

    def add(self, person_id: str, templates: list[NewTemplate], *, allow_duplicate: bool = False, consent: str | None = None) -> Person:
        """Give more templates to a person.

        Raises UnknownPerson, or EnrolmentRefused: duplicate when they look like somebody else, several_people when they do not look
        like this person.
        """
        with self._settled():
            self._people.get(person_id)
            grounds = self._compare(person_id, templates, consent, allow_duplicate=allow_duplicate, bar=None)
            person = self._people.add_templates(person_id, templates, grounds)
        self._remember(person.id, templates)
        return person

    def refresh(self, person_id: str, templates: list[NewTemplate], *, consent: str | None, allow_duplicate: bool = False) -> Person:
        """Replace the templates of a person, who consents to it, by new ones of the same face.

        Raises UnknownPerson, or EnrolmentRefused: no_consent, duplicate, several_people. Together the new templates must match the person,
        not only be close: once the old ones are gone nothing can tell whose face it was.
        """
        with self._settled():
            self.check_refresh(person_id, consent)
            grounds = self._compare(person_id, templates, consent, allow_duplicate=allow_duplicate, bar=self._bands.match)
            person = self._people.replace_templates(person_id, templates, grounds)
        self._gallery.remove(person_id)
        self._remember(person.id, templates)
        return person

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Within it the gallery holds what the store holds, so that of two who enrol one face at the same time the second is told."""
        self._follow()  # most of it before the lock, for which punches wait
        with self._people.exclusive():
            self._follow()
            yield

    def _vectors(self, templates: list[NewTemplate]) -> list[Embedding]:
        return [template.vectors[self._model_id] for template in templates]

    def _remember(self, person_id: str, templates: list[NewTemplate]) -> None:
        for vector in self._vectors(templates):
            self._gallery.add(person_id, vector)

    def _compare(
        self, person_id: str, templates: list[NewTemplate], consent: str | None, *, allow_duplicate: bool, bar: float | None
    ) -> Grounds:
        """Look whether templates are those of a person. bar: cosine that their mean must reach; None: it is enough that each is close."""
        vectors = self._vectors(templates)
        other = self._lookalike(vectors, person_id)
        if other is not None and not allow_duplicate:
            self._refuse_duplicate(other)
        own = [self._gallery.similarity(person_id, vector) for vector in vectors]
        doubts = [
            f"{template.source}: does not look like the person with id {person_id} (similarity {similarity:.2f})"
            for template, similarity in zip(templates, own, strict=True)
            if similarity is not None and similarity < self._bands.uncertain
        ]
        together = self._gallery.similarity(person_id, fuse(vectors))
        if not doubts and bar is not None and together is not None and together < bar:
            doubts.append(
                f"the new templates are not surely the person with id {person_id} (similarity {together:.2f}, {bar:.2f} is wanted)"
            )
        if doubts and not allow_duplicate:
            raise EnrolmentRefused("several_people", f"{doubts[0]}; use another picture, or --allow-duplicate if you are sure")
        lowest = min((similarity for similarity in own if similarity is not None), default=None)
        if doubts or other is not None:
            return _grounds(consent, other, lowest, "allowed")
        return _grounds(consent, other, lowest, "none_needed" if lowest is None else "same_person")

    def _refuse_duplicate(self, found: Candidate) -> None:
        other = self._people.find(found.person_id)
        name = other.name if other is not None else "somebody"
        raise EnrolmentRefused(
            "duplicate",
            f"this face looks like {name!r} (id {found.person_id}), similarity {found.similarity:.2f}; "
            f"use --add --id {found.person_id} if it is the same person, --allow-duplicate if not",
            {"lookalike": {"person_id": found.person_id, "name": name, "similarity": round(found.similarity, 4)}},
        )

    def _lookalike(self, vectors: list[Embedding], own_id: str | None) -> Candidate | None:
        found = [
            candidate
            for probe in [*vectors, fuse(vectors)]
            for candidate in self._gallery.search(probe)
            if candidate is not None and candidate.person_id != own_id and candidate.similarity >= self._bands.match
        ]
        return max(found, key=lambda candidate: candidate.similarity, default=None)


def _grounds(consent: str | None, other: Candidate | None, own: float | None, decision: Decision) -> Grounds:
    return Grounds(
        consent=consent,
        own_similarity=None if own is None else round(own, 4),
        lookalike_id=None if other is None else other.person_id,
        lookalike_similarity=None if other is None else round(other.similarity, 4),
        decision=decision,
    )
