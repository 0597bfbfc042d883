"""Frames that no scene made: a stream that is fed in the camera's place."""

from collections.abc import Iterator

import numpy as np

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import Camera, to_light
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.photos import photo_moved
from blinkd.measure.attacks.playback import Shot, just_before_blink, play
from blinkd.measure.attacks.sources import BlinkSpan, LiveClip
from blinkd.measure.attacks.swaps import FRAME, NATIVE_NOISE, live_crop
from blinkd.measure.attacks.warp import eye_masks

FIRST_BLACK_S, BLACK_EVERY_S = 1.3, 1.6  # a terminal needs some open eyes before a closing counts
BLACK_S = (0.08, 0.2)  # how long one fake closing lasts
DARK_SHARE = 0.12  # of its grey level that a nearly black frame keeps
LOOP_MARGIN_S = 0.6  # of open eyes after the blink in a loop
SEAM_FRAMES = 5  # over which the end of a loop is faded into its beginning
STALL_S = (0.25, 0.6)


def frozen_frame(order: Order) -> Footage:
    """A live clip that freezes as soon as its blink is over, or before it under fresh noise, or a single frame under noise all the time."""
    kind = order.kind(("after_blink", "before_blink_noise", "all_noise", "freeze_and_resume"))
    clip, start, span = _chosen(order)
    fps = round(clip.fps)
    return Footage(_frozen(order, kind, clip, start, span, fps), fps, kind, (clip.path,), {})


def looped_frames(order: Order) -> Footage:
    """A short piece with a blink, again and again: with a jump at its seam, back and forth, or with a soft seam."""
    kind = order.kind(("jump", "back_and_forth", "soft_seam"))
    clip, _, span = _chosen(order)
    fps = round(clip.fps)
    # The blink comes first: a terminal has not seen the eyes open yet, so that only the repeated one can count
    first = max(0, span.before - (SEAM_FRAMES if kind == "soft_seam" else 0))
    length = min(len(clip.faces), span.after + round(LOOP_MARGIN_S * fps)) - first
    fade = min(SEAM_FRAMES, length // 3)
    period = {"jump": length, "back_and_forth": 2 * length - 2, "soft_seam": length - fade}[kind]
    return Footage(_looped(order, kind, clip, first, length, fps, fade), fps, kind, (clip.path,), {"period_frames": period})


def black_frames(order: Order) -> Footage:
    """Black or nearly black frames, or black bars over the eyes, in a picture with open eyes: a landmark network may take them for a blink."""
    kind = order.kind(("frozen", "moved_photo", "eye_bar", "dark"))
    chance = order.chance
    black_s = float(chance.uniform(*BLACK_S))
    if kind == "moved_photo":
        made = photo_moved(order)
        frames = (np.zeros_like(image) if _is_black(number / made.fps, black_s) else image for number, image in enumerate(made.frames))
        return Footage(frames, made.fps, kind, made.sources, {"black_s": round(black_s, 2)})
    clip, start, _ = _chosen(order)
    fps = round(clip.fps)
    return Footage(_blackened(order, kind, clip, start, fps, black_s), fps, kind, (clip.path,), {"black_s": round(black_s, 2)})


def repeated_frames(order: Order) -> Footage:
    """Frames that come several times: each of them, or now and then for a while, as an injection that stalls."""
    kind = order.kind(("each_twice", "each_thrice", "stalls"))
    clip, start, _ = _chosen(order)
    fps = round(clip.fps)
    return Footage(_repeated(order, kind, clip, start, fps), fps, kind, (clip.path,), {})


def _chosen(order: Order) -> tuple[LiveClip, int, BlinkSpan]:
    clip = order.clip()
    start, span = just_before_blink(clip, order)
    return clip, start, span


def _shots(clip: LiveClip, start: int, count: int) -> Iterator[Shot]:
    return play(clip, start, count, live_crop(clip))


def _frozen(order: Order, kind: str, clip: LiveClip, start: int, span: BlinkSpan, fps: int) -> Iterator[Image]:
    camera = Camera(NATIVE_NOISE, FRAME, fps, order.chance)
    count = round(order.seconds * fps)
    # what was shown live must not be enough to be let in: that would be no attack yet
    last = {"all_noise": 0, "before_blink_noise": max(1, span.before - start - 1)}.get(kind, span.after - start + 1)
    resume = last + round(1.2 * fps) if kind == "freeze_and_resume" else count
    held: Image | None = None
    for number, shot in enumerate(_shots(clip, start, count)):
        if last <= number < resume:
            held = shot.image if held is None else held
            yield camera.shoot(to_light(held), number / fps) if kind.endswith("noise") else held
        else:
            # noise is in the whole clip or nowhere, so that it does not mark the freeze
            yield camera.shoot(to_light(shot.image), number / fps) if kind.endswith("noise") else shot.image


def _looped(order: Order, kind: str, clip: LiveClip, first: int, length: int, fps: int, fade: int) -> Iterator[Image]:
    piece = [shot.image for shot in _shots(clip, first, length)]
    if kind == "back_and_forth":
        piece += piece[-2:0:-1]
    elif kind == "soft_seam":
        for number in range(fade):
            weight = (number + 1) / (fade + 1)
            end = len(piece) - fade + number
            piece[end] = np.asarray(piece[end] * (1 - weight) + piece[number] * weight, np.uint8)
        piece = piece[fade:]
    for number in range(round(order.seconds * fps)):
        yield piece[number % len(piece)]


def _blackened(order: Order, kind: str, clip: LiveClip, start: int, fps: int, black_s: float) -> Iterator[Image]:
    camera = Camera(NATIVE_NOISE, FRAME, fps, order.chance)
    (shot,) = _shots(clip, start, 1)
    bar = eye_masks(shot.landmarks, FRAME, 2.2) > 0.5
    for number in range(round(order.seconds * fps)):
        image = camera.shoot(to_light(shot.image), number / fps)
        if _is_black(number / fps, black_s):
            if kind == "eye_bar":
                image[bar] = 0
            elif kind == "dark":
                image = np.asarray(image * DARK_SHARE, np.uint8)
            else:
                image[:] = 0
        yield image


def _is_black(t: float, black_s: float) -> bool:
    return t >= FIRST_BLACK_S and (t - FIRST_BLACK_S) % BLACK_EVERY_S < black_s


def _repeated(order: Order, kind: str, clip: LiveClip, start: int, fps: int) -> Iterator[Image]:
    chance = order.chance
    count = round(order.seconds * fps)
    times = {"each_twice": 2, "each_thrice": 3, "stalls": 1}[kind]
    held: Image | None = None
    left = 0  # frames for which the stall goes on
    for number, shot in enumerate(_shots(clip, start, count)):
        if kind == "stalls":
            if left == 0 and chance.random() < 1.3 / fps:
                left = round(float(chance.uniform(*STALL_S)) * fps)
            left = max(0, left - 1)
            held = shot.image if held is None or left == 0 else held
        elif number % times == 0:
            held = shot.image
        if held is not None:
            yield held
