"""What the passive cues and the challenge do to a visit."""

import numpy as np
import pytest

from blinkd.settings import LivenessSettings, Settings
from tests.unit.session.fakes import Look, Stage, grain, kinds, reasons

DOUBTFUL, DENIED = Look(texture=0.55), Look(texture=0.1)


def policy(name: str) -> Settings:
    return Settings(liveness=LivenessSettings(policy=name))


def challenge_of(stage: Stage, events: list) -> dict:
    (asked,) = [event for event in events if event.kind == "challenge"]
    assert stage.machine.state == "challenged"
    return asked.details


def follow(stage: Stage, step: str, look: Look) -> list:
    """Do what the step asks."""
    changed = {
        "blink_twice": [],
        "turn_left": [Look(texture=look.texture, yaw_ratio=3.0)] * 4,
        "turn_right": [Look(texture=look.texture, yaw_ratio=0.3)] * 4,
        "come_closer": [Look(texture=look.texture, size=1.4)] * 2,
    }[step]
    events = stage.play(*changed)
    if step == "blink_twice":
        events += stage.blink(look) + stage.rest(0.5, look) + stage.blink(look)
    return events + stage.rest(0.6, look)


def test_a_face_that_the_texture_model_denies_is_refused_though_it_blinks() -> None:
    stage = Stage()
    events = stage.rest(1, DENIED) + stage.blink(DENIED) + stage.rest(2, DENIED)
    assert reasons(events) == ["not_live"]
    assert stage.desk.attended == []
    (liveness,) = [event.details for event in events if event.kind == "liveness"]
    assert liveness["live"] is False
    assert liveness["against"] == ["texture"]
    assert stage.desk.evidence[0]["cues"]["texture"] == pytest.approx(0.1)


def test_a_moment_of_bad_light_does_not_decide() -> None:
    stage = Stage()
    events = stage.rest(0.8, DENIED) + stage.rest(4) + stage.blink() + stage.rest(0.5)
    assert "punch" in kinds(events)


def test_doubt_asks_two_steps_and_who_follows_them_is_let_in() -> None:
    stage = Stage()
    asked = challenge_of(stage, stage.rest(1, DOUBTFUL) + stage.blink(DOUBTFUL) + stage.rest(0.3, DOUBTFUL))
    assert (asked["number"], asked["of"]) == (1, 2)
    events = follow(stage, asked["step"], DOUBTFUL)
    (second,) = [event.details for event in events if event.kind == "challenge"]
    assert "punch" in kinds(follow(stage, second["step"], DOUBTFUL))
    assert stage.desk.attended == ["ann"]


def test_who_does_not_follow_is_refused_at_the_deadline_with_the_step_named() -> None:
    stage = Stage()
    asked = challenge_of(stage, stage.rest(1, DOUBTFUL) + stage.blink(DOUBTFUL) + stage.rest(0.3, DOUBTFUL))
    events = stage.rest(asked["seconds"] + 0.3, DOUBTFUL)
    assert reasons(events) == ["not_live"]
    assert asked["step"] in next(event for event in events if event.kind == "liveness").details["challenge"]
    assert stage.desk.attended == []


def test_under_fast_doubt_lets_pass() -> None:
    stage = Stage(policy("fast"))
    assert "punch" in kinds(stage.rest(1, DOUBTFUL) + stage.blink(DOUBTFUL) + stage.rest(0.5, DOUBTFUL))


def test_strict_asks_three_steps_of_everybody_in_order() -> None:
    stage = Stage(policy("strict"))
    asked = challenge_of(stage, stage.rest(1) + stage.blink() + stage.rest(0.3))
    for number in (1, 2, 3):
        assert (asked["number"], asked["of"]) == (number, 3)
        assert stage.desk.attended == []
        events = follow(stage, asked["step"], Look())
        asked = next((event.details for event in events if event.kind == "challenge"), {})
    assert "punch" in kinds(events)


def test_a_stiff_picture_that_blinks_is_asked_to_turn_its_head() -> None:
    stage = Stage()
    stiff = Look(sway=0.0)
    events = stage.rest(1, stiff) + stage.blink(stiff) + stage.rest(1, stiff)
    assert "punch" not in kinds(events), "a blink alone does not let a stiff plane in"
    asked = challenge_of(stage, stage.rest(1, stiff))
    events = follow(stage, asked["step"], stiff) + stage.rest(13, stiff)
    assert reasons(events)[0] == "not_live"
    assert stage.desk.attended == []


def test_a_doubt_that_goes_away_withdraws_the_challenge() -> None:
    stage = Stage()
    challenge_of(stage, stage.rest(1, DOUBTFUL) + stage.blink(DOUBTFUL) + stage.rest(0.3, DOUBTFUL))
    assert "punch" in kinds(stage.rest(5))


def test_another_face_that_follows_the_step_is_not_let_in() -> None:
    stage = Stage(policy("strict"))
    first = challenge_of(stage, stage.rest(1) + stage.blink() + stage.rest(0.3))
    events = follow(stage, first["step"], Look("stranger"))
    assert "punch" not in kinds(events)
    assert set(reasons(events)) <= {"swapped", "not_live"}


def test_a_broken_track_begins_the_challenge_anew() -> None:
    stage = Stage(policy("strict"))
    challenge_of(stage, stage.rest(1) + stage.blink() + stage.rest(0.3))
    second = Look(track=2)
    events = stage.rest(1, second) + stage.blink(second) + stage.rest(0.3, second)
    assert [event.details["number"] for event in events if event.kind == "challenge"] == [1]


def test_a_cut_in_the_picture_begins_the_evidence_anew() -> None:
    stage = Stage()
    bright = np.full((480, 640, 3), 250, np.uint8)
    events = stage.rest(1) + stage.blink() + stage.play(Look(image=bright))
    assert "punch" not in kinds(events + stage.rest(0.6)), "the blink was before the cut"


def test_a_frozen_picture_is_refused() -> None:
    stage = Stage()
    still = grain(7)
    events = stage.rest(0.8) + stage.play(*[Look(image=still)] * 14) + stage.blink() + stage.rest(3)
    assert "not_live" in reasons(events)
    assert stage.desk.attended == []
    assert next(event for event in events if event.kind == "liveness").details["against"] == ["frozen"]


def test_the_same_chance_asks_the_same_steps() -> None:
    def asked() -> dict:
        stage = Stage(policy("strict"))
        return challenge_of(stage, stage.rest(1) + stage.blink() + stage.rest(0.3))

    assert asked() == asked()
