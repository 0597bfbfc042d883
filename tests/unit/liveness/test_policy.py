import pytest

from blinkd.liveness.finding import Finding
from blinkd.liveness.policy import POLICIES, decide

CLEAR, DOUBT, DENY = (Finding("texture", verdict, 0.5) for verdict in ("clear", "doubt", "deny"))
NOTHING_YET = Finding("texture", "unsure", None)
SOLID, FLAT, MOVING, STIFF = (Finding("depth", verdict, 0.5) for verdict in ("clear", "deny", "open", "doubt"))


def answer(policy: str, *findings: Finding, blinks: int = 0, seen_s: float = 3.0, passed: bool = False) -> str:
    return decide(POLICIES[policy], blinks, seen_s, findings, challenge_passed=passed)


@pytest.mark.parametrize("policy", ["fast", "standard", "strict"])
@pytest.mark.parametrize("denial", [DENY, FLAT, Finding("bezel", "deny", None), Finding("frozen", "deny", None)], ids=lambda one: one.cue)
def test_a_deny_overrides_every_sign_of_life(policy: str, denial: Finding) -> None:
    findings = [CLEAR, SOLID, denial] if denial.cue not in ("texture", "depth") else [denial]
    assert answer(policy, *findings, blinks=3, passed=True) == "denied"


@pytest.mark.parametrize("policy", ["fast", "standard"])
def test_a_blink_is_enough_where_nothing_speaks_against_it(policy: str) -> None:
    assert answer(policy, CLEAR, MOVING, blinks=1) == "live"
    assert answer(policy, CLEAR, MOVING) == "wait"


@pytest.mark.parametrize("policy", ["fast", "standard", "strict"])
def test_nobody_is_live_before_the_texture_model_has_looked(policy: str) -> None:
    assert answer(policy, NOTHING_YET, SOLID, blinks=1) == "wait"


def test_a_head_that_moves_as_a_solid_one_is_a_sign_of_life_but_not_under_fast() -> None:
    assert answer("standard", CLEAR, SOLID) == "live"
    assert answer("standard", CLEAR, SOLID, seen_s=1.0) == "wait", "for a moment only"
    assert answer("fast", CLEAR, SOLID) == "wait"


def test_a_stiff_plane_that_blinks_is_challenged_and_let_in_only_when_it_is_stiff_no_more() -> None:
    assert answer("standard", CLEAR, STIFF, blinks=1) == "challenge"
    assert answer("standard", CLEAR, STIFF, blinks=1, passed=True) == "wait"
    assert answer("standard", CLEAR, MOVING, blinks=1, passed=True) == "live"


def test_a_blink_of_a_face_that_fills_the_picture_is_challenged_unless_it_is_seen_to_be_solid() -> None:
    near = Finding("view", "doubt", 1.4)
    assert answer("standard", CLEAR, MOVING, near, blinks=1) == "challenge"
    assert answer("standard", CLEAR, SOLID, near) == "wait", "movement alone is not enough there"
    assert answer("standard", CLEAR, SOLID, near, blinks=1) == "live"


def test_doubt_asks_for_a_challenge_and_a_passed_one_settles_it() -> None:
    assert answer("standard", DOUBT, blinks=1) == "challenge"
    assert answer("standard", DOUBT, blinks=1, passed=True) == "live"
    assert answer("fast", DOUBT, blinks=1) == "live"


def test_strict_challenges_everybody() -> None:
    assert answer("strict", CLEAR, SOLID, blinks=1) == "challenge"
    assert answer("strict", CLEAR, SOLID, blinks=1, passed=True) == "live"
    assert POLICIES["strict"].always >= 2
