"""What a certificate lets its owner write and read, on the real broker with the shipped configuration."""

import queue

import pytest

from blinkd.sync.wire import LONGEST_MESSAGE
from tests.integration.broker.conftest import Site
from tests.services.mqtt import Peer, Refused

NOT_AUTHORISED = 0x87
TOPIC_ROOM = 1024  # bytes by which mosquitto.conf lets a packet be longer than a message
END = b"end"


def everything(relay: Peer, reader: Peer, last: str) -> list[tuple[str, bytes]]:
    """What a reader got before what is now sent to it last: messages to one client stay in order, so nothing is still on its way."""
    relay.publish(last, END)
    got = []
    while (message := reader.next()).payload != END:
        got.append((message.topic, message.payload))
    return got


@pytest.mark.parametrize("suffix", ["attendance", "people", "pull", "status"])
def test_a_terminal_writes_its_own_topics(site: Site, suffix: str) -> None:
    relay, door = site.connected(site.relay()), site.connected(site.terminal("door"))
    relay.subscribe("blink/v1/+/+/" + suffix)
    assert not door.publish(f"blink/v1/acme/door/{suffix}", b"mine").is_failure
    message = relay.next()
    assert (message.topic, message.payload) == (f"blink/v1/acme/door/{suffix}", b"mine")


@pytest.mark.parametrize(
    "topic",
    [
        *(f"blink/v1/acme/gate/{suffix}" for suffix in ("attendance", "people", "pull", "status")),
        "blink/v1/acme/gate/receipt",
        "blink/v1/acme/gate/page",
        "blink/v1/acme/door/receipt",  # its own, but only the relay writes it
        "blink/v1/acme/door/page",
        "blink/v1/acme/head",
        "blink/v1/other/door/attendance",
        "blink/v1/acme/door/attendance/more",
        "blink/v1/acme/door",
        "blink/v2/acme/door/attendance",
        "anything",
    ],
)
def test_a_terminal_is_refused_every_other_topic_and_nothing_arrives(site: Site, topic: str) -> None:
    relay, door = site.connected(site.relay()), site.connected(site.terminal("door"))
    gate = site.connected(site.terminal("gate"))
    relay.subscribe("blink/v1/+/+/attendance", "blink/v1/+/+/people", "blink/v1/+/+/pull", "blink/v1/+/+/status")
    gate.subscribe("#", "blink/v1/acme/gate/receipt")
    door.subscribe("blink/v1/acme/door/receipt", "blink/v1/acme/door/page")
    assert door.publish(topic, b"forged").value == NOT_AUTHORISED
    assert everything(relay, gate, "blink/v1/acme/gate/receipt") == []
    assert everything(relay, door, "blink/v1/acme/door/receipt") == []
    door.publish("blink/v1/acme/door/status", b"afterwards")  # by the same way, so the forged one is not still on it
    assert relay.next().payload == b"afterwards"
    assert relay.received.empty()


def test_a_terminal_reads_its_own_receipts_and_pages_and_its_organisations_head(site: Site) -> None:
    relay, door = site.connected(site.relay()), site.connected(site.terminal("door"))
    door.subscribe("blink/v1/acme/door/receipt", "blink/v1/acme/door/page", "blink/v1/acme/head")
    topics = ["blink/v1/acme/door/receipt", "blink/v1/acme/door/page", "blink/v1/acme/head"]
    for topic in topics:
        assert not relay.publish(topic).is_failure
    assert [door.next().topic for _ in topics] == topics


@pytest.mark.parametrize(
    "filters", [("#",), ("blink/v1/#",), ("blink/v1/acme/+/receipt", "blink/v1/+/+/page", "blink/v1/+/head"), ("+/#", "$SYS/#")]
)
def test_a_terminal_that_subscribes_to_all_gets_only_what_is_its_own(site: Site, filters: tuple[str, ...]) -> None:
    relay, gate = site.connected(site.relay()), site.connected(site.terminal("gate"))
    rogue = site.connected(site.terminal("rogue"))
    rogue.subscribe(*filters)
    rogue.subscribe("blink/v1/acme/rogue/receipt")
    for suffix in ("attendance", "people", "pull", "status"):
        gate.publish(f"blink/v1/acme/gate/{suffix}", b"of another")
    for suffix in ("receipt", "page"):
        relay.publish(f"blink/v1/acme/gate/{suffix}", b"of another")
    relay.publish("blink/v1/other/head", b"of another organisation")
    assert everything(relay, rogue, "blink/v1/acme/rogue/receipt") == []


def test_what_is_retained_of_another_terminal_is_not_handed_out(site: Site) -> None:
    gate, relay = site.connected(site.terminal("gate")), site.connected(site.relay())
    assert not gate.publish("blink/v1/acme/gate/status", b"online", retain=True).is_failure
    rogue = site.connected(site.terminal("rogue"))
    rogue.subscribe("blink/v1/acme/gate/status", "blink/v1/acme/rogue/receipt")
    assert everything(relay, rogue, "blink/v1/acme/rogue/receipt") == []


