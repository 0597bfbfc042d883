"""The web process's side of the display channel, with the daemon's own on the other end."""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from blinkd.capture.frame import Frame
from blinkd.clock import SystemClock
from blinkd.outputs.channel import Picture
from blinkd.outputs.port import Health, PartHealth
from blinkd.outputs.screen import Screen
from blinkd.session.events import Event
from blinkd.settings import KioskSettings
from blinkd.web.hub import WAITING, Hub

WAIT_S = 20.0
HEALTH = Health((PartHealth("camera", "ok"),), 15.0, 1, 1, 0, 0, None)
CLOCK = SystemClock()


class Pair:
    """Daemon and web process."""

    def __init__(self) -> None:
        self.screen = Screen(KioskSettings(fps=60), CLOCK)
        with self.screen.channel() as (events, pictures):
            self.hub = Hub(os.dup(events), os.dup(pictures))
        self.ended = threading.Event()
        self.hub.start(self.ended.set)

    def frame(self, t: float | None = None) -> None:
        image = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
        self.screen.picture(Frame(image, CLOCK.monotonic() if t is None else t, 1), None, "tracking", "", mirrored=True)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.screen.close()


def test_what_the_daemon_says_is_heard_by_everybody_who_listens(pair: Pair) -> None:
    async def listen() -> list[object]:
        with pair.hub.listen() as one, pair.hub.listen() as other:
            pair.screen.health(HEALTH)
            pair.screen.event(Event(1.0, 1, "session_started"))
            found = [await asyncio.wait_for(listener.next(), WAIT_S) for listener in (one, one, other, other)]
        return [message and message.get("event", message["kind"]) for message in found]

    assert asyncio.run(listen()) == ["health", "session_started"] * 2
    assert pair.hub.health is not None
    assert pair.hub.health["parts"] == [["camera", "ok", ""]]
    assert pair.hub.silent_s < WAIT_S
    assert [message["event"] for message in pair.hub.recent()] == ["session_started"]


def test_one_that_does_not_keep_up_is_told_to_begin_anew_and_the_others_go_on(pair: Pair) -> None:
    async def listen() -> tuple[object, object]:
        with pair.hub.listen() as slow, pair.hub.listen() as quick:
            for number in range(WAITING + 2):
                pair.hub.heard({"kind": "event", "event": "blink", "n": number})
                await quick.next()
            return await slow.next(), pair.hub.recent()[-1]["n"]

    assert asyncio.run(listen()) == (None, WAITING + 1)


def test_a_picture_comes_to_everybody_who_has_asked_and_none_is_made_before(pair: Pair) -> None:
    for _ in range(3):
        pair.frame()
    asked = [pair.hub.picture() for _ in range(2)]
    pair.frame()
    first, second = (one.result(WAIT_S) for one in asked)
    assert first is second
    assert (first.info.state, first.info.mirrored, first.jpeg[:2]) == ("tracking", True, b"\xff\xd8")


def test_a_picture_from_before_anybody_watched_is_not_shown(pair: Pair) -> None:
    pair.frame(t=CLOCK.monotonic() - 60)
    asked = pair.hub.picture()
    answer: Picture | None = None
    while answer is None:
        now = CLOCK.monotonic()
        pair.frame()
        answer = _soon(asked)
    assert answer.info.t >= now - 10


def test_who_has_given_up_is_forgotten(pair: Pair) -> None:
    gone = pair.hub.picture()
    gone.cancel()
    asked = pair.hub.picture()
    while _soon(asked) is None:
        pair.frame()
    assert gone.cancelled()


def test_the_end_of_the_daemon_is_noticed(pair: Pair) -> None:
    pair.screen.close()
    assert pair.ended.wait(WAIT_S)


def test_what_is_no_message_is_left_out() -> None:
    read, write = os.pipe()
    hub = Hub(read)
    done = threading.Event()
    os.write(write, b'nonsense\n[1]\n{"kind":"event","event":"blink","t":1}\n')
    os.close(write)
    hub.start(done.set)
    assert done.wait(WAIT_S)
    assert [message["event"] for message in hub.recent()] == ["blink"]


def test_what_is_no_picture_ends_the_pictures_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    read, write = os.pipe()
    hub = Hub(None, read)
    os.write(write, b"GET / HTTP/1.1\r\n\r\n")
    before = set(threading.enumerate())
    hub.start(lambda: None)
    (reader,) = set(threading.enumerate()) - before
    asked = hub.picture()
    os.close(write)
    reader.join(WAIT_S)
    assert not reader.is_alive()
    assert not asked.done()
    assert "another version" in caplog.text


def _soon(asked: "Future[Picture]") -> Picture | None:
    try:
        return asked.result(0.05)
    except TimeoutError:
        return None


def test_what_this_process_says_itself_stands_between_the_daemons_words_and_is_no_sign_of_its_life() -> None:
    hub = Hub()

    async def listen() -> list[float]:
        with hub.listen() as listener:
            hub.heard({"kind": "event", "event": "registration", "n": 7})
            hub.announce({"kind": "event", "event": "registration", "step": "turn_left"})
            hub.heard({"kind": "event", "event": "registration", "n": 8})
            told = [await asyncio.wait_for(listener.next(), WAIT_S) for _ in range(3)]
        return [message["n"] for message in told if message is not None]

    assert asyncio.run(listen()) == [7, 7.5, 8]
    assert [message["n"] for message in hub.recent()] == [7, 8]
    quiet = Hub()
    quiet.announce({"kind": "event", "event": "registration"})
    assert quiet.silent_s == float("inf")
