"""The relay at the broker: gathers messages, commits them together, answers, and only then tells the broker that it has them."""

import logging
import queue
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from blinkd.errors import MessageRejected, StoreError
from blinkd.relay.core import Core
from blinkd.settings import RelaySettings
from blinkd.sync.backoff import Backoff
from blinkd.sync.link import Arrived, Broker, Connected, Happening, Link, Lost, MqttLink
from blinkd.sync.messages import Batch, Changes, Pull, Receipt, RegistryHead, Rejected, Status
from blinkd.sync.topics import ATTENDANCE, FROM_TERMINALS, PAGE, PEOPLE, PREFIX, PULL, RECEIPT, Topic, head_topic

IN_FLIGHT = 100  # answers that the broker has not acknowledged
ALONE_S = 600  # for which the broker keeps messages for a relay that shares with none and is away; later terminals send them again
SHARING_S = 0  # one that shares keeps nothing: Mosquitto would deal out to it, while it is away or dead, what the others could take
LONGEST_WAIT_S = 60.0  # between two tries while the database is away
IDLE_S = 1.0
WORD_BYTES = 4
HEADS_S = 10.0  # between two looks whether a registry has a version that was not announced

T = TypeVar("T")
M = TypeVar("M", Pull, Status)
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """Since the start."""

    messages: int = 0
    entries: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Gathered:
    """Messages of one transaction, by what they are."""

    arrived: list[Arrived] = field(default_factory=list)
    stored: list[tuple[Batch | Changes, Topic]] = field(default_factory=list)
    pulls: list[tuple[Pull, Topic]] = field(default_factory=list)
    states: list[Status] = field(default_factory=list)
    bad: list[tuple[Topic, Rejected]] = field(default_factory=list)


