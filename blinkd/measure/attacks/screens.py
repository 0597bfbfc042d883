"""A clip of a person who blinks, played on a screen before the terminal's camera."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import READOUT_SHARE, Camera, Light, Sensor
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.geometry import Lens, Matrix, Plane, homography, project, texture_to_medium
from blinkd.measure.attacks.motion import hand
from blinkd.measure.attacks.photos import PX_PER_M_AT, lens_of, placed
from blinkd.measure.attacks.playback import Crop, head_crop, play, start_before_blink
from blinkd.measure.attacks.props import Device, Prop, ScreenLook, body_of, frameless, held
from blinkd.measure.attacks.room import room
from blinkd.measure.attacks.sources import LiveClip, frames_of
from blinkd.measure.attacks.stage import lay

BEZEL = 0.012  # linear grey of a black border
DISTANCES: dict[Device, tuple[float, float]] = {"phone": (0.3, 0.36), "tablet": (0.3, 0.5), "monitor": (0.45, 0.7)}  # metres


@dataclass(frozen=True, slots=True, eq=False)
class Playback:
    """A clip on a screen: prop, what the screen does to colours, the clip, the part of it that is shown and from which frame on."""

    prop: Prop
    look: ScreenLook
    clip: LiveClip
    crop: Crop
    start: int
    distance: float


Spoil = Callable[[Image], Image]
AfterScreen = Callable[[Light, Plane, Matrix, float], None]


def set_up(order: Order, device: Device, close_up: bool, lens: Lens) -> Playback:
    """Choose clip, distance and the part of the picture; close_up: the screen's edges lie outside of the frame."""
    chance = order.chance
    clip = order.clip(spacious=close_up)
    low, high = DISTANCES[device]
    body = body_of(device)
    if close_up:
        # so near that the display covers the view; the tablet lies on its side
        body = (
            replace(body_of(device), width=0.53, height=0.40) if device != "tablet" else replace(body_of(device), width=0.30, height=0.23)
        )
        distance = 0.8 * min(body.width * lens.focal_px / lens.width, body.height * lens.focal_px / lens.height)
    else:
        distance = float(chance.uniform(low, high))
    px_per_m = lens.focal_px / distance * PX_PER_M_AT
    if close_up:
        prop = frameless((round(body.width * px_per_m), round(body.height * px_per_m)), 1 / px_per_m)
    else:
        prop = held(body, BEZEL, px_per_m, chance, hand=device != "monitor")
    _, _, width, height = prop.window
    picture, _ = next(frames_of(clip, 0))
    share = 0.42 if close_up else 0.62
    crop = head_crop(list(clip.faces), (picture.shape[1], picture.shape[0]), (width, height), share)
    return Playback(prop, ScreenLook.drawn(chance), clip, crop, start_before_blink(clip, chance, order.seconds), distance)


def show(
    order: Order,
    set_: Playback,
    lens: Lens,
    fps: int,
    *,
    steadiness: float = 1.0,
    spoil: Spoil | None = None,
    after: AfterScreen | None = None,
    sensor: Sensor | None = None,
) -> Iterator[Image]:
    """Frames of the camera. The clip runs at its own rate: where it changes while a frame is read out, the rows below show the next one.

    spoil: what was done to the video before it is played; after: what comes between screen and camera, given the light, where the screen
    is in the frame, float32 (H, W) 0..1, the homography from the frame's pixels to metres on the screen, and the time.
    """
    chance = order.chance
    size = (lens.width, lens.height)
    backdrop = room(chance, size)
    camera = Camera(sensor or Sensor.drawn(chance), size, fps, chance)
    path = placed(chance, set_.distance, hand(chance, steadiness, 1.5 * steadiness))
    film = _film(set_, spoil, order.seconds)
    rate = set_.clip.fps
    head_start = float(chance.uniform(0, 1 / rate))
    upper = next(film)
    lower: Light | None = next(film, None)
    shown = 0  # number of the film's frame in `upper`
    for index in range(round(order.seconds * fps)):
        t = index / fps
        now = t + head_start
        while lower is not None and (shown + 1) / rate <= now:
            upper, lower, shown = lower, next(film, None), shown + 1
        if lower is None:
            return
        # share of the readout after which the display has switched to the next picture
        switch = ((shown + 1) / rate - now) * fps / READOUT_SHARE
        content = upper if switch >= 1 else _torn(upper, lower, switch)
        pose = path(t)
        canvas = backdrop.copy()
        matrix = homography(lens, pose, set_.prop.size, set_.prop.metres_per_px)
        lay(canvas, set_.prop.showing(content), matrix)
        if after is not None:
            to_screen = texture_to_medium(set_.prop.size, set_.prop.metres_per_px) @ np.linalg.inv(matrix)
            after(canvas, _screen_mask(set_.prop, matrix, lens), to_screen, t)
        yield camera.shoot(canvas, t)


def replay_screen(order: Order) -> Footage:
    """A plain replay on phone, tablet or monitor, with the bezel in view or so close that none is seen."""
    device, close_up = order.kind(SCREENS)
    lens, fps = lens_of(order.chance), order.fps()
    set_ = set_up(order, device, close_up, lens)
    frames = show(order, set_, lens, fps, steadiness=0.0 if device == "monitor" else 1.0)
    return footage(frames, fps, f"{device}_{'close_up' if close_up else 'bezel'}", set_)


def footage(frames: Iterator[Image], fps: int, kind: str, set_: Playback, **details: str | float) -> Footage:
    """What is told of a replay."""
    known = {"distance_m": round(set_.distance, 2), "clip_fps": round(set_.clip.fps, 2), "luminance": round(set_.look.luminance, 2)}
    return Footage(frames, fps, kind, (set_.clip.path,), {**known, **details})


SCREENS: tuple[tuple[Device, bool], ...] = (
    ("phone", False),
    ("monitor", True),
    ("tablet", False),
    ("tablet", True),
    ("monitor", False),
)


def _film(set_: Playback, spoil: Spoil | None, seconds: float) -> Iterator[Light]:
    count = int(seconds * set_.clip.fps) + 3
    for shot in play(set_.clip, set_.start, count, set_.crop):
        yield set_.look.of(shot.image if spoil is None else spoil(shot.image))


def _screen_mask(prop: Prop, matrix: Matrix, lens: Lens) -> Plane:
    left, top, width, height = prop.window
    corners = project(matrix, [(left, top), (left + width - 1, top), (left + width - 1, top + height - 1), (left, top + height - 1)])
    mask = np.zeros((lens.height, lens.width), np.uint8)
    # in sixteenths of a pixel
    cv2.fillConvexPoly(mask, np.round(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return np.asarray(mask, np.float32) / np.float32(255)


def _torn(upper: Light, lower: Light, switch: float) -> Light:
    """Two pictures of the clip in one frame, with a soft border, for a row is exposed for a while."""
    rows = np.arange(upper.shape[0], dtype=np.float32) / upper.shape[0]
    soft = 0.35  # exposure time as a share of the readout
    weight = np.clip((rows - switch) / soft + 0.5, 0, 1)[:, None, None].astype(np.float32)
    return np.asarray(cv2.add(upper, (lower - upper) * weight), np.float32)
