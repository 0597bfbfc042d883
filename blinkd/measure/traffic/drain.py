"""How fast a terminal brings away what has waited, against paho itself."""

import threading
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from blinkd.clock import SystemClock
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import load
from blinkd.errors import ServerFailed
from blinkd.measure.traffic.books import enrol, punch
from blinkd.measure.traffic.clients import listening, publish_all
from blinkd.measure.traffic.site import ORGANISATION, Site
from blinkd.parts import Parts
from blinkd.relay.service import IN_FLIGHT
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.store.outbox import Parcelled
from blinkd.sync.runner import Runner, identity_of
from blinkd.sync.shelf import BookShelf
from blinkd.sync.topics import ATTENDANCE, Topic

WAITING_PEOPLE = 100  # whose punches they are
SINGLES = 5_000  # messages of one punch that paho sends
RELAYS = 2
EVERYTHING = -1  # the number before the first entry
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Drain:
    """Punches a second, medians of the rounds. drained: of the terminal, until the relay's last receipt; batched: of paho with the terminal's own
    messages, sealed and signed beforehand, while another paho listens; singly: of paho with one punch a message, while another listens; unheard:
    the same while nobody does, so that the broker throws all of it away. in_flight: messages, the same for all; batch: punches in a message of
    the terminal's; single_bytes: of a message with one punch.
    """  # fmt: skip

    punches: int
    batch: int
    in_flight: int
    single_bytes: int
    drained: float
    batched: float
    singly: float
    unheard: float

    def as_json(self) -> dict[str, Any]:
        """The figures, rounded."""
        return {
            "punches": self.punches,
            "batch": self.batch,
            "in_flight": self.in_flight,
            "relays": RELAYS,
            "punches_per_s": round(self.drained),
            "paho_per_s": round(self.singly),
            "paho_unheard_per_s": round(self.unheard),
            "paho_batched_per_s": round(self.batched),
            "ratio": round(self.drained / self.singly, 2),
            "ratio_unheard": round(self.drained / self.unheard, 2),
            "ratio_batched": round(self.drained / self.batched, 2),
            "single_bytes": self.single_bytes,
        }


def measure_drain(site: Site, settings: Settings, punches: int, rounds: int) -> Drain:
    """Fill a terminal's book, then in turn send it by paho, and to the relay as the terminal does. Raises ServerFailed."""
    parts = Parts(settings)
    with parts.open_store() as store:
        store.book.begin()
        enrol(store, parts.manifest, WAITING_PEOPLE)
        punch(parts, store, punches)
        messages, waiting = Messages.of(settings, store), store.outbox.end()
        spent: list[tuple[float, float, float, float]] = []
        for number in range(rounds):
            by_paho = _by_paho(site, settings, messages)
            if number > 0:
                site.forget_books()
            store.outbox.lost(EVERYTHING)
            site.fresh_broker()
            with site.relays(RELAYS):
                spent.append((bring_away(settings, store), *by_paho))
    drained, batched, singly, unheard = map(median, zip(*spent, strict=True))
    single_bytes = round(sum(map(len, messages.singles)) / len(messages.singles))
    rates = waiting / drained, waiting / batched, len(messages.singles) / singly, len(messages.singles) / unheard
    return Drain(punches, settings.sync.batch, settings.sync.in_flight, single_bytes, *rates)


@dataclass(frozen=True, slots=True)
class Messages:
    """What paho sends: the first entries one by one, and all of them in the terminal's batches."""

    singles: list[bytes]
    batches: list[bytes]

    @classmethod
    def of(cls, settings: Settings, store: Store) -> "Messages":
        """As the terminal would send them now."""
        shelf = _shelf(settings, store)
        singles = [parcel.payload for seq in range(1, min(SINGLES, store.outbox.end())) if (parcel := shelf.parcel(seq, alone=True))]
        batches, seq = [], 0
        while (parcel := shelf.parcel(seq, alone=False)) is not None:
            batches.append(parcel.payload)
            seq = parcel.last + 1
        return cls(singles, batches)


def _by_paho(site: Site, settings: Settings, messages: Messages) -> tuple[float, float, float]:
    """Seconds for batches and singles to somebody who listens, and for singles to nobody. The broker begins each with an empty store: else it
    would write what is left of the one before to its disk again and again.
    """  # fmt: skip
    broker, name, in_flight = site.way_to_broker(settings), f"{ORGANISATION}/{settings.terminal.id}", settings.sync.in_flight
    topic = str(Topic(ORGANISATION, settings.terminal.id, ATTENDANCE))
    heard = []
    for payloads in (messages.batches, messages.singles):
        site.fresh_broker()
        with listening(site.way_of_relays(), topic, IN_FLIGHT):
            heard.append(publish_all(broker, name, topic, payloads, in_flight))
    site.fresh_broker()
    batched, singly = heard
    return batched, singly, publish_all(broker, name, topic, messages.singles, in_flight)


def bring_away(settings: Settings, store: Store) -> float:
    """Seconds from the start of a terminal's sync until nothing waits on either side. Raises ServerFailed when that takes too long."""
    done, until = threading.Event(), time.monotonic() + PATIENCE_S
    runner = Runner(settings, store, SystemClock())

    def finished() -> bool:
        if runner.drained():
            done.set()
        return done.is_set() or time.monotonic() >= until

    began = time.perf_counter()
    runner.run(runner.link(), finished)
    if not done.is_set():
        raise ServerFailed(f"{settings.terminal.id}: the relay has not confirmed everything after {PATIENCE_S:.0f} s")
    return time.perf_counter() - began


def sample_of(store: Store) -> Parcelled:
    """An entry of a book that is a punch, as it would be sent."""
    return next(row for row in store.outbox.read(store.outbox.end() - 1, 1))


def _shelf(settings: Settings, store: Store) -> BookShelf:
    identity = identity_of(settings, ORGANISATION)
    sealer, signer = Sealer(load(settings.state_dir), identity.terminal), Signer.load(settings.state_dir, create=False)
    return BookShelf(store.outbox, sealer, signer, ORGANISATION, identity.terminal, identity.certificate, settings.sync.batch)
