"""What the broker keeps, and what it loses: retained messages, wills, shared subscriptions, sessions, its store."""

import queue
import threading

import pytest

from blinkd.relay.service import relay_broker
from blinkd.settings import RelaySettings
from blinkd.sync.wire import LONGEST_MESSAGE
from tests.integration.broker.conftest import Site
from tests.services.mqtt import Peer, Refused
from tests.services.proxy import Proxy

ATTENDANCE, STATUS = "blink/v1/+/+/attendance", "blink/v1/+/+/status"
DOOR, DOOR_STATUS, HEAD = "blink/v1/acme/door/attendance", "blink/v1/acme/door/status", "blink/v1/acme/head"
GROUP = "$share/relays-5f0c/"  # a name that no terminal knows
KEPT_S = 3600
FIT = 16  # of the longest messages, into max_queued_bytes of mosquitto.conf
END = b"end"


def payloads(peer: Peer, count: int) -> list[bytes]:
    return [peer.next().payload for _ in range(count)]


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_a_retained_head_and_status_reach_who_comes_later(site: Site) -> None:
    relay, door = site.connected(site.relay()), site.connected(site.terminal("door"))
    relay.publish(HEAD, b"17", retain=True)
    door.publish(DOOR_STATUS, b"online", retain=True)
    late = site.connected(site.terminal("late"))
    late.subscribe(HEAD)
    second = site.connected(site.relay("relay-2"))
    second.subscribe(STATUS)
    for message, payload in ((late.next(), b"17"), (second.next(), b"online")):
        assert message.payload == payload and message.retain


def test_the_last_will_arrives_when_a_terminal_is_cut_off_and_stays_for_who_comes_later(site: Site) -> None:
    relay = site.connected(site.relay())
    relay.subscribe("blink/v1/acme/cut/status")
    with Proxy(site.broker.port) as network:
        terminal = site.connected(site.terminal("cut", port=network.port, will=("blink/v1/acme/cut/status", b"offline")))
        terminal.publish("blink/v1/acme/cut/status", b"online", retain=True)
        assert relay.next().payload == b"online"
        network.cut()
        assert relay.next().payload == b"offline"
        terminal.wait_until_gone()
    later = site.connected(site.relay("relay-2"))
    later.subscribe("blink/v1/acme/cut/status")
    assert later.next().payload == b"offline"


def test_a_terminal_that_leaves_in_order_leaves_no_will(site: Site) -> None:
    relay = site.connected(site.relay())
    relay.subscribe("blink/v1/acme/leaves/status")
    with site.terminal("leaves", will=("blink/v1/acme/leaves/status", b"offline")) as terminal:
        terminal.publish("blink/v1/acme/leaves/status", b"in order")
    with site.terminal("leaves") as terminal:
        terminal.publish("blink/v1/acme/leaves/status", b"again")
    assert payloads(relay, 2) == [b"in order", b"again"]


def test_a_will_in_the_name_of_another_is_not_published(site: Site) -> None:
    relay = site.connected(site.relay())
    relay.subscribe(STATUS)
    with Proxy(site.broker.port) as network:
        try:
            rogue = site.connected(site.terminal("rogue", port=network.port, will=("blink/v1/acme/gate/status", b"forged")))
        except Refused:
            return  # refused at once: what newer versions do
        network.cut()
        rogue.wait_until_gone()
    with site.terminal("rogue") as rogue:  # its old session, with its will, is over before this one begins
        rogue.publish("blink/v1/acme/rogue/status", b"afterwards")
    got = relay.next()
    while got.retain:  # what other tests left
        got = relay.next()
    assert got.payload == b"afterwards"


def test_relays_of_one_group_share_the_messages_and_each_comes_once(site: Site) -> None:
    relays = [site.connected(site.relay(f"relay-{number}")) for number in range(2)]
    for relay in relays:
        relay.subscribe(GROUP + ATTENDANCE, "blink/v1/acme/+/pull")
    door = site.connected(site.terminal("door"))
    for payload in numbered(40):
        door.publish(DOOR, payload)
    door.publish("blink/v1/acme/door/pull", END)  # to both of them, by the same way
    shares = []
    for relay in relays:
        got = []
        while (payload := relay.next().payload) != END:
            got.append(payload)
        shares.append(got)
    assert sorted(shares[0] + shares[1]) == sorted(numbered(40))
    assert min(map(len, shares)) >= 10


def test_the_other_relay_goes_on_alone_when_one_is_cut_off(site: Site) -> None:
    keep = relay_broker(RelaySettings()).session_s
    stays = site.connected(site.relay("relay-1", keep=keep))
    stays.subscribe(GROUP + ATTENDANCE)
    goes = site.connected(site.relay("relay-2", keep=keep))
    goes.subscribe(GROUP + ATTENDANCE)
    before = len(site.broker.log)
    goes.cut()
    site.broker.wait_for("relay-2", before)  # the broker has seen it
    door = site.connected(site.terminal("door"))
    for payload in numbered(20):
        door.publish(DOOR, payload)
    assert payloads(stays, 20) == numbered(20)


