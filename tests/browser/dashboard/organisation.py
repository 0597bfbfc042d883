"""An organisation on a relay of its own: terminals write, seal and sign as real ones do; only the broker between them and the relay is left out."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.punch import Direction
from blinkd.attendance.supervisor import Supervisor
from blinkd.clock import Confidence, Instant
from blinkd.crypto.authority import Authority
from blinkd.crypto.box import Box
from blinkd.crypto.certificates import CertificateChecker
from blinkd.crypto.chain import NO_HASH, commitment_of, hash_of, new_salt
from blinkd.crypto.grants import grants_for, keyring_record
from blinkd.crypto.installation import TERMINAL_FILE, admit
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import keep, load, unlock
from blinkd.parts import Parts
from blinkd.relay.api.app import create_app
from blinkd.relay.api.server import ApiServer
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, new_token
from blinkd.relay.core import Core
from blinkd.relay.migrate import migrate
from blinkd.relay.sqlite import SqliteConnections
from blinkd.relay.verification import NoAuthority
from blinkd.serving.server import Listen
from blinkd.settings import AttendanceSettings, RelaySettings, Settings, TerminalSettings
from blinkd.store.database import Store
from blinkd.sync.keeper import KEYRING, Keeper
from blinkd.sync.messages import Batch, Change, Changes, Page, Pull, SealedEntry, admin_signed, entry_signed, record_of
from blinkd.sync.records import ENTRY, EntryContent, pack_entry
from blinkd.sync.registrar import Registrar
from blinkd.sync.shelf import BookShelf
from tests.unit.store.stores import sample

ORG = "acme"
PASSWORD = "Stra\u00dfe \ufb01ndet Kaffee \u212b viel Regen"
ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 30, 11, 0, tzinfo=UTC)  # a Monday, at noon in Berlin; a clock change lies within the two months before


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, utc: datetime, boot_id: str = "boot-1") -> None:
        self.utc, self.boot_id, self.boot_s = utc, boot_id, 1000.0
        self.confidence: Confidence = "synced"

    def now(self) -> Instant:
        return Instant(self.utc, self.boot_s, self.boot_id, self.confidence)

    def monotonic(self) -> float:
        return self.boot_s

    def at(self, utc: datetime) -> None:
        """Time passes, on both clocks."""
        self.boot_s += (utc - self.utc).total_seconds()
        self.utc = utc


@dataclass
class Desk:
    """A terminal. Its store stays open."""

    settings: Settings
    store: Store
    clock: HandClock
    signer: Signer
    certificate: bytes

    @property
    def name(self) -> str:
        return self.settings.terminal.id

    @property
    def parts(self) -> Parts:
        return Parts(self.settings)

    def clerk(self) -> Clerk:
        return self.parts.clerk(self.store, self.store, self.clock)

    def supervisor(self) -> Supervisor:
        return Supervisor(self.store.book, self.clock, "Supervisor")

    def punch(self, person_id: str, utc: datetime) -> int:
        """Returns its number."""
        self.clock.at(utc)
        return self.clerk().attend(person_id, 0.7, {}).seq  # type: ignore[union-attr]


@dataclass
class Organisation:
    """Everything in one folder, which may be opened again."""

    folder: Path
    connections: SqliteConnections
    authority: Authority
    keyring: KeyringFile
    core: Core
    desks: dict[str, Desk] = field(default_factory=dict)

    @classmethod
    def begin(cls, folder: Path) -> "Organisation":
        folder.mkdir(parents=True, exist_ok=True)
        connections = SqliteConnections(folder / "relay.sqlite3")
        migrate(connections)
        authority = Authority.create(folder / "authority", ORG)
        keyring = KeyringFile.create(ORG, PASSWORD, date(2026, 1, 1))
        return cls(folder, connections, authority, keyring, Core(connections, CertificateChecker(authority.ca_pem)))

    @property
    def keys(self) -> Keyring:
        with self.keyring.opened(PASSWORD) as opened:
            return unlock(self.keyring, opened)

    def terminal(self, name: str, *others: str, utc: datetime = NOW) -> Desk:
        """Put one up."""
        state = self.folder / name
        state.mkdir(mode=0o700)
        admit(state, name, self.authority, self.keyring, self.keys)
        settings = Settings(
            state_dir=state,
            terminal=TerminalSettings(id=name, timezone=ZONE, others=list(others)),
            attendance=AttendanceSettings(min_interval_s=0),
        )
        der = x509.load_pem_x509_certificate((state / TERMINAL_FILE).read_bytes()).public_bytes(Encoding.DER)
        desk = Desk(settings, Parts(settings).open_store(), HandClock(utc), Signer.load(state, create=False), der)
        self.desks[name] = desk
        return desk

    def enrol(self, desk: Desk, person_id: str, name: str, seed: int = 1) -> None:
        desk.store.people.enrol(person_id, name, [sample(seed)])

    def publish_keyring(self, desk: Desk) -> None:
        """As `blinkd keys init` does."""
        with self.keyring.opened(PASSWORD) as secret:
            one = keyring_record(self.keyring)
            signature = secret.administrator().sign(admin_signed(ORG, Change(one.id, one.type, 0, 1, None, one.open, b"")))
        desk.store.registry.publish(KEYRING, KEYRING, one.open, signature)

    def rotate(self, desk: Desk) -> None:
        """As `blinkd keys rotate` does; the new keys come to the other terminals by the next sync."""
        rotated = self.keyring.rotated(PASSWORD, date(2026, 6, 1))
        checker = CertificateChecker(self.authority.ca_pem)
        known = [checker.check(one.certificate, ORG, one.name) for one in self.desks.values()]
        with rotated.opened(PASSWORD) as secret:
            keep(desk.settings.state_dir, rotated, unlock(rotated, secret))
            administrator = secret.administrator()
            for one in [*grants_for(secret, rotated.current, known, date(2026, 6, 1)), keyring_record(rotated)]:
                change = Change(one.id, one.type, 0, 1, None, one.open, b"")
                desk.store.registry.publish(one.id, one.type, one.open, administrator.sign(admin_signed(ORG, change)))
        self.keyring = rotated

    def sync(self, desk: Desk, *, book: bool = True) -> None:
        """All that waits goes to the relay, and all that is new there comes. book: whether entries go too."""
        state = desk.settings.state_dir
        keyring = load(state)
        sealer, checker = Sealer(keyring, desk.name), CertificateChecker(self.authority.ca_pem)
        keeper = Keeper(state, keyring, Box.load(state, create=False), checker, desk.name)
        changes, pulls = deque[bytes](), deque[bytes]()
        registrar = Registrar(
            *(desk.store, keyring, sealer, desk.signer, checker, keeper, desk.certificate, ORG, desk.name, "pseudonym", desk.clock),
            *(changes.append, pulls.append),
        )
        registrar.connected(0.0)
        while changes or pulls:
            if pulls:
                page = self.core.answer(Pull.parse(pulls.popleft()))
                assert isinstance(page, Page)
                registrar.page(page, 0.0)
            else:
                registrar.settled(self.core.people(Changes.parse(changes.popleft())).people, 0.0)
        if not book:
            return
        shelf = BookShelf(desk.store.outbox, sealer, desk.signer, ORG, desk.name, desk.certificate, 250)
        seq = shelf.unsent()
        while (parcel := shelf.parcel(seq, alone=False)) is not None:
            receipt = self.core.attendance(Batch.parse(parcel.payload))
            assert receipt.attendance is not None and not receipt.rejected, receipt
            shelf.stored(receipt.attendance.book, receipt.attendance.upto, receipt.attendance.hash)
            seq = parcel.last + 1

    def token(self, *scopes: Scope) -> str:
        return token_for(self.connections, *(scopes or (Scope.DASHBOARD_READ,)))

    @contextmanager
    def served(self, **settings: object) -> Iterator[str]:
        """The relay's HTTP API, on a port of this machine; its address."""
        with serve(self.connections, self.core, **settings) as address:
            yield address

    def close(self) -> None:
        for desk in self.desks.values():
            desk.store.close()
        self.connections.close()