@pytest.mark.parametrize("name", ["+/+", "acme/+", "acme/#", "#", "+"])
def test_wild_cards_in_a_certificates_name_give_no_access_at_all(site: Site, name: str) -> None:
    files = site.authority.client(name).write(site.folder, "wild")
    relay, gate = site.connected(site.relay()), site.connected(site.terminal("gate"))
    relay.subscribe("blink/v1/+/+/attendance")
    try:
        with Peer(site.broker.port, site.broker.ca, files, "wild") as wild:
            wild.subscribe("#", "blink/v1/+/+/receipt", "blink/v1/acme/gate/receipt")
            assert wild.publish("blink/v1/acme/gate/attendance", b"forged").value == NOT_AUTHORISED
            relay.publish("blink/v1/acme/gate/receipt", b"for the gate only")
            gate.publish("blink/v1/acme/gate/attendance", b"true")
            assert relay.next().payload == b"true"
            assert wild.received.empty()
    except Refused:
        pass  # not even a connection


@pytest.mark.parametrize("name", ["relay/x", "acme/relay", "RELAY", "relay ", "acme", "/acme/door", "acme/door/attendance"])
def test_a_name_that_only_looks_like_another_has_not_its_rights(site: Site, name: str) -> None:
    files = site.authority.client(name).write(site.folder, "likeness")
    with Peer(site.broker.port, site.broker.ca, files, "likeness") as likeness:
        for topic in ("blink/v1/acme/door/receipt", "blink/v1/acme/head", "blink/v1/acme/door/attendance"):
            assert likeness.publish(topic).value == NOT_AUTHORISED


def test_the_relay_writes_nothing_in_the_name_of_a_terminal(site: Site) -> None:
    relay = site.connected(site.relay())
    for suffix in ("attendance", "people", "pull", "status"):
        assert relay.publish(f"blink/v1/acme/door/{suffix}").value == NOT_AUTHORISED


def test_a_terminal_cannot_take_over_a_session_by_its_client_id(site: Site) -> None:
    relay = site.connected(site.relay("relay-7", keep=60))
    gate = site.connected(site.terminal("gate", client="gate", keep=60))
    for number, victim in enumerate(("relay-7", "gate", "acme/gate")):
        with site.terminal(f"rogue-{number}", client=victim, keep=60) as rogue:
            assert not rogue.present
    relay.publish("blink/v1/acme/gate/receipt")  # still connected, both
    gate.publish("blink/v1/acme/gate/status")


def test_a_terminal_that_comes_twice_ends_its_own_older_connection(site: Site) -> None:
    first = site.connected(site.terminal("door", client="a"))
    second = site.connected(site.terminal("door", client="b"))
    first.wait_until_gone()
    assert not second.publish("blink/v1/acme/door/status").is_failure


def test_the_longest_message_of_the_protocol_passes(site: Site) -> None:
    relay, door = site.connected(site.relay()), site.connected(site.terminal("door"))
    relay.subscribe("blink/v1/+/+/attendance")
    assert not door.publish("blink/v1/acme/door/attendance", bytes(LONGEST_MESSAGE)).is_failure
    assert len(relay.next().payload) == LONGEST_MESSAGE


def test_a_longer_one_ends_the_connection_of_who_sent_it_and_nobody_elses(site: Site) -> None:
    relay, door = site.connected(site.relay()), site.connected(site.terminal("door"))
    gate = site.connected(site.terminal("gate"))
    relay.subscribe("blink/v1/+/+/attendance")
    with pytest.raises(Refused):
        door.publish("blink/v1/acme/door/attendance", bytes(LONGEST_MESSAGE + TOPIC_ROOM))
    gate.publish("blink/v1/acme/gate/attendance", b"next")
    assert relay.next().payload == b"next"


def test_the_broker_tells_nothing_about_itself(site: Site) -> None:
    door = site.connected(site.terminal("door"))
    relay = site.connected(site.relay())
    door.subscribe("$SYS/#", "blink/v1/acme/door/receipt")
    relay.publish("blink/v1/acme/door/receipt", END)
    assert door.next().payload == END
    with pytest.raises(queue.Empty):
        door.received.get_nowait()


def test_the_brokers_log_has_no_payload(site: Site) -> None:
    door = site.connected(site.terminal("door"))
    door.publish("blink/v1/acme/door/attendance", b"PAYLOAD-THAT-NOBODY-SHOULD-SEE")
    door.publish("blink/v1/acme/gate/attendance", b"PAYLOAD-THAT-NOBODY-SHOULD-SEE")
    assert any("acme/door" in line for line in site.broker.log)
    assert not any("PAYLOAD" in line for line in site.broker.log)
