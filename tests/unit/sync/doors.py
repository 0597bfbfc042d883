"""Terminals and a relay without a network: the real parts, whose messages are handed over as bytes."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blinkd.attendance.clerk import Clerk
from blinkd.clock import SystemClock
from blinkd.crypto.authority import Authority, make_request, new_tls_key
from blinkd.crypto.box import Box
from blinkd.crypto.certificates import CertificateChecker
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import keep, unlock
from blinkd.relay.core import Core
from blinkd.relay.migrate import migrate
from blinkd.relay.sqlite import SqliteConnections
from blinkd.settings import AttendanceSettings, StoreSettings
from blinkd.store.database import Store, make_folder
from blinkd.sync.courier import Courier
from blinkd.sync.keeper import REVOCATION, Keeper
from blinkd.sync.messages import Batch, Changes, Page, Pull, Receipt
from blinkd.sync.registrar import Registrar
from blinkd.sync.shelf import BookShelf
from blinkd.sync.topics import ATTENDANCE, PEOPLE, PULL
from tests.unit.store.stores import clerk_of

ORG, PASSWORD = "acme", "correct horse battery staple"


@dataclass
class Organisation:
    """Its authority, its keyring, a relay, and its doors."""

    folder: Path
    authority: Authority = field(init=False)
    keyring: KeyringFile = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority.create(self.folder / "ca", ORG)
        self.keyring = KeyringFile.create(ORG, PASSWORD, date(2026, 1, 1))
        self.connections = SqliteConnections(self.folder / "cloud_blink.db")
        migrate(self.connections)
        self.core = Core(self.connections, CertificateChecker(self.authority.ca_pem))

    def door(self, name: str) -> "Door":
        return Door(self, name)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connections.transaction(reading=True) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


class Door:
    """A terminal whose messages go to the relay when `sync` is called."""

    def __init__(self, organisation: Organisation, name: str) -> None:
        self.organisation, self.name = organisation, name
        self.folder = organisation.folder / name
        make_folder(self.folder)
        self.store = Store.open(self.folder, StoreSettings())
        self.store.book.begin()
        with organisation.keyring.opened(PASSWORD) as opened:
            self.keyring = unlock(organisation.keyring, opened)
        keep(self.folder, organisation.keyring, self.keyring)
        signer, box = Signer.load(self.folder, create=True), Box.load(self.folder, create=True)
        request = make_request(name, ORG, new_tls_key(), signer.public, box.public)
        certificate = x509.load_pem_x509_certificate(organisation.authority.issue_terminal(request))
        self.certificate = certificate.public_bytes(Encoding.DER)
        self.serial = certificate.serial_number
        self.sealer, self.signer = Sealer(self.keyring, name), signer
        self.checker = CertificateChecker(organisation.authority.ca_pem)
        self.keeper = Keeper(self.folder, self.keyring, box, self.checker, name)
        self.sent: deque[tuple[str, bytes]] = deque()
        shelf = BookShelf(self.store.outbox, self.sealer, signer, ORG, name, self.certificate, 10)
        self.courier = Courier(shelf, lambda payload: self.sent.append((ATTENDANCE, payload)), 3)
        self.registrar = Registrar(
            self.store,
            self.keyring,
            self.sealer,
            signer,
            self.checker,
            self.keeper,
            self.certificate,
            ORG,
            name,
            "pseudonym",
            SystemClock(),
            lambda payload: self.sent.append((PEOPLE, payload)),
            lambda payload: self.sent.append((PULL, payload)),
        )
        self.now = 0.0

    @property
    def clerk(self) -> Clerk:
        return clerk_of(self.store, SystemClock(), AttendanceSettings(min_interval_s=0))

    def sync(self, filter_: Callable[[str, bytes], bool] = lambda *_: True) -> "Door":
        """A connection from its beginning until nothing is left to say. filter_: whether a message reaches the relay."""
        self.now += 1
        for said in self.store.registry.published(REVOCATION).values():
            self.checker.revoke(said)
        self.courier.connected(self.now)
        self.registrar.connected(self.now)
        self._talk(filter_)
        return self

    def stay(self, seconds: float) -> None:
        """Time goes by on the same connection."""
        self.now += seconds
        self.courier.work(self.now)
        self.registrar.work(self.now)
        self._talk(lambda *_: True)

    def _talk(self, filter_: Callable[[str, bytes], bool]) -> None:
        while self.sent:
            suffix, payload = self.sent.popleft()
            if filter_(suffix, payload):
                self._answered(suffix, payload)
            self.courier.work(self.now)
            self.registrar.work(self.now)

    def _answered(self, suffix: str, payload: bytes) -> None:
        core = self.organisation.core
        if suffix == ATTENDANCE:
            self.courier.receipt(Receipt.parse(core.attendance(Batch.parse(payload)).to_bytes()), self.now)
        elif suffix == PEOPLE:
            receipt = Receipt.parse(core.people(Changes.parse(payload)).to_bytes())
            for rejected in receipt.rejected:
                self.registrar.rejected(rejected.reason, self.now)
            self.registrar.settled(receipt.people, self.now)
        else:
            pull = Pull.parse(payload)
            answer = core.answer(pull)
            if isinstance(answer, Page):
                self.registrar.page(Page.parse(answer.to_bytes()), self.now)

    def people(self) -> dict[str, str]:
        return {person.id: person.name for person in self.store.people.all()}
