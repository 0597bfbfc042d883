"""What registration needs of the terminal's networks and database, loaded when somebody registers and let go of afterwards."""

import io
from collections.abc import Callable, Sequence

from blinkd.capture.pictures import decode_picture
from blinkd.clock import Clock
from blinkd.errors import EnrolmentRefused
from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.guided import GuidedEnrolment
from blinkd.identity.register import Person, Register
from blinkd.parts import Parts
from blinkd.store.database import Store
from blinkd.store.lease import RegistrationLease
from blinkd.store.naming import clean_group, clean_label
from blinkd.web.registration.sitting import Draft

MOST_PIXELS = 50_000_000  # of an uploaded picture: as many as a phone makes

Record = Callable[[Store, str, str], None]  # store, person's id, action: adds to the audit, in the same transaction


class Eyes:
    """For one thread. Its store is its own: a gallery of twenty thousand takes seconds to read, for which no page should wait."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        """Opens the database; networks are loaded when they are first used. Raises StoreError."""
        self._parts = parts
        self._clock = clock
        self._store = parts.open_store(repair=False)
        parts.count(self._store)  # the choice of the model asks who is enrolled
        self._lease = RegistrationLease(self._store.preferences)
        self._register: Register | None = None

    def guided(self, *, mirrored: bool) -> GuidedEnrolment:
        """Begin to look at somebody. Raises ModelError."""
        return GuidedEnrolment(self._parts.enroller, mirrored=mirrored)

    def look_at(self, content: bytes, source: str, known: Sequence[NewTemplate]) -> NewTemplate:
        """A template of an uploaded picture, which agrees with those there are. Raises MediaError, EnrolmentRefused, ModelError."""
        enroller = self._parts.enroller
        template = enroller.from_picture(decode_picture(io.BytesIO(content), source, MOST_PIXELS), source)
        enroller.agree([*known, template])
        return template

    def hold(self) -> None:
        """Keep the door from deciding about whoever stands there, or go on to. Raises StoreError."""
        self._lease.renew(self._clock.now())

    def let_go(self) -> None:
        """The door decides again. Raises StoreError."""
        self._lease.end()

    def enrol(self, draft: Draft, templates: list[NewTemplate], record: Record, *, allow_duplicate: bool) -> Person:
        """All of it, with the line of the audit, or nothing. Raises EnrolmentRefused, UnknownPerson, StoreError, KeyMissing."""
        groups = groups_of(draft.groups)
        label, consent = clean_label(draft.label), draft.consent.strip() or None
        if label:
            templates = [NewTemplate(one.vectors, one.quality, one.source, one.view, label) for one in templates]
        self._parts.enroller.agree(templates)
        if self._register is None:
            self._register = self._parts.register(self._store)
        register, person_id = self._register, draft.person_id.strip()
        register.follow()
        try:
            with self._store.transaction():
                if draft.mode == "new":
                    person = register.enrol(draft.name, person_id or None, templates, allow_duplicate=allow_duplicate, consent=consent)
                elif draft.mode == "add":
                    person = register.add(person_id, templates, allow_duplicate=allow_duplicate, consent=consent)
                else:
                    person = register.refresh(person_id, templates, allow_duplicate=allow_duplicate, consent=consent)
                if groups:
                    self._store.people.change(person.id, join=groups)
                record(self._store, person.id, f"people.{draft.mode}")
        except EnrolmentRefused:
            raise  # before anything was written; the gallery is as it was
        except BaseException:
            self._register = None  # its gallery may hold what the store does not
            raise
        return person

    def close(self) -> None:
        """Let go of database and networks."""
        self._store.close()
        self._parts.forget_networks()


def groups_of(text: str) -> list[str]:
    """The groups of a field in which commas separate them. Raises EnrolmentRefused (bad_group)."""
    return [clean_group(one) for one in text.split(",") if one.strip()]
