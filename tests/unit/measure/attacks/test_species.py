"""Each species does what its name says, seen by the terminal's own networks where it is about faces."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from blinkd.capture.frame import Image
from blinkd.measure.attacks.kit import MAKERS
from blinkd.measure.attacks.sources import Stock
from blinkd.parts import Parts
from tests.unit.measure.attacks.clips import Clip, footage, made, ratios, seen, who

SHUT = 0.15
SAME, OTHER = 0.5, 0.35  # similarity: surely the same person, surely another one


def steps(clip: Clip) -> npt.NDArray[np.float64]:
    """Mean grey levels by which each frame differs from the one before."""
    return np.array([cv2.absdiff(a, b).mean() for a, b in zip(clip.frames, clip.frames[1:], strict=False)])


def sharpness(image: Image) -> float:
    return float(cv2.Laplacian(cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3), 0), cv2.CV_32F).var())


@pytest.mark.parametrize("species", list(MAKERS))
def test_a_clip_is_the_same_each_time_and_another_for_another_seed(species: str, stock: Stock) -> None:
    first, again, other = (made(stock, species, 0, 3.0, 4, seed) for seed in (7, 7, 8))
    assert all(frame.shape == (480, 640, 3) and frame.dtype == np.uint8 for frame in first.frames)
    assert all(np.array_equal(a, b) for a, b in zip(first.frames, again.frames, strict=True))
    drawn_clip_only = ("looped_frames", "repeated_frames", "frozen_frame")  # of few sources two seeds may draw the same
    assert species in drawn_clip_only or any(not np.array_equal(a, b) for a, b in zip(first.frames, other.frames, strict=False))


def test_a_still_photo_differs_by_noise_alone(stock: Stock, networks: Parts) -> None:
    clip = made(stock, "photo_still", 0, 2.0)
    assert len(clip.frames) == round(2.0 * clip.fps)
    assert 0 < steps(clip).max() < 5
    places = np.array([face.bbox[:2] for face in seen(networks, clip) if face])
    assert np.ptp(places, axis=0).max() < 2


def test_a_moved_photo_drifts_by_pixels_and_keeps_its_eyes_open(stock: Stock, networks: Parts) -> None:
    faces = seen(networks, made(stock, "photo_moved", 0, 3.0))
    places = np.array([face.bbox[:2] for face in faces if face])
    assert len(places) == len(faces)
    assert np.ptp(places, axis=0).max() > 4
    assert np.nanmin(ratios(faces)) > SHUT


def test_a_tilted_photo_is_foreshortened_by_perspective(stock: Stock, networks: Parts) -> None:
    shapes = [face.bbox[2] / face.bbox[3] for face in seen(networks, made(stock, "photo_tilted", 0, 4.0)) if face]
    assert max(shapes) / min(shapes) > 1.06


def test_a_zoomed_photo_comes_near_and_goes_away(stock: Stock, networks: Parts) -> None:
    sizes = [face.size for face in seen(networks, made(stock, "photo_zoomed", 0, 4.0)) if face]
    assert max(sizes) / min(sizes) > 1.2


def test_a_bent_photo_is_narrower_when_it_is_bent_more(stock: Stock) -> None:
    made_ = footage(stock, "photo_bent", 0, 4.0)
    frames = list(made_.frames)
    assert float(made_.details["curvature_per_m"]) > 3
    assert steps(Clip(frames, made_.fps, made_.kind)).mean() > 1


@pytest.mark.parametrize("variant", range(4))
def test_a_warped_photo_blinks_for_the_mesh_and_opens_its_eyes_again(variant: int, stock: Stock, networks: Parts) -> None:
    ear = ratios(seen(networks, made(stock, "photo_warped_blink", variant, 3.0)))
    lowest = int(np.nanargmin(ear))
    before, after = np.nanmedian(ear[:lowest]), np.nanmax(ear[lowest:])
    assert ear[lowest] < SHUT
    assert before > 0.18
    assert after > 0.85 * before


def test_an_animated_photo_seems_to_turn(stock: Stock, networks: Parts) -> None:
    turned = [face.pose.yaw for face in seen(networks, made(stock, "photo_animated_turn", 0, 3.0)) if face]
    moved = [face.pose.yaw for face in seen(networks, made(stock, "photo_moved", 0, 3.0)) if face]
    assert np.ptp(turned) > 10
    assert np.ptp(turned) > 2 * np.ptp(moved)


@pytest.mark.parametrize("variant", [0, 1])
def test_through_eye_holes_the_live_eyes_blink_in_anothers_face(variant: int, stock: Stock, networks: Parts) -> None:
    clip = made(stock, "photo_cutout_eyes", variant, 3.0)
    ear = ratios(seen(networks, clip))
    assert np.nanmin(ear) < 0.7 * np.nanmedian(ear)
    live = [one for one in stock.clips if one.path in footage(stock, "photo_cutout_eyes", variant).sources]
    assert len(live) == 1
    assert who(networks, clip.frames[0]) @ live[0].embedding < OTHER


@pytest.mark.parametrize("variant", range(5))
def test_a_replay_on_any_screen_shows_the_person_who_blinks(variant: int, one_clip: Stock, networks: Parts) -> None:
    clip = made(one_clip, "replay_screen", variant, 3.0)
    ear = ratios(seen(networks, clip))
    assert np.nanmin(ear) < SHUT
    assert np.nanmedian(ear) > 0.2
    assert who(networks, clip.frames[0]) @ one_clip.clips[0].embedding > SAME


def test_the_camera_has_another_rate_than_the_replayed_clip(stock: Stock) -> None:
    chosen = [footage(stock, "replay_screen", variant) for variant in range(8)]
    assert any(abs(one.fps - float(one.details["clip_fps"])) > 2 for one in chosen)
    assert all(15 <= one.fps <= 30 for one in chosen)


def test_moire_lays_coloured_fringes_over_the_replay(one_clip: Stock) -> None:
    def colour(clip: Clip) -> float:
        # what changes in red against blue within some pixels, which a face does not
        image = clip.frames[-1].astype(np.float32)
        tone = image[:, :, 2] - image[:, :, 0]
        return float(np.std(cv2.GaussianBlur(tone, (0, 0), 1.0) - cv2.GaussianBlur(tone, (0, 0), 6)))

    assert colour(made(one_clip, "replay_moire", 2, 3.0, 5)) > 1.5 * colour(made(one_clip, "replay_screen", 1, 3.0, 5))


def test_glare_lies_on_the_screen_and_moves_on_its_own(one_clip: Stock) -> None:
    clip = made(one_clip, "replay_glare", 1, 3.0)
    bright = [np.argwhere(frame.min(axis=2) > 225) for frame in clip.frames]
    middles = np.array([spot.mean(axis=0) for spot in bright if len(spot)])
    assert len(middles) > len(clip.frames) / 2
    assert np.ptp(middles, axis=0).max() > 6


def test_flicker_bands_the_rows_and_the_bands_wander(one_clip: Stock) -> None:
    def restless(clip: Clip) -> float:
        rows = np.array([frame.mean(axis=(1, 2)) for frame in clip.frames])
        return float(np.std(rows - rows.mean(axis=1, keepdims=True), axis=0).mean())

    flickering, plain = made(one_clip, "replay_flicker", 0, 3.0, 30), made(one_clip, "replay_screen", 1, 3.0, 30)
    assert restless(flickering) > 1.5 * restless(plain)


def test_a_poor_video_has_less_detail_than_a_good_one_on_the_same_screen(one_clip: Stock) -> None:
    poor, good = made(one_clip, "replay_lowres", 0, 3.0, 3), made(one_clip, "replay_screen", 2, 3.0, 3)
    inside = np.s_[160:320, 250:390]
    assert poor.kind.startswith("tablet")
    assert good.kind.startswith("tablet")
    assert sharpness(np.ascontiguousarray(poor.frames[0][inside])) < 0.8 * sharpness(np.ascontiguousarray(good.frames[0][inside]))


@pytest.mark.parametrize("variant", range(5))
def test_who_blinks_is_not_who_is_shown_in_the_end(variant: int, stock: Stock, networks: Parts) -> None:
    clip = made(stock, "cut_and_swap", variant, 4.0)
    live = next(one for one in stock.clips if one.path == footage(stock, "cut_and_swap", variant).sources[0])
    ear = ratios(seen(networks, clip))
    shut = int(np.nanargmin(ear))
    like = [float(who(networks, clip.frames[place]) @ live.embedding) for place in (0, -1)]
    if clip.kind in ("photo_then_blink", "photo_but_for_blink"):
        assert max(like) < OTHER
        assert float(who(networks, clip.frames[shut]) @ live.embedding) > OTHER
    else:
        assert like[0] > SAME
        assert like[1] < OTHER
    assert ear[shut] < 0.6 * np.nanmedian(ear)


def test_a_frozen_clip_repeats_its_last_frame_to_the_bit_and_not_before(stock: Stock) -> None:
    moves = steps(made(stock, "frozen_frame", 0, 4.0))
    still = np.flatnonzero(moves == 0)
    assert len(still) > 15
    assert np.all(moves[still[0] :] == 0)
    assert np.all(moves[: still[0]] > 0)


def test_a_frozen_clip_under_noise_never_repeats_a_frame_and_never_moves(stock: Stock) -> None:
    moves = steps(made(stock, "frozen_frame", 2, 3.0))
    assert np.all(moves > 0)
    assert moves.max() < 3


def test_a_frozen_clip_may_go_on_again(stock: Stock) -> None:
    moves = steps(made(stock, "frozen_frame", 3, 5.0))
    still = np.flatnonzero(moves == 0)
    assert len(still) > 10
    assert np.any(moves[still[-1] + 1 :] > 0)


@pytest.mark.parametrize("variant", range(3))
def test_a_loop_repeats_its_frames_with_its_blink(variant: int, stock: Stock, networks: Parts) -> None:
    length = int(footage(stock, "looped_frames", variant).details["period_frames"])
    clip = made(stock, "looped_frames", variant, 4.0)
    assert all(np.array_equal(a, b) for a, b in zip(clip.frames, clip.frames[length:], strict=False))
    ear = ratios(seen(networks, replace(clip, frames=clip.frames[: 2 * length])))
    for part in (ear[:length], ear[length : 2 * length]):
        assert np.nanmin(part) < 0.6 * np.nanmedian(part)


@pytest.mark.parametrize("variant", [0, 1])
def test_black_frames_come_in_short_runs_between_bright_ones(variant: int, stock: Stock) -> None:
    clip = made(stock, "black_frames", variant, 4.0)
    black = np.array([frame.max() == 0 for frame in clip.frames])
    begins = np.flatnonzero(np.diff(black.astype(int)) == 1)
    assert not black[0]
    assert not black[-1]
    assert len(begins) >= 2
    assert black.sum() / len(begins) / clip.fps < 0.3


def test_a_black_bar_covers_the_eyes_only(stock: Stock) -> None:
    clip = made(stock, "black_frames", 2, 3.0)
    dark = [int((frame.max(axis=2) == 0).sum()) for frame in clip.frames]
    assert dark[0] < max(dark)
    assert max(dark) < 0.1 * 640 * 480


def test_dark_frames_are_short_and_nearly_black(stock: Stock) -> None:
    levels = np.array([frame.mean() for frame in made(stock, "black_frames", 3, 4.0).frames])
    dark = levels < 0.2 * levels[0]
    assert 0 < dark.sum() < 0.3 * len(levels)
    assert not dark[-1]


def test_repeated_frames_come_as_often_as_the_kind_says(stock: Stock) -> None:
    for variant, times in ((0, 2), (1, 3)):
        moves = steps(made(stock, "repeated_frames", variant, 2.0))
        changes = np.flatnonzero(moves > 0) + 1
        assert np.all(changes % times == 0)
        assert len(changes) > 5


def test_a_stalling_injection_stops_for_a_while_and_catches_up(stock: Stock) -> None:
    moves = steps(made(stock, "repeated_frames", 2, 5.0))
    assert 5 < int((moves == 0).sum()) < len(moves) - 5
