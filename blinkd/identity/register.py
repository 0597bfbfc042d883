"""Enrols into the store and the gallery in one step, after looking for the same face under another name."""

from blinkd.errors import EnrolmentRefused
from blinkd.identity.enrolment import Enroller, NewTemplate
from blinkd.identity.gallery import Gallery
from blinkd.store.database import Store
from blinkd.store.people import Person


class Register:
    """The people of this terminal, while somebody is adding to them."""

    def __init__(self, store: Store, gallery: Gallery, enroller: Enroller) -> None:
        self._store = store
        self._gallery = gallery
        self._enroller = enroller

    def check_id(self, person_id: str | None) -> None:
        """Raise EnrolmentRefused(id_exists) before any picture is looked at."""
        if person_id is not None and self._store.people.find(person_id) is not None:
            raise EnrolmentRefused("id_exists", f"a person with id {person_id!r} exists; --add gives them more templates")
