"""How fast relays take in what many terminals send at once."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.subscribeoptions import SubscribeOptions

from blinkd.crypto.chain import NO_HASH, commitment_of, hash_of, new_salt
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.errors import ServerFailed
from blinkd.measure.traffic.clients import client_of
from blinkd.measure.traffic.site import ORGANISATION, Site
from blinkd.settings import Settings
from blinkd.store.outbox import Parcelled
from blinkd.sync.link import QOS
from blinkd.sync.messages import Batch, Receipt, SealedEntry, entry_signed, record_of
from blinkd.sync.records import ENTRY, EntryContent, pack_entry
from blinkd.sync.runner import identity_of
from blinkd.sync.topics import ATTENDANCE, RECEIPT, Topic

WINDOW = 2  # messages of each terminal that wait for their receipt: the broker writes all that waits to its disk again and again
BATCH = 250  # punches in a message
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Ingest:
    """Punches a second by number of relay processes: the best of the rounds. batch: punches in a message."""

    terminals: int
    batch: int
    punches: int
    rates: dict[int, float]

    def as_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        return {
            "terminals": self.terminals,
            "batch": self.batch,
            "punches": self.punches,
            "one_relay_per_s": round(self.rates[1]),
            "two_relays_per_s": round(self.rates[2]),
            "ratio": round(self.rates[2] / self.rates[1], 2),
        }


def measure_ingest(site: Site, terminals: list[Settings], sample: Parcelled, punches: int, rounds: int) -> Ingest:
    """Let one relay, then two, take in what terminals have ready; sample: what each punch is like; punches: of all, in a round."""
    best: dict[int, float] = {}
    share = punches // len(terminals)
    for _ in range(rounds):
        for relays in (1, 2):
            senders = [Sender(site, settings, sample, share) for settings in terminals]
            site.fresh_broker()
            with site.relays(relays):
                rate = share * len(senders) / _together(senders)
            best[relays] = max(best.get(relays, 0.0), rate)
    return Ingest(len(terminals), BATCH, punches, best)


class Sender:
    """A terminal that has made all of its messages already."""

    def __init__(self, site: Site, settings: Settings, sample: Parcelled, punches: int) -> None:
        self._settings = settings
        self._last = punches - 1
        self._ready = deque(_batches(settings, Sealer(site.keys, settings.terminal.id), sample, punches))
        self._broker = site.way_to_broker(settings)
        self._client: Client = client_of(self._broker, f"{ORGANISATION}/{settings.terminal.id}", WINDOW)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._received
        self._under_way: deque[int] = deque()
        self.listening, self.done = threading.Event(), threading.Event()

    def connect(self) -> None:
        """And listen for receipts."""
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()

    def begin(self) -> None:
        """Send as many as may be under way."""
        self._send()

    def leave(self) -> None:
        """Let go of the connection."""
        self._client.disconnect()
        self._client.loop_stop()
        # else each would hold the other, and paho closes sockets of its own when it goes
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def _connected(self, client: Client, *_: object) -> None:
        client.subscribe([(str(Topic(ORGANISATION, self._settings.terminal.id, RECEIPT)), SubscribeOptions(QOS))])

    def _subscribed(self, *_: object) -> None:
        self.listening.set()

    def _received(self, _client: object, _userdata: object, message: MQTTMessage) -> None:
        receipt = Receipt.parse(bytes(message.payload))
        upto = -1 if receipt.attendance is None else receipt.attendance.upto
        while self._under_way and self._under_way[0] <= upto:
            self._under_way.popleft()
        if upto >= self._last:
            self.done.set()
        self._send()

    def _send(self) -> None:
        while self._ready and len(self._under_way) < WINDOW:
            last, payload = self._ready.popleft()
            self._under_way.append(last)
            self._client.publish(str(Topic(ORGANISATION, self._settings.terminal.id, ATTENDANCE)), payload, QOS)


def _batches(settings: Settings, sealer: Sealer, sample: Parcelled, punches: int) -> Iterator[tuple[int, bytes]]:
    """A new book's messages, each with the number of its last entry."""
    identity, signer = identity_of(settings, ORGANISATION), Signer.load(settings.state_dir, create=False)
    book, before = str(uuid.uuid4()), NO_HASH
    for first in range(0, punches, BATCH):
        prev, entries = before, []
        for seq in range(first, min(first + BATCH, punches)):
            salt, content = new_salt(), dict(sample.content or {})
            commitment = commitment_of(salt, content)
            before = hash_of(book, seq, before, commitment)
            envelope = sealer.seal(ENTRY, record_of(identity.terminal, book, seq), pack_entry(EntryContent(seq, content, salt)))
            signature = signer.sign(entry_signed(ORGANISATION, identity.terminal, before, envelope.digest()))
            entries.append(SealedEntry(seq, commitment, signature, envelope))
        message = Batch(ORGANISATION, identity.terminal, book, identity.certificate, prev, tuple(entries))
        yield entries[-1].seq, message.to_bytes()


def _together(senders: list[Sender]) -> float:
    """Seconds until the last receipt of all of them. Raises ServerFailed."""
    try:
        for sender in senders:
            sender.connect()
        if not all(sender.listening.wait(PATIENCE_S) for sender in senders):
            raise ServerFailed("the broker does not answer the bench's terminals")
        began = time.perf_counter()
        for sender in senders:
            sender.begin()
        if not all(sender.done.wait(PATIENCE_S) for sender in senders):
            raise ServerFailed(f"the relays have not confirmed everything after {PATIENCE_S:.0f} s")
        return time.perf_counter() - began
    finally:
        for sender in senders:
            sender.leave()
