"""People who are enrolled, changed and deleted at two doors at once, and what must be known of them when all has been said."""

import random
from collections import Counter
from collections.abc import Callable

from blinkd.attendance.punch import PersonStatus
from blinkd.clock import SystemClock
from blinkd.store.database import Store
from blinkd.store.people import NO_GROUNDS
from tests.integration.sync.site import Terminal
from tests.unit.store.stores import MODEL, sample

OWN, SHARED = 5, 4  # people of each door, and of both, at most
GROUPS = ("Day", "Night", "Weekend")
SHARED_MARK = "S-"
BOTH_MARK = "S-both-"

Known = tuple[str, PersonStatus, tuple[str, ...], list[bytes]]  # name, status, groups, templates


class Staff:
    """A door's own people are changed there only, so that it is certain what stands in the end; those of both may be changed at either."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._count = 0
        self._own: dict[str, set[str]] = {}  # by door
        self.expected: dict[str, Known] = {}  # of doors' own people
        self.deleted: set[str] = set()
        self.done: Counter[str] = Counter()

    def work(self, terminal: Terminal, store: Store) -> None:
        """One thing to do at a door."""
        with store.people.exclusive():  # what the sync process brings meanwhile comes before or after
            own = self._own.setdefault(terminal.name, set())
            shared = sorted(person.id for person in store.people.all() if person.id.startswith(SHARED_MARK))
            if not shared or (len(shared) < SHARED and self._chance.random() < 0.2):
                self._enrol(store, f"{SHARED_MARK}{terminal.name}-{self._next()}")
            elif self._chance.random() < 0.3:
                self._change_shared(store, self._chance.choice(shared))
            elif not own or (len(own) < OWN and self._chance.random() < 0.4):
                self._enrol_own(terminal, store, own)
            else:
                self._change_own(store, self._chance.choice(sorted(own)), own)

    def at_both(self, stores: list[Store]) -> None:
        """Somebody is enrolled at two doors that do not know of each other."""
        person_id = f"{BOTH_MARK}{self._next()}"
        for store in stores:
            with store.people.exclusive():
                if store.people.find(person_id) is None:
                    self._enrol(store, person_id)

    def _enrol(self, store: Store, person_id: str) -> None:
        self.done["enrol"] += 1
        store.people.enrol(person_id, f"Person {self._next()}", [sample(self._next())])

    def _enrol_own(self, terminal: Terminal, store: Store, own: set[str]) -> None:
        person_id = f"E-{terminal.name}-{self._next()}"
        self._enrol(store, person_id)
        own.add(person_id)
        self._note(store, person_id)

    def _change_shared(self, store: Store, person_id: str) -> None:
        changes: list[Callable[[Store, str], None]] = [self._rename, self._rename, self._switch, self._regroup, self._add_template]
        # a deletion by a door that has told nobody of its enrolment yet says nothing of the same person's at the other door
        what = self._chance.choice(changes if person_id.startswith(BOTH_MARK) else [*changes, self._delete])
        what(store, person_id)
        if what == self._delete:
            self.deleted.add(person_id)

    def _change_own(self, store: Store, person_id: str, own: set[str]) -> None:
        changes: list[Callable[[Store, str], None]] = [self._rename, self._switch, self._regroup, self._add_template, self._replace]
        what = self._chance.choice([*changes, *changes, self._withdraw, self._delete])
        what(store, person_id)
        if what == self._delete:
            own.discard(person_id)
            self.expected.pop(person_id)
            self.deleted.add(person_id)
        else:
            self._note(store, person_id)

    def _note(self, store: Store, person_id: str) -> None:
        self.expected[person_id] = known(store)[person_id]

    def _rename(self, store: Store, person_id: str) -> None:
        self.done["rename"] += 1
        store.people.change(person_id, name=f"Name {self._next()}")

    def _switch(self, store: Store, person_id: str) -> None:
        self.done["switch on or off"] += 1
        active = store.people.get(person_id).status is PersonStatus.ACTIVE
        store.people.set_status(person_id, PersonStatus.DEACTIVATED if active else PersonStatus.ACTIVE)

    def _regroup(self, store: Store, person_id: str) -> None:
        self.done["regroup"] += 1
        group = self._chance.choice(GROUPS)
        if group in store.people.get(person_id).groups:
            store.people.change(person_id, leave=[group])
        else:
            store.people.change(person_id, join=[group])

    def _add_template(self, store: Store, person_id: str) -> None:
        self.done["add template"] += 1
        store.people.add_templates(person_id, [sample(self._next())])

    def _replace(self, store: Store, person_id: str) -> None:
        self.done["replace templates"] += 1
        store.people.replace_templates(person_id, [sample(self._next()), sample(self._next())], NO_GROUNDS)

    def _withdraw(self, store: Store, person_id: str) -> None:
        self.done["withdraw"] += 1
        store.erasure.withdraw(person_id, "HR", "no longer agreed", SystemClock().now())

    def _delete(self, store: Store, person_id: str) -> None:
        self.done["delete"] += 1
        store.erasure.delete(person_id, "pseudonym", "HR", "on request", SystemClock().now())

    def _next(self) -> int:
        self._count += 1
        return self._count


def known(store: Store) -> dict[str, Known]:
    """What a door knows of everybody."""
    templates: dict[str, list[bytes]] = {}
    for template in store.people.templates(MODEL):
        templates.setdefault(template.person_id, []).append(template.vector.tobytes())
    return {
        person.id: (person.name, person.status, tuple(sorted(person.groups)), sorted(templates.pop(person.id, [])))
        for person in store.people.all()
    } | ({"": ("templates of nobody", PersonStatus.ACTIVE, tuple(templates), [])} if templates else {})
