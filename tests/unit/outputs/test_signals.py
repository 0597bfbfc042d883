import threading
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.outputs.rhythms import RHYTHMS, Beat, Meaning, Player
from blinkd.outputs.signals import Lamps, Signals
from blinkd.session.events import EventKind
from tests.unit.outputs.boards import Board, BrokenSwitch, Time, event, health, punch

GREEN, RED, BUZZER = 23, 24, 25


class Panel:
    """Lamps on mock pins whose thread a test does the work of."""

    def __init__(self) -> None:
        self.board, self.time = Board(), Time()
        lines = self.board.lines("lgpio")
        self.signals = Signals(Lamps(*(lines.switch(number, active_high=True) for number in (GREEN, RED, BUZZER))), self.time)

    def lit(self, seconds: float = 0.0) -> str:
        self.time.t += seconds
        self.signals.look()
        return "".join(name for name, pin in (("G", GREEN), ("R", RED), ("B", BUZZER)) if self.board.high(pin))

    def film(self, seconds: float) -> list[str]:
        return [self.lit(0.05) for _ in range(round(seconds / 0.05))]


def test_granted_and_refused_differ_in_light_and_in_sound_and_end_in_the_dark() -> None:
    films = {}
    for said in (punch(1000.0), event("refused", 1000.0, reason="not_live")):
        panel = Panel()
        assert panel.lit() == ""
        panel.signals.event(said)
        films[said.kind] = panel.film(3.0)
        assert panel.lit(1.0) == ""
    assert {"GB", "G"} <= set(films["punch"])
    assert {"RB", "R"} <= set(films["refused"])
    assert "R" not in "".join(films["punch"])
    assert "G" not in "".join(films["refused"])
    assert [frame for frame in films["punch"] if "B" in frame] != [frame for frame in films["refused"] if "B" in frame]


def test_whoever_stands_there_sees_that_they_are_looked_at_until_it_is_over() -> None:
    panel = Panel()
    panel.signals.event(event("session_started", 1000.0))
    film = panel.film(4.0)
    assert set(film) == {"G", ""}
    panel.signals.event(event("session_ended", 1004.0))
    assert set(panel.film(4.0)) == {""}


def test_trouble_flashes_without_sound_until_it_is_mended_and_gives_way_to_a_decision() -> None:
    panel = Panel()
    panel.signals.health(health(camera="failed"))
    assert set(panel.film(4.0)) == {"R", ""}
    panel.signals.event(punch(panel.time.t))
    assert panel.lit() == "GB"
    assert set(panel.film(8.0)) >= {"G", "R"}
    panel.signals.health(health())
    assert set(panel.film(4.0)) == {""}


@pytest.mark.parametrize("part", ["sync", "clock"])
def test_what_nobody_at_the_door_can_notice_does_not_flash(part: str) -> None:
    panel = Panel()
    panel.signals.health(health(**{part: "failed"}))
    assert set(panel.film(4.0)) == {""}


@pytest.mark.parametrize("kind", ["blink", "head_turn", "liveness", "identified"])
def test_what_asks_nothing_of_anybody_shows_nothing(kind: EventKind) -> None:
    panel = Panel()
    panel.signals.event(event(kind, 1000.0))
    assert set(panel.film(2.0)) == {""}


def _pattern(meaning: Meaning, lamp: str) -> list[tuple[float, bool]]:
    return [(beat.seconds, bool(getattr(beat, lamp))) for beat in RHYTHMS[meaning].beats]


def test_no_two_meanings_differ_by_colour_alone() -> None:
    for one, other in combinations(RHYTHMS, 2):
        light = [[(beat.seconds, beat.green or beat.red) for beat in RHYTHMS[meaning].beats] for meaning in (one, other)]
        assert light[0] != light[1], (one, other)


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.sampled_from(["look", "trouble", "dark"]), st.sampled_from([None, "granted", "refused", "move"]))
    )
)
def test_what_is_on_is_always_a_beat_of_what_was_asked_for_and_sound_never_lasts(
    steps: list[tuple[float, Meaning, Meaning | None]],
) -> None:
    player, now = Player(), 0.0
    asked: set[Meaning] = {"dark"}
    for wait, meaning, once in steps:
        now += wait
        player.last(meaning, now)
        asked.add(meaning)
        if once is not None:
            player.once(once, now)
            asked.add(once)
        beat, seconds = player.beat(now)
        assert 0 < seconds <= beat.seconds or seconds == 0.01
        assert beat in {beat for meaning in asked for beat in RHYTHMS[meaning].beats}
    assert not player.beat(now + 60)[0].buzzer


def test_a_lamp_that_does_not_obey_is_said_and_stops_nothing() -> None:
    switch = BrokenSwitch()
    signals = Signals(Lamps(green=switch), Time())
    signals.event(punch(1000.0))
    signals.look()
    assert signals.part().state == "failed"
    switch.broken = False
    signals.look()
    assert (switch.on, signals.part().state) == (True, "ok")


def test_its_own_thread_shows_and_closing_leaves_everything_dark() -> None:
    shown = threading.Event()

    class Lamp:
        def __init__(self) -> None:
            self.on = False

        def set(self, on: bool) -> None:
            self.on = on
            if on:
                shown.set()

        def close(self) -> None:
            self.on = False

    lamp, time = Lamp(), Time()
    signals = Signals(Lamps(green=lamp), time)
    signals.start()
    signals.event(punch(time.t))
    assert shown.wait(30)
    signals.close()
    signals.close()
    assert not lamp.on
    assert [thread for thread in threading.enumerate() if thread.name == "blinkd-signals"] == []


def test_the_dark_is_dark() -> None:
    assert RHYTHMS["dark"].beats == (Beat(1.0),)
