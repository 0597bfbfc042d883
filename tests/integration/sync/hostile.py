"""What somebody can do who stands between the relay and the terminals, or is the relay: pages and receipts of their own making."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from blinkd.clock import SystemClock
from blinkd.crypto.signing import Signer
from blinkd.sync.messages import Change, Page, PagedChange, Pull, change_signed
from blinkd.sync.topics import PULL
from tests.unit.sync.doors import ORG, Door, Organisation

GREATEST = 2**53 - 1  # the greatest number that a message takes


def asked(door: Door) -> Pull:
    """The door connects and asks for a page; nobody answers yet."""
    door.now += 1
    door.sent.clear()
    door.courier.connected(door.now)
    door.registrar.connected(door.now)
    return pulls(door)[-1]


def offered(door: Door) -> None:
    """The door connects, hears what stands, and sends what it has changed; nobody answers that yet."""
    asked(door)
    while pulls(door):
        place = next(place for place, (suffix, _) in enumerate(door.sent) if suffix == PULL)
        message = door.sent[place]
        del door.sent[place]
        door._answered(*message)


def pulls(door: Door) -> list[Pull]:
    """Pages that it has asked for and not got."""
    return [Pull.parse(payload) for suffix, payload in door.sent if suffix == PULL]


def page(pull: Pull, changes: Iterable[tuple[PagedChange, bytes]] = (), **other: Any) -> Page:
    """An answer. changes: with their authors' certificates; other: members that are not the likely ones."""
    found = list(changes)
    upto = max([pull.since, *(one.version for one, _ in found)])
    said: dict[str, Any] = {"request": pull.request, "since": pull.since, "upto": upto, "head": upto, "more": False}
    certificates = {hashlib.sha256(certificate).hexdigest(): certificate for _, certificate in found}
    return Page(**(said | other), certificates=certificates, changes=tuple(one for one, _ in found))


def hear(door: Door, answer: Page) -> None:
    """As bytes, as it comes."""
    door.registrar.page(Page.parse(answer.to_bytes()), door.now)


def standing(organisation: Organisation, record: str) -> tuple[PagedChange, bytes]:
    """A record as the true relay has it now: what somebody who listens has seen, signed by its author."""
    found = organisation.core.page(ORG, 0, 500)
    (one,) = [one for one in found.changes if one.change.id == record]
    return one, found.certificates[one.certificate]


def shown(taken: tuple[PagedChange, bytes], version: int, **members: Any) -> tuple[PagedChange, bytes]:
    """The same under another version; members: of the change that are put in the place of its own."""
    one, certificate = taken
    return replace(one, version=version, change=replace(one.change, **members)), certificate


def signed(change: Change, terminal: str, signer: Signer, org: str = ORG) -> Change:
    """By whom and for whom it is asked."""
    return replace(change, signature=signer.sign(change_signed(org, terminal, change)))


def authored(change: Change, door: Door, version: int) -> tuple[PagedChange, bytes]:
    """On a page, in a door's name."""
    return PagedChange(change, door.name, version, hashlib.sha256(door.certificate).hexdigest()), door.certificate


def settled(*doors: Door) -> None:
    """Each says and hears everything."""
    for _ in range(2):
        for door in doors:
            door.sync()


def erase(door: Door, person_id: str) -> None:
    door.store.erasure.delete(person_id, "pseudonym", "HR", "on request", SystemClock().now())


def reasons(door: Door) -> dict[str, str]:
    """Of the quarantine, by record."""
    return {record: reason for record, _, reason, _ in door.store.intake.quarantined()}