def sealed_batch(
    desk: Desk, sealer: Sealer, book: str, contents: Sequence[Mapping[str, Any]], first: int = 0, prev: bytes = NO_HASH
) -> tuple[Batch, bytes]:
    """Entries of a book as the terminal's shelf would send them, and the hash of the last."""
    before, entries = prev, []
    for seq, content in enumerate(contents, first):
        salt = new_salt()
        commitment = commitment_of(salt, content)
        before = hash_of(book, seq, before, commitment)
        envelope = sealer.seal(ENTRY, record_of(desk.name, book, seq), pack_entry(EntryContent(seq, content, salt)))
        entries.append(SealedEntry(seq, commitment, desk.signer.sign(entry_signed(ORG, desk.name, before, envelope.digest())), envelope))
    return Batch(ORG, desk.name, book, desk.certificate, prev, tuple(entries)), before


def token_for(connections: SqliteConnections, *scopes: Scope) -> str:
    """A new one."""
    token, text = new_token(ORG, "dashboard", frozenset(scopes), datetime.now(UTC), None)
    ApiStorage(connections).add_token(token)
    return text


@contextmanager
def serve(connections: SqliteConnections, core: Core | None, **settings: object) -> Iterator[str]:
    """The HTTP API of a relay with this database; its address. core: None where nothing is sent to it."""
    core = core or Core(connections, NoAuthority())
    # no limit of this one is what is tested here: all tests share an address
    relay = RelaySettings(http_rate=100_000, http_address_rate=100_000).model_copy(update=settings)
    server = ApiServer(create_app(connections, core, Settings(relay=relay)), Listen("127.0.0.1", 0))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\"><script>document.title='hacked'</script>",
    '=HYPERLINK("https://evil.example")',
    "@SUM(1+1)",
    "${alert(1)} {{7*7}} javascript:alert(1)",
    "\u05d0\u05d1\u05d2 of the right",
)


