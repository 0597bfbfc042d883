from collections.abc import Callable

import numpy as np
import pytest

from blinkd.liveness.blink import Blink, BlinkCounter
from blinkd.settings import LivenessSettings
from blinkd.vision.face import Face
from tests.unit.liveness.faces import face

FPS = 25.0


def shut(shown: Face) -> float:
    """What the blendshapes of a clear picture say."""
    return 0.6 if shown.eye_aspect_ratio < 0.15 else 0.1


def counter_of(second: Callable[[Face], float] = shut) -> BlinkCounter:
    return BlinkCounter(LivenessSettings(), second)


def run(ears: list[float], fps: float = FPS, **kinds: float) -> list[Blink]:
    counter = counter_of()
    blinks = []
    for number, ear in enumerate(ears):
        blink = counter.observe(number / fps, face(ear, seed=number, **kinds))
        if blink:
            blinks.append(blink)
    return blinks


OPEN, SHUT = [0.30] * 12, [0.08]


def test_open_closed_open_counts_one() -> None:
    (blink,) = run(OPEN + SHUT * 3 + OPEN)
    assert blink.closed_ms == pytest.approx(4 / FPS * 1000)
    assert blink.lowest_ear == pytest.approx(0.08, abs=1e-3)


def test_two_blinks_count_two() -> None:
    assert len(run(OPEN + SHUT * 3 + OPEN + SHUT * 2 + OPEN)) == 2


@pytest.mark.parametrize("fps", [10.0, 15.0, 30.0, 60.0])
def test_a_blink_of_150_ms_counts_at_any_frame_rate(fps: float) -> None:
    closed = max(1, round(0.15 * fps))
    assert len(run([0.3] * int(fps) + SHUT * closed + [0.3] * int(fps), fps)) == 1


def test_eyes_that_stay_closed_are_no_blink() -> None:
    assert run(OPEN + SHUT * 40 + OPEN) == []


def test_eyes_that_never_open_again_are_no_blink() -> None:
    assert run(OPEN + SHUT * 5) == []


def test_a_track_that_begins_with_closed_eyes_has_not_blinked() -> None:
    assert run(SHUT * 4 + OPEN) == []


def test_narrow_eyes_that_never_reach_the_fixed_open_threshold_can_blink() -> None:
    assert len(run([0.20] * 12 + [0.06] * 3 + [0.20] * 8)) == 1


def test_a_wink_is_no_blink() -> None:
    counter = counter_of()
    ears = [(0.3, 0.3)] * 12 + [(0.02, 0.29)] * 3 + [(0.3, 0.3)] * 12
    assert not any(counter.observe(n / FPS, face(a, b)) for n, (a, b) in enumerate(ears))


def test_noise_around_the_thresholds_is_no_blink() -> None:
    rng = np.random.default_rng(5)
    assert run(list(rng.uniform(0.14, 0.26, 300))) == []


def test_a_closing_while_the_whole_mesh_shakes_does_not_count() -> None:
    assert run(OPEN + SHUT * 3 + OPEN, jitter=0.06) == []


def test_a_gap_is_timed_in_milliseconds_not_frames() -> None:
    counter = counter_of()
    times = [*(n / FPS for n in range(12)), 12 / FPS, 12 / FPS + 2.0]
    ears = [0.3] * 12 + [0.08, 0.3]
    assert not any(counter.observe(t, face(ear)) for t, ear in zip(times, ears, strict=True))


def test_a_closing_that_the_blendshapes_deny_is_no_blink() -> None:
    counter = counter_of(lambda _shown: 0.1)
    assert not any(counter.observe(n / FPS, face(ear, seed=n)) for n, ear in enumerate(OPEN + SHUT * 3 + OPEN))
