"""The sync process: one connection to the broker, the courier and the registrar on it, and a file that says how they fare."""

import json
import logging
import os
import queue
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import blinkd
from blinkd.clock import BUILT, Clock
from blinkd.crypto.box import Box
from blinkd.crypto.certificates import CertificateChecker, read_certificate
from blinkd.crypto.encoding import b64
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import load
from blinkd.errors import CertificateRefused, ConfigError, MessageRejected, StoreError
from blinkd.settings import Settings
from blinkd.status_file import part_states
from blinkd.store.database import Store
from blinkd.sync.courier import Courier
from blinkd.sync.keeper import REVOCATION, TERMINAL, Keeper
from blinkd.sync.link import Arrived, Broker, Connected, Happening, Link, Lost, MqttLink
from blinkd.sync.messages import CERTIFICATE, Page, Receipt, RegistryHead, Status
from blinkd.sync.network import has_way_out
from blinkd.sync.registrar import Registrar
from blinkd.sync.shelf import BookShelf
from blinkd.sync.topics import ATTENDANCE, PAGE, PEOPLE, PULL, RECEIPT, STATUS, Topic, head_topic

STATE_FILE = "sync.json"  # in the state folder; replaced whole
LOCK_FILE = "sync.lock"
POLL_S = 1.0  # between looks whether something new waits: what a punch waits at most before it is sent
MOST_WAITING = 64  # messages that have come and are not read yet, of 1 MiB at most
STATE_S = 2.0  # between two writes of the file
STATUS_S = 30.0  # between two looks whether what the others were told of this terminal still holds: how much waits changes all the time
CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca.pem", "terminal.pem", "tls.key"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """This terminal among the others. certificate: DER."""

    org: str
    terminal: str
    certificate: bytes
    broker: Broker


def identity_of(settings: Settings, organisation: str) -> Identity:
    """From the files that `fleet install` puts in place. Raises ConfigError, CertificateRefused."""
    sync, folder = settings.sync, settings.state_dir
    broker = Broker(
        sync.broker,
        sync.port,
        sync.ca_file or folder / CA_FILE,
        sync.certificate_file or folder / CERTIFICATE_FILE,
        sync.key_file or folder / KEY_FILE,
        version=sync.mqtt_version,
        keepalive_s=sync.keepalive_s,
    )
    try:
        der = x509.load_pem_x509_certificate(_read(broker.certificate)).public_bytes(Encoding.DER)
    except ValueError:
        raise ConfigError(f"{broker.certificate}: no certificate in PEM; `blinkd fleet install` puts the right one there") from None
    found = read_certificate(der)
    if (found.org, found.terminal) != (organisation, settings.terminal.id):
        raise CertificateRefused(
            f"{broker.certificate}: is for {found.org}/{found.terminal}; this is {organisation}/{settings.terminal.id} (keyring, terminal.id): "
            "ask for one with `blinkd fleet request`"
        )
    return Identity(organisation, settings.terminal.id, der, broker)


class Runner:
    """Everything of one terminal's sync. One thread does all of the work; the link's own threads only hand over what happens."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        """Raises KeyMissing, KeyringRefused, ConfigError, CertificateRefused."""
        self._settings = settings
        self._store = store
        self._clock = clock
        keyring = load(settings.state_dir)
        self._identity = identity = identity_of(settings, keyring.organisation)
        signer = Signer.load(settings.state_dir, create=False)
        if read_certificate(identity.certificate).signing != signer.public:
            raise CertificateRefused(
                f"{identity.broker.certificate}: names another signing key than this terminal has; ask for a new one with `blinkd fleet request`"
            )
        sealer = Sealer(keyring, identity.terminal)
        checker = CertificateChecker(_read(identity.broker.ca))
        self._installed = self._stamps()
        keeper = Keeper(settings.state_dir, keyring, Box.load(settings.state_dir, create=False), checker, identity.terminal)
        for said in store.registry.published(REVOCATION).values():
            checker.revoke(said)
        store.registry.publish(f"{TERMINAL}.{identity.terminal}", TERMINAL, {"certificate": b64(identity.certificate)})
        self._happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self._following: Happening | None = None  # was looked at already
        self._link: Link | None = None
        shelf = BookShelf(store.outbox, sealer, signer, identity.org, identity.terminal, identity.certificate, settings.sync.batch)
        self._courier = Courier(shelf, lambda payload: self._send(ATTENDANCE, payload), settings.sync.in_flight)
        self._registrar = Registrar(
            store,
            keyring,
            sealer,
            signer,
            checker,
            keeper,
            identity.certificate,
            identity.org,
            identity.terminal,
            settings.privacy.deleted_hours,
            clock,
            lambda payload: self._send(PEOPLE, payload),
            lambda payload: self._send(PULL, payload),
        )
        self._connected = False
        self._way_out = has_way_out()
        self._reason = "not connected yet"
        self._chain: dict[str, str] | None = None
        self._parts: dict[str, str] = {}  # of the daemon, as they were last told
        self._told: tuple[float, bytes] = (float("-inf"), b"")  # the status that the others were told last, and when it was looked at
        self._written: tuple[float, dict[str, Any]] = (float("-inf"), {})

    def link(self) -> Link:
        """The real connection. Raises ConfigError."""
        identity = self._identity
        topics = [str(Topic(identity.org, identity.terminal, suffix)) for suffix in (RECEIPT, PAGE)] + [head_topic(identity.org)]
        return MqttLink(
            identity.broker,
            f"{identity.org}/{identity.terminal}",
            topics,
            (self._topic(STATUS), self._status(online=False)),
            self.happened,
            in_flight=self._settings.sync.in_flight + 4,
            check_time=lambda: self._clock.now().utc >= BUILT,
        )

    def happened(self, happening: Happening) -> None:
        """For the link: something has happened. May be called from any thread."""
        if isinstance(happening, Arrived) and self._happenings.qsize() >= MOST_WAITING:
            return  # as if it had been lost on the way, which the protocol mends: a broker can send faster than this terminal can read
        self._happenings.put(happening)

    def run(self, link: Link, stopped: Callable[[], bool]) -> None:
        """Work until told to stop, or until other certificates are installed: whoever starts it then begins with those."""
        self._link = link
        # a rejection is signed by nobody: what was refused is offered once more in each life of the process
        self._store.outbox.try_again()
        self._store.registry.try_again()
        self._store.changed_elsewhere()
        link.start()
        while not stopped() and not self._renewed():
            try:
                self._step(time.monotonic())
            except StoreError as error:  # a full disk, a database that somebody holds: what was not noted is sent again
                log.error("%s; going on", error)
                time.sleep(POLL_S)
            self._tell()
        self._courier.disconnected()
        self._registrar.disconnected()
        link.stop(self._topic(STATUS), self._status(online=False))
        self._connected, self._reason = False, "stopped"
        self._tell(at_once=True)

    @property
    def reason(self) -> str:
        """Why it is not connected, or is not heard; empty where nothing is wrong."""
        return self._reason

    def hurry(self) -> None:
        """Look at once, and connect at once."""
        if self._link is not None:
            self._link.hurry()

    def drained(self) -> bool:
        """Whether the relay has everything, and this terminal everything of the registry."""
        store, registry = self._store, self._store.registry
        nothing_waits = store.outbox.first() == store.outbox.end() and not registry.changed() and not registry.waiting(1)
        return self._connected and nothing_waits and not self._registrar.pulling and store.timeline.version() >= self._registrar.head

    def _renewed(self) -> bool:
        """Whether `fleet install` has put other files in the place of those that this process has read."""
        now = self._stamps()
        if not all(now) or now == self._installed:  # one that is gone stops nobody who is connected
            return False
        log.info("another certificate is installed; the connection begins anew with it")
        return True

    def _stamps(self) -> list[tuple[int, int] | None]:
        broker = self._identity.broker
        return [_stamp(path) for path in (broker.ca, broker.certificate, broker.key)]

    def _step(self, now: float) -> None:
        due = min((time for time in (self._courier.due(), self._registrar.due()) if time is not None), default=now + POLL_S)
        try:
            happening = self._following or self._happenings.get(timeout=max(0.0, min(due - now, POLL_S)))
            self._following = None
        except queue.Empty:
            if self._connected and (self._store.changed_elsewhere() or time.monotonic() >= due):
                self._courier.work(time.monotonic())
                self._registrar.work(time.monotonic())
            elif not self._connected:
                self._look_outside()
            return
        now = time.monotonic()
        if isinstance(happening, Connected):
            self._connected, self._reason = True, ""
            log.info("connected to %s", self._identity.broker.host)
            self._told = (float("-inf"), b"")  # the broker has put the last will in its place
            self._tell_others()
            self._courier.connected(now)
            self._registrar.connected(now)
        elif isinstance(happening, Lost):
            if self._connected or self._reason != happening.reason:
                log.warning("%s; next try in %.0f s", happening.reason, happening.wait_s)
            self._connected, self._reason = False, happening.reason
            self._courier.disconnected()
            self._registrar.disconnected()
        else:
            self._arrived(happening, now)

    def _look_outside(self) -> None:
        """A network that has come back is used at once."""
        before, self._way_out = self._way_out, has_way_out()
        if self._way_out and not before:
            log.info("there is a network again")
            self.hurry()

    def _arrived(self, arrived: Arrived, now: float) -> None:
        try:
            if arrived.topic == head_topic(self._identity.org):
                self._registrar.announced(RegistryHead.parse(arrived.payload).version, now)
                self._courier.relay_is_back(now)
            elif arrived.topic == self._topic(RECEIPT):
                receipt = Receipt.parse(arrived.payload)
                if self._is_overtaken(receipt):
                    return
                if receipt.chain is not None:  # one for people says nothing of it, and ends no alert
                    before, self._chain = self._chain, {"state": receipt.chain.state, "detail": receipt.chain.detail}
                    if self._chain["state"] != ("ok" if before is None else before["state"]):
                        self._tell_others()
                for rejected in receipt.rejected:
                    log.error("the relay refuses %s: %s", rejected.topic, rejected.words)
                    if rejected.reason == CERTIFICATE:
                        self._reason = f"the relay refuses what is sent: {rejected.words}"
                    if rejected.topic == PEOPLE:
                        self._registrar.rejected(rejected.reason, now)
                self._courier.receipt(receipt, now)
                self._registrar.settled(receipt.people, now)
            elif arrived.topic == self._topic(PAGE):
                self._registrar.page(Page.parse(arrived.payload), now)
        except MessageRejected as error:
            log.error("a message on %s is not of the protocol: %s", arrived.topic, error)

    def _is_overtaken(self, receipt: Receipt) -> bool:
        """Whether the next message is a receipt that covers this one too: each that is noted costs a write to the card."""
        with suppress(queue.Empty, MessageRejected):
            self._following = following = self._happenings.get_nowait()
            if isinstance(following, Arrived) and following.topic == self._topic(RECEIPT):
                return receipt.is_covered_by(Receipt.parse(following.payload))
        return False

    def _send(self, suffix: str, payload: bytes) -> None:
        self._publish(suffix, payload, retain=False)

    def _publish(self, suffix: str, payload: bytes, *, retain: bool) -> None:
        if self._link is not None:
            self._link.publish(self._topic(suffix), payload, retain=retain)

    def _topic(self, suffix: str) -> str:
        return str(Topic(self._identity.org, self._identity.terminal, suffix))

    def _status(self, *, online: bool) -> bytes:
        identity = self._identity
        counts, people = self._store.outbox.counts(), self._store.registry.counts()
        waiting = {"pending": counts["PENDING"] + people["PENDING"], "failed": counts["FAILED"] + people["FAILED"]}
        chain = {} if self._chain is None or self._chain["state"] == "ok" else {"chain": self._chain["state"]}
        health = waiting | {"parts": self._parts} | chain if online else {}
        return Status(identity.org, identity.terminal, online, blinkd.__version__, health).to_bytes()

    def _tell_others(self) -> None:
        """Publish how this terminal is, where that is news."""
        status, before = self._status(online=True), self._told[1]
        self._told = (time.monotonic(), status)
        if status != before:
            self._publish(STATUS, status, retain=True)

    def _tell(self, *, at_once: bool = False) -> None:
        """Write the file where something has changed. A full disk keeps nobody from sending."""
        at, before = self._written
        if not at_once and time.monotonic() - at < STATE_S:
            return
        state = {
            "pid": os.getpid(),
            "broker": f"{self._identity.broker.host}:{self._identity.broker.port}",
            "connected": self._connected,
            "reason": self._reason,
            "under_way": self._courier.under_way,
            "chain": self._chain,
            "registry_head": self._registrar.head,
        }
        self._written = (time.monotonic(), before)
        parts, self._parts = self._parts, part_states(self._settings.state_dir)
        with suppress(StoreError):
            if self._connected and (parts != self._parts or time.monotonic() - self._told[0] >= STATUS_S):
                self._tell_others()
        with suppress(StoreError):
            if state != before:
                write_whole(self._settings.state_dir / STATE_FILE, json.dumps(state).encode() + b"\n")
                self._written = (time.monotonic(), state)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; `blinkd fleet install` puts it there") from None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Of a file that is replaced whole; None where it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def read_state(state_dir: Path) -> dict[str, Any] | None:
    """What the sync process last said; None where none has run."""
    try:
        value = json.loads((state_dir / STATE_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
