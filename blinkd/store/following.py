"""Keeps a gallery as the database has it, by reading only what is new."""

from typing import Protocol

from blinkd.store.people import PeopleRepository
from blinkd.vision.face import Embedding


class Held(Protocol):
    """Templates in memory."""

    def add(self, person_id: str, embedding: Embedding) -> None:
        """One more."""

    def replace(self, templates: "list[tuple[str, Embedding]]") -> None:
        """These and no others."""


class Following:
    """Of one model's templates. Make it before the gallery is read, so that what comes meanwhile is not missed."""

    def __init__(self, people: PeopleRepository, model_id: str) -> None:
        """Raises StoreError."""
        self._people = people
        self._model_id = model_id
        self._seen = people.template_changes()
        self._row = people.last_template()

    def update(self, gallery: Held) -> bool:
        """Take over what has changed since the last time; whether something had. Raises StoreError, KeyMissing; it is then done the next time."""
        changes, row = self._people.template_changes(), self._people.last_template()
        if changes == self._seen:
            return False
        if changes.removed == self._seen.removed:
            new = [(template.person_id, template.vector) for template in self._people.templates(self._model_id, self._row)]
            for person_id, vector in new:
                gallery.add(person_id, vector)
        else:
            gallery.replace([(template.person_id, template.vector) for template in self._people.templates(self._model_id)])
        self._seen, self._row = changes, row
        return True
