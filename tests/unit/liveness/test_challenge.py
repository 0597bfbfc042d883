from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.liveness.challenge import STEPS, Challenge, draw
from blinkd.liveness.cue import Cue
from blinkd.vision.face import Face
from tests.unit.liveness.faces import face

FACE = face()


def grown(ratio: float) -> Face:
    x, y, w, h = FACE.bbox
    return Face((x, y, w * ratio, h * ratio), FACE.score, FACE.landmarks)


def blink(t: float) -> Cue:
    return Cue("blink", t, {"count": 1})


def turn(t: float, side: str) -> Cue:
    return Cue("head_turn", t, {"direction": side})


def asking(*steps: str, mirrored: bool = False) -> Challenge:
    challenge = Challenge(steps, 5.0, mirrored=mirrored)
    assert challenge.ask(0.0).step == steps[0]
    return challenge


def test_two_blinks_pass_and_one_does_not() -> None:
    challenge = asking("blink_twice")
    challenge.observe(1, FACE, [blink(1)])
    assert challenge.state == "asked"
    challenge.observe(2, FACE, [blink(2)])
    assert challenge.state == "passed"


@pytest.mark.parametrize(("step", "side"), [("turn_left", "right"), ("turn_right", "left")])
def test_left_is_the_persons_own_left_which_is_the_pictures_right(step: str, side: str) -> None:
    challenge = asking(step)
    challenge.observe(1, FACE, [turn(1, side)])
    assert challenge.state == "passed"


@pytest.mark.parametrize(("step", "side"), [("turn_left", "left"), ("turn_right", "right")])
def test_in_a_mirrored_picture_the_sides_are_the_persons_own(step: str, side: str) -> None:
    challenge = asking(step, mirrored=True)
    challenge.observe(1, FACE, [turn(1, side)])
    assert challenge.state == "passed"


@pytest.mark.parametrize(("step", "side"), [("turn_left", "left"), ("turn_right", "right")])
def test_the_wrong_side_fails_at_once(step: str, side: str) -> None:
    challenge = asking(step)
    challenge.observe(1, FACE, [turn(1, side)])
    assert challenge.state == "failed"
    assert "other way" in challenge.failure


def test_coming_closer_is_measured_from_where_one_stood_when_asked() -> None:
    challenge = asking("come_closer")
    challenge.observe(1, grown(1.5), [])
    challenge.observe(2, grown(1.8), [])
    assert challenge.state == "asked"
    challenge.observe(3, grown(1.9), [])
    assert challenge.state == "passed"


def test_a_step_that_is_not_done_in_time_fails_and_says_which() -> None:
    challenge = asking("blink_twice")
    challenge.observe(5.1, FACE, [blink(5.1), blink(5.1)])
    assert challenge.state == "failed"
    assert "blink_twice" in challenge.failure


def test_the_second_step_has_a_deadline_and_a_count_of_its_own() -> None:
    challenge = asking("blink_twice", "turn_left")
    challenge.observe(3, FACE, [blink(3)])
    asked = challenge.observe(4, FACE, [blink(4)])
    assert asked is not None
    assert (asked.number, asked.of, asked.deadline) == (2, 2, 9.0)
    assert asked.step == "turn_left"


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_no_step_follows_itself_and_one_is_a_turn(steps: int, seed: int) -> None:
    drawn = draw(steps, Random(seed))
    assert len(drawn) == steps
    assert set(drawn) <= set(STEPS)
    assert {"turn_left", "turn_right"} & set(drawn)
    assert all(a != b for a, b in pairwise(drawn))


def test_every_step_and_order_comes_up() -> None:
    pairs = {tuple(draw(2, Random(seed))) for seed in range(500)}
    assert len(pairs) == len(STEPS) * (len(STEPS) - 1) - 2, "all but the two without a turn"