def test_a_relay_with_a_kept_session_gets_again_what_it_had_not_acknowledged(site: Site) -> None:
    relay = site.connected(site.relay("relay-k", keep=KEPT_S, manual=True))
    relay.subscribe(ATTENDANCE)
    door = site.connected(site.terminal("door"))
    for payload in numbered(10):
        door.publish(DOOR, payload)
    got = [relay.next() for _ in range(10)]
    for message in got[:4]:
        relay.acknowledge(message)
    before = len(site.broker.log)
    relay.leave()
    site.broker.wait_for("Client relay-k disconnected", before)  # else the next connection makes it forget what it has not read yet
    with site.relay("relay-k", keep=KEPT_S) as again:
        assert again.present
        assert payloads(again, 6) == numbered(10)[4:]
    with site.relay("relay-k"):
        pass  # ends the session


def test_a_terminal_that_guesses_the_groups_name_swallows_messages_and_with_another_name_does_not(site: Site) -> None:
    """Why the name of the relays' group must be a secret, and what is lost if it is not: time until the terminal sends again, nothing else."""
    relay, gate = site.connected(site.relay()), site.connected(site.terminal("gate"))
    rogue, door = site.connected(site.terminal("rogue")), site.connected(site.terminal("door"))
    relay.subscribe(GROUP + ATTENDANCE, "blink/v1/acme/gate/pull")
    for name, arrive in (("$share/guess/", 20), (GROUP, 10)):
        rogue.subscribe(name + ATTENDANCE)
        for payload in numbered(20):
            door.publish(DOOR, payload)
        gate.publish("blink/v1/acme/gate/pull", END)
        got = []
        while (payload := relay.next().payload) != END:
            got.append(payload)
        assert len(got) == arrive
    assert rogue.received.empty()


@pytest.mark.parametrize("after", [1, 2, 7, 23, 58])
def test_a_killed_broker_has_lost_at_most_the_message_that_it_acknowledged_last(own: Site, after: int) -> None:
    """One at a time. It saves after each turn of its loop, just behind the acknowledgement: what a terminal relies on is the receipt."""
    relay = own.connected(own.relay("relay-k", keep=KEPT_S))
    relay.subscribe(ATTENDANCE)
    relay.leave()
    acknowledged: list[bytes] = []
    enough = threading.Event()
    door = own.connected(own.terminal("door"))

    def publish() -> None:
        try:
            for payload in numbered(100_000):
                door.publish(DOOR, payload)
                acknowledged.append(payload)
                if len(acknowledged) == after:
                    enough.set()
        except (Refused, queue.Empty):
            return

    publisher = threading.Thread(target=publish)
    publisher.start()
    assert enough.wait(20)
    own.broker.kill()
    publisher.join(20)
    assert not publisher.is_alive()
    own.broker.start()
    with own.relay("relay-k", keep=KEPT_S) as again:
        assert again.present
        again.subscribe(ATTENDANCE)
        with own.terminal("door") as door:
            door.publish(DOOR, END)
        got = []
        while (payload := again.next().payload) != END:
            got.append(payload)
    assert len(got) >= len(acknowledged) - 1
    assert got == numbered(len(got))  # one more may have come than was acknowledged; in order, none twice


def test_retained_messages_survive_a_kill(own: Site) -> None:
    with own.relay() as relay:
        relay.publish(HEAD, b"17", retain=True)
        relay.publish("blink/v1/acme/door/receipt")  # it saves before it answers this
    own.broker.kill()
    own.broker.start()
    with own.terminal("door") as door:
        door.subscribe(HEAD)
        assert door.next().payload == b"17"


def test_after_a_wiped_store_sessions_and_retained_messages_are_gone_and_everything_works_again(own: Site) -> None:
    with own.relay("relay-k", keep=KEPT_S) as relay:
        relay.subscribe(ATTENDANCE)
        relay.publish(HEAD, b"17", retain=True)
    with own.terminal("door") as door:
        door.publish(DOOR, b"lost with the store")
    own.broker.stop()
    own.broker.wipe()
    own.broker.start()
    with own.relay("relay-k", keep=KEPT_S) as relay, own.terminal("door") as door:
        assert not relay.present
        relay.subscribe(ATTENDANCE)
        door.subscribe(HEAD)
        door.publish(DOOR, b"sent again")
        assert relay.next().payload == b"sent again"
        relay.publish(HEAD, b"18", retain=True)
        assert door.next().payload == b"18"


def test_a_broker_that_hangs_answers_what_waited_when_it_goes_on(own: Site) -> None:
    door = own.connected(own.terminal("door"))
    own.broker.freeze()
    handle = door.client.publish(DOOR, b"waits", 1)
    assert not handle.is_published()
    own.broker.thaw()
    handle.wait_for_publish(20)
    assert handle.is_published()


def test_what_does_not_fit_the_queue_is_dropped_without_a_word_and_arrives_when_it_is_sent_again(own: Site) -> None:
    with own.relay("relay-k", keep=KEPT_S) as relay:
        relay.subscribe(ATTENDANCE)
    door = own.connected(own.terminal("door"))
    sent = [b"%02d" % number + bytes(LONGEST_MESSAGE - 2) for number in range(FIT + 6)]
    for payload in sent:
        assert not door.publish(DOOR, payload).is_failure
    with own.relay("relay-k", keep=KEPT_S) as relay:
        assert payloads(relay, FIT) == sent[:FIT]
        for payload in sent[FIT:]:  # had any of these been kept, it would come first
            door.publish(DOOR, payload)
            assert relay.next().payload == payload
            door.publish(DOOR, END)
            assert relay.next().payload == END
