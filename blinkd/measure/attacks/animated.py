"""Still photos made to move: lids closed by a warp, a head turned by a warp. The picture may be printed frame by frame or shown injected."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import Light
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.motion import Chance, glide, hand
from blinkd.measure.attacks.photos import FACE_HEIGHT_M, lens_of, paper, placed, printed, show_flat
from blinkd.measure.attacks.props import PrintLook, Prop, ScreenLook
from blinkd.measure.attacks.warp import LidWarp, MeshWarp, blink_curve, lids_lowered, turned

LEVELS = 14  # steps of closing that are made in advance; between two of them a lid moves less than a pixel
CLOSED_S = (0.14, 0.3)  # how long an animated blink takes
FIRST_BLINK_S = 1.2  # a terminal needs some open eyes first
BETWEEN_BLINKS_S = (1.1, 2.2)


def blink_times(chance: Chance, seconds: float) -> npt.NDArray[np.float64]:
    """When the animated blinks begin, in seconds; at least one."""
    times = [FIRST_BLINK_S + float(chance.uniform(0, 0.4))]
    while (following := times[-1] + float(chance.uniform(*BETWEEN_BLINKS_S))) < seconds - 0.5:
        times.append(following)
    return np.array(times)


def photo_warped_blink(order: Order) -> Footage:
    """An animated blink on a still photo: skin slid over the eyes, alone or with the skin around pulled along by the landmarks' net; on paper-like and screen-like
    media, held by hand or filling the frame.
    """
    kind = order.kind(("lids_screen", "mesh_screen", "lids_fills_frame", "mesh_still"))
    chance = order.chance
    fills, still = kind.endswith("fills_frame"), kind.endswith("still")
    times, closed_s = blink_times(chance, order.seconds), float(chance.uniform(*CLOSED_S))

    def animate(picture: Image, landmarks: npt.NDArray[np.float32], look: Callable[[Image], Light]) -> Callable[[float], Light]:
        if kind.startswith("lids"):
            lids = LidWarp(picture, landmarks)
            levels = [look(lids.closed_by(step / (LEVELS - 1))) for step in range(LEVELS)]
        else:
            mesh = MeshWarp(picture, landmarks)
            shares = [step / (LEVELS - 1) for step in range(LEVELS)]
            # the net pulls the skin around along; the lid itself slides over the eye in either kind
            levels = [look(LidWarp(mesh.moved_to(lids_lowered(mesh.rest, share)), mesh.rest).closed_by(share)) for share in shares]
        return lambda t: levels[round(blink_curve(t, times, closed_s) * (LEVELS - 1))]

    return _shown(order, kind, fills, still, animate, {"blinks": len(times), "closed_s": round(closed_s, 2)})


def photo_animated_turn(order: Order) -> Footage:
    """A still photo warped by the depth of its mesh as if the head turned, with and without an animated blink."""
    kind = order.kind(("yaw", "yaw_blink", "yaw_pitch_blink_fills_frame"))
    chance = order.chance
    reach, turns = float(chance.uniform(12, 20)), float(chance.uniform(1.0, 2.5))
    times, closed_s = blink_times(chance, order.seconds), float(chance.uniform(*CLOSED_S))

    def animate(picture: Image, landmarks: npt.NDArray[np.float32], look: Callable[[Image], Light]) -> Callable[[float], Light]:
        mesh = MeshWarp(picture, landmarks)

        def content(t: float) -> Light:
            yaw = glide(t, order.seconds, -reach, reach, turns, 0.0)
            pitch = glide(t, order.seconds, -7, 7, turns * 0.7, 0.0) if "pitch" in kind else 0.0
            points, depth = turned(landmarks, yaw, pitch)
            closing = blink_curve(t, times, closed_s) if "blink" in kind else 0.0
            return look(LidWarp(mesh.moved_to(points, depth), points).closed_by(closing))

        return content

    return _shown(order, kind, kind.endswith("fills_frame"), False, animate, {"reach_deg": round(reach, 1)})


def _shown(
    order: Order,
    kind: str,
    fills: bool,
    still: bool,
    animate: Callable[[Image, npt.NDArray[np.float32], Callable[[Image], Light]], Callable[[float], Light]],
    details: dict[str, str | int | float | bool],
) -> Footage:
    """An animated picture before the camera: on a screen without visible edge artefacts, held by hand or standing still."""
    chance = order.chance
    lens, fps = lens_of(chance), order.fps()
    distance = float(chance.uniform(0.4, 0.65))
    portrait = order.portrait()
    print_ = printed(portrait, lens, distance, float(chance.uniform(*FACE_HEIGHT_M)), fills)
    prop, _ = paper(print_, PrintLook(0.01, 0.02, 1, (1, 1, 1), 0.5, 0), chance, hand_seen=not still)
    screen = ScreenLook.drawn(chance)
    look = _sized(screen, prop)
    content = animate(print_.picture, print_.landmarks, look)
    sway = hand(chance, 0.0 if still else 1.0, 0.0 if still else 1.2)
    frames = show_flat(order, prop, content, placed(chance, distance, sway), fps, lens)
    return Footage(frames, fps, kind, (portrait.path,), {"distance_m": round(distance, 2), **details})


def _sized(screen: ScreenLook, prop: Prop) -> Callable[[Image], Light]:
    _, _, width, height = prop.window

    def look(picture: Image) -> Light:
        if picture.shape[1::-1] != (width, height):
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        return screen.of(picture)

    return look
