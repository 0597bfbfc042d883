from blinkd.liveness.turn import TurnDetector
from blinkd.settings import LivenessSettings
from tests.unit.liveness.faces import face


def run(ratios: list[float], fps: float = 20.0) -> list[str]:
    detector = TurnDetector(LivenessSettings())
    return [side for n, ratio in enumerate(ratios) if (side := detector.observe(n / fps, face(yaw_ratio=ratio)))]


CENTRE, LEFT, RIGHT = [1.0] * 5, [0.3] * 6, [3.0] * 6


def test_a_turn_to_each_side_is_named_by_the_side() -> None:
    assert run(CENTRE + LEFT + CENTRE + RIGHT) == ["left", "right"]


def test_staying_turned_counts_once() -> None:
    assert run(CENTRE + LEFT * 5) == ["left"]


def test_a_face_that_was_never_straight_has_not_turned() -> None:
    assert run(LEFT * 3) == []


def test_one_frame_of_jitter_is_no_turn() -> None:
    assert run([*CENTRE, 0.1, *CENTRE, 9.0, *CENTRE]) == []


def test_a_ratio_that_the_pose_does_not_bear_out_is_no_turn() -> None:
    detector = TurnDetector(LivenessSettings())
    looks = [face() for _ in range(5)] + [face(yaw_ratio=3.0, yaw=-2.0) for _ in range(8)]
    assert not any(detector.observe(n / 20, look) for n, look in enumerate(looks))
