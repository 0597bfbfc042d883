"""The relay at the broker, with a link that only notes what it is told to send."""

from dataclasses import dataclass, field, replace

import pytest

from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.service import Service
from blinkd.sync.link import Arrived, Connected, Happening
from blinkd.sync.messages import Receipt, Status
from blinkd.sync.topics import ATTENDANCE, RECEIPT, STATUS, Topic
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender
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

    def hears(self, *messages: tuple[Topic, bytes]) -> None:
        """Let these come in and the relay work until it has dealt with all of them."""
        arrived: list[Happening] = [
            Arrived(str(topic), payload, lambda t=topic: self.acknowledged.append(str(t))) for topic, payload in messages
        ]  # type: ignore[misc]
        self.lives([Connected(), *arrived])

    def lives(self, happenings: list[Happening]) -> None:
        def done() -> bool:
            return service.counts.messages >= len(happenings) - 1

        service = Service(self.core, gather_s=0.0, most=10, stopped=done)
        for happening in happenings:
            service.happened(happening)
        service.run(self.link)

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