class Service:
    """One relay process. Any number of them work on one database; any may die at any moment."""

    def __init__(self, core: Core, *, gather_s: float, most: int, stopped: Callable[[], bool]) -> None:
        """gather_s: for how long it waits for more messages; most: of them in a transaction; stopped: asked again and again."""
        self._core = core
        self._gather_s = gather_s
        self._most = most
        self._stopped = stopped
        self._happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self._heads: dict[str, int] = {}  # what this relay has announced, by organisation
        self._look_at = 0.0
        self.counts = Counts()
        self.connected = False

    def happened(self, happening: Happening) -> None:
        """For the link: something has happened. May be called from any thread."""
        self._happenings.put(happening)

    def run(self, link: Link) -> None:
        """Work until told to stop."""
        link.start()
        while not self._stopped():
            if self.connected and time.monotonic() >= self._look_at:
                self._announce(link)
            try:
                first = self._happenings.get(timeout=IDLE_S)
            except queue.Empty:
                continue
            gathered = self._gather(first, link)
            if gathered.arrived:
                self._work(gathered, link)
        link.stop()

    def _gather(self, first: Happening, link: Link) -> _Gathered:
        gathered, until = _Gathered(), time.monotonic() + self._gather_s
        happening: Happening | None = first
        while happening is not None:
            if isinstance(happening, Arrived):
                self._sort(happening, gathered)
            elif isinstance(happening, Connected):
                self._connected(link)
            else:
                self._lost(happening)
                gathered = _Gathered()  # all of it comes again
            if len(gathered.arrived) >= self._most:
                break
            try:
                happening = self._happenings.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                happening = None
        return gathered

    def _connected(self, link: Link) -> None:
        self.connected = True
        log.info("connected to the broker")
        self._heads = {}  # it may have lost what it kept
        self._announce(link)

    def _announce(self, link: Link) -> None:
        """Say which registries have a version that this relay has not spoken of: another one may have died between its commit and its
        word, or have been overtaken by a later one; and the HTTP API has no word of its own.
        """  # fmt: skip
        for org, version in (self._patiently(self._core.heads) or {}).items():
            self._say(link, org, version)
        self._look_at = time.monotonic() + HEADS_S

    def _say(self, link: Link, org: str, version: int) -> None:
        if self._heads.get(org) != version:
            link.publish(head_topic(org), RegistryHead(version).to_bytes(), retain=True)
            self._heads[org] = version

    def _lost(self, lost: Lost) -> None:
        self.connected = False
        log.warning("no broker: %s; next try in %.0f s", lost.reason, lost.wait_s)

    def _sort(self, arrived: Arrived, gathered: _Gathered) -> None:
        gathered.arrived.append(arrived)
        topic = Topic.of(arrived.topic)
        if topic is None or topic.suffix not in FROM_TERMINALS:
            return
        try:
            if topic.suffix == ATTENDANCE:
                gathered.stored.append((Batch.parse(arrived.payload), topic))
            elif topic.suffix == PEOPLE:
                gathered.stored.append((Changes.parse(arrived.payload), topic))
            elif topic.suffix == PULL:
                gathered.pulls.append((_own(Pull.parse(arrived.payload), topic), topic))
            else:
                gathered.states.append(_own(Status.parse(arrived.payload), topic))
        except MessageRejected as error:
            log.warning(
                "%s/%s: a message on %s is refused: %s (%d bytes)", topic.org, topic.terminal, topic.suffix, error, len(arrived.payload)
            )
            gathered.bad.append((topic, Rejected(topic.suffix, None, error.reason, str(error)[:500])))

    def _work(self, gathered: _Gathered, link: Link) -> None:
        outcome = self._patiently(lambda: self._core.take(gathered.stored)) if gathered.stored else None
        if gathered.stored and outcome is None:
            return  # told to stop while the database was away: the broker keeps them
        if outcome is not None:
            # to whom the topic names, which the broker ties to the certificate: whom a message names may never have sent it
            for (_, topic), receipt in zip(gathered.stored, outcome.receipts, strict=True):
                self._answer(link, topic.org, topic.terminal, receipt)
            for org, version in outcome.heads.items():
                self._say(link, org, version)
        for topic, rejected in gathered.bad:
            self._answer(link, topic.org, topic.terminal, Receipt(rejected=(rejected,)))
        for pull, topic in gathered.pulls:
            page = self._patiently(lambda pull=pull: self._core.answer(pull))  # type: ignore[misc]
            if isinstance(page, Rejected):
                self._answer(link, topic.org, topic.terminal, Receipt(rejected=(page,)))
            elif page is not None:
                link.publish(str(Topic(topic.org, topic.terminal, PAGE)), page.to_bytes())
        for status in gathered.states:
            self._patiently(lambda status=status: self._core.status(status))  # type: ignore[misc]
        for arrived in gathered.arrived:
            arrived.acknowledge()
        self.counts.messages += len(gathered.arrived)
        self.counts.entries += sum(len(message.entries) for message, _ in gathered.stored if isinstance(message, Batch))
        self.counts.refused += len(gathered.bad)

    def _answer(self, link: Link, org: str, terminal: str, receipt: Receipt) -> None:
        for rejected in receipt.rejected:
            log.warning("%s/%s: %s %s is refused: %s", org, terminal, rejected.topic, rejected.seq or "message", rejected.words)
        if receipt.chain is not None and receipt.chain.state != "ok":
            log.warning("%s/%s: its chain has a %s: %s", org, terminal, receipt.chain.state, receipt.chain.detail)
        link.publish(str(Topic(org, terminal, RECEIPT)), receipt.to_bytes())

    def _patiently(self, ask: Callable[[], T]) -> T | None:
        """Ask the database until it answers; None when told to stop before."""
        backoff = Backoff(0.5, LONGEST_WAIT_S)
        while True:
            try:
                return ask()
            except StoreError as error:
                wait_s = backoff.next_s()
                log.error("%s; nothing is acknowledged until it answers; next try in %.1f s", error, wait_s)
                until = time.monotonic() + wait_s
                while time.monotonic() < until:
                    if self._stopped():
                        return None
                    time.sleep(min(0.1, max(0.0, until - time.monotonic())))


def _own(message: M, topic: Topic) -> M:
    """The message, whose sender is the one that the broker's rules tie to the topic. Raises MessageRejected for another's name in it."""
    if (message.org, message.terminal) != (topic.org, topic.terminal):
        raise MessageRejected("topic", "the message names another terminal than its topic")
    return message


def subscriptions(group: str | None) -> list[str]:
    """What a relay listens to. group: the secret name of the relays that share it; None: this one alone."""
    shared = "" if group is None else f"$share/{group}/"
    return [f"{shared}{PREFIX}/+/+/{suffix}" for suffix in sorted(FROM_TERMINALS)]


def relay_broker(settings: RelaySettings) -> Broker:
    """The broker, as a relay speaks to it."""
    return Broker(
        settings.broker,
        settings.port,
        settings.ca_file,
        settings.certificate_file,
        settings.key_file,
        version=settings.mqtt_version,
        session_s=SHARING_S if settings.share else ALONE_S,
    )


def relay_link(service: Service, broker: Broker, name: str, group: str | None) -> Link:
    """The connection of a relay. name: of this process; empty: the machine's, and where it shares a random word, for two of one name would
    end each other's connection again and again. Raises ConfigError.
    """  # fmt: skip
    own = socket.gethostname() + ("" if group is None else f"-{secrets.token_hex(WORD_BYTES)}")
    client = f"relay-{name or own}"
    return MqttLink(broker, client, subscriptions(group), None, service.happened, in_flight=IN_FLIGHT, manual=True)
