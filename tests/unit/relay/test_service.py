"""The relay at the broker, with a link that only notes what it is told to send."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.service import Service, relay_broker, relay_link
from blinkd.settings import RelaySettings
from blinkd.sync.link import Arrived, Connected
from blinkd.sync.messages import Receipt, RegistryHead, Status
from blinkd.sync.topics import ATTENDANCE, PEOPLE, RECEIPT, STATUS, Topic, head_topic
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender, checker
from tests.unit.relay.test_books import rows


@dataclass
class NotedLink:
    """A connection to a broker that takes everything."""

    sent: list[tuple[str, bytes, bool]] = field(default_factory=list)

    def start(self) -> None:
        pass

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent.append((topic, payload, retain))

    def hurry(self) -> None:
        pass

    def stop(self, topic: str | None = None, payload: bytes = b"") -> None:
        pass


@dataclass
class Relay:
    """A relay process; what it says and acknowledges."""

    core: Core
    link: NotedLink = field(default_factory=NotedLink)
    acknowledged: list[str] = field(default_factory=list)

    def hears(self, *messages: tuple[Topic, bytes], until: Callable[[], bool] = lambda: True) -> None:
        """Let these come in and the relay work until it has dealt with all of them and `until` holds."""
        service = Service(
            self.core, gather_s=0.0, most=10, stopped=lambda: service.connected and service.counts.messages >= len(messages) and until()
        )
        service.happened(Connected())
        for topic, payload in messages:
            service.happened(Arrived(str(topic), payload, lambda t=topic: self.acknowledged.append(str(t))))  # type: ignore[misc]
        service.run(self.link)

    def heads(self) -> list[int]:
        return [RegistryHead.parse(payload).version for topic, payload, retain in self.link.sent if topic == head_topic(ORG) and retain]

    def receipts(self, terminal: str) -> list[Receipt]:
        return [Receipt.parse(payload) for topic, payload, _ in self.link.sent if topic == str(Topic(ORG, terminal, RECEIPT))]


@pytest.fixture
def relay(core: Core) -> Relay:
    return Relay(core)


def test_who_writes_in_anothers_name_gets_the_refusal_and_the_other_hears_nothing(relay: Relay, authority: Authority) -> None:
    """Else a stolen terminal could let the relay tell another one, again and again, that its punches are refused, until it sets them aside."""
    thief, victim = Sender(authority, "thief"), Sender(authority, "door-1").write(1)
    topic = Topic(ORG, thief.name, ATTENDANCE)
    relay.hears((topic, victim.batch(0, 0).to_bytes()))
    assert relay.acknowledged == [str(topic)]
    assert relay.receipts(victim.name) == []
    assert [one.reason for receipt in relay.receipts(thief.name) for one in receipt.rejected] == ["topic"]


def test_a_terminal_says_its_own_state_and_no_others(relay: Relay, authority: Authority, connections: OpenConnections) -> None:
    victim = Sender(authority, "door-1").write(1)
    own = Topic(ORG, victim.name, ATTENDANCE), Topic(ORG, victim.name, STATUS)
    said = Status(ORG, victim.name, True, "1.0", {"pending": 0})
    forged = replace(said, online=False, version="0.1")
    relay.hears((own[0], victim.batch(0, 0).to_bytes()), (own[1], said.to_bytes()), (Topic(ORG, "thief", STATUS), forged.to_bytes()))
    ((online, status),) = rows(connections, "SELECT online, status FROM terminals")
    assert (bool(online), Status.parse(status.encode())) == (True, said)


def test_what_a_relay_that_died_could_not_announce_is_announced_by_another(
    relay: Relay, connections: OpenConnections, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had committed; when the change is sent again nothing new comes of it."""
    monkeypatch.setattr("blinkd.relay.service.HEADS_S", 0.0)
    sender = Sender(authority, "door-1")
    changes = sender.changes(sender.change("r", 0, 1))
    turns = iter(range(3))

    def dies_in_the_first_turn() -> bool:
        turn = next(turns, None)
        if turn == 0:
            Core(connections, checker(authority)).people(changes)
        return relay.heads() == [1] or turn is None

    relay.hears(until=dies_in_the_first_turn)
    relay.hears((Topic(ORG, sender.name, PEOPLE), changes.to_bytes()))
    assert relay.heads() == [1, 1]  # the second at the second connection: a broker may have lost what it kept


def test_a_new_terminal_is_online_though_it_said_so_before_it_sent_anything(
    relay: Relay, authority: Authority, connections: OpenConnections
) -> None:
    """It says so once, when it connects; what it sends comes later, maybe by another relay."""
    sender = Sender(authority, "door-1").write(1)
    said = Status(ORG, sender.name, True, "1.0", {"pending": 1})
    relay.hears((Topic(ORG, sender.name, STATUS), said.to_bytes()))
    assert rows(connections, "SELECT terminal, certificate FROM terminals") == [(sender.name, b"")]
    other = Relay(Core(connections, checker(authority)))
    other.hears((Topic(ORG, sender.name, ATTENDANCE), sender.batch(0, 0).to_bytes()))
    ((online, status, certificate),) = rows(connections, "SELECT online, status, certificate FROM terminals")
    assert (bool(online), Status.parse(status.encode()), certificate) == (True, said, sender.credentials.der)


def test_two_relays_of_one_machine_have_names_of_their_own_at_the_broker(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker ends the connection of a client whose name another one brings."""
    names: list[str] = []
    monkeypatch.setattr("blinkd.relay.service.MqttLink", lambda _broker, name, *_, **__: names.append(name))
    service, broker = Service(core, gather_s=0.0, most=10, stopped=lambda: True), relay_broker(RelaySettings())
    for name, group in (("", "g"), ("", "g"), ("", None), ("", None), ("west", "g")):
        relay_link(service, broker, name, group)
    assert len(set(names[:3])) == 3
    assert names[2] == names[3]  # one that shares with none comes back to its session
    assert names[4] == "relay-west"