def small(folder: Path) -> Organisation:
    """Two doors, some days, every kind of entry, an old epoch, hostile names."""
    made = Organisation.begin(folder)
    doors = [made.terminal("door-1", "door-1", "door-2"), made.terminal("door-2", "door-1", "door-2")]
    first, second = doors
    for number, name in enumerate(("Ann Example", "Bo Example", "Cy Example", *HOSTILE), 1):
        made.enrol(first, f"E-{number}", name, number)
    made.publish_keyring(first)
    for door in (*doors, first):
        made.sync(door)
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    for day in range(5):
        for number in range(1, 10):
            door = doors[number % 2]
            came = monday + timedelta(days=day, hours=7, minutes=50 + 3 * number + day)  # 08:50 and later in Berlin
            door.punch(f"E-{number}", came)
        for number in range(1, 10):
            doors[number % 2].punch(f"E-{number}", monday + timedelta(days=day, hours=16, minutes=number))
        for door in doors:
            made.sync(door)
        if day == 2:
            made.rotate(first)
            for door in (first, second, first):
                made.sync(door)
    _corrections(made, first, monday)
    today = NOW.replace(hour=0)
    for number in range(1, 6):
        doors[number % 2].punch(f"E-{number}", today + timedelta(hours=7, minutes=55 + 8 * number))
    _without_clock(second)
    for door in doors:
        door.clock.at(NOW)
        made.sync(door)
    return made


def _corrections(made: Organisation, door: Desk, monday: datetime) -> None:
    """Door-1 has the people with even numbers."""
    punches = list(door.store.book.punches())
    of = {number: [one.seq for one in punches if one.person_id == f"E-{number}"] for number in (2, 4, 6, 8)}
    door.clock.at(monday + timedelta(days=4, hours=17))
    boss = door.supervisor()
    for seq in of[2][:2]:
        boss.void(seq, "a test of the door")
    boss.amend(of[4][0], "came earlier, the queue was long", monday + timedelta(hours=7, minutes=55), None)
    boss.void(of[6][0], "seemed wrong")
    boss.uphold(of[6][0], "was right, <b>sorry</b>")
    boss.add("E-8", monday + timedelta(days=4, hours=16, minutes=45), Direction.CHECK_OUT, "forgot to leave")
    seq = door.punch("E-9", monday + timedelta(days=4, hours=17, minutes=5))
    door.clerk().disown(seq)
    made.enrol(door, "E-90", "Gone Example", 90)
    door.punch("E-90", monday + timedelta(days=4, hours=17, minutes=6))
    made.sync(door)
    door.store.erasure.delete("E-90", "erase", "HR", "left the company", door.clock.now())


def _without_clock(door: Desk) -> None:
    """A boot without the time, which is known later; and one of which it never is."""
    now = door.clock.utc
    for boot, later in (("boot-2", True), ("boot-3", False)):
        door.clock.boot_id, door.clock.boot_s, door.clock.confidence = boot, 50.0, "unsynced"
        door.clock.utc = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
        door.clerk().attend("E-7" if later else "E-8", 0.7, {})
        if later:
            door.clock.utc, door.clock.boot_s, door.clock.confidence = now + timedelta(minutes=10), 110.0, "synced"
            door.clerk().attend("E-6", 0.7, {})
    door.clock.utc, door.clock.boot_id, door.clock.confidence = now + timedelta(minutes=20), "boot-4", "synced"
