"""A print with eye holes before a live person's face: the person's own eyes blink in another one's picture."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import Light, to_light
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.geometry import Bend
from blinkd.measure.attacks.motion import glide, hand
from blinkd.measure.attacks.photos import FACE_HEIGHT_M, Print, lens_of, paper, placed, printed, show_bent, show_flat
from blinkd.measure.attacks.playback import head_crop, play, start_before_blink
from blinkd.measure.attacks.props import PrintLook
from blinkd.measure.attacks.sources import LiveClip, frames_of
from blinkd.measure.attacks.warp import eye_masks
from blinkd.vision.align import similarity

EYE_CORNERS = (33, 133, 362, 263)  # of both eyes in the 478-point mesh, from the picture's left to its right
HOLE = 1.3  # size of a hole against the printed eye
IN_SHADE = (0.55, 0.8)  # light on the eyes behind the paper against the paper's
FOLLOWS = 0.25  # how quickly the hand that holds the print makes up for the head's movement behind it, a frame
BEHIND_PX = (480, 480)  # the head behind the print, of which the eyes are used
MASK_CURVATURE = 3.5  # 1/m, of a print that is laid around a face


def photo_cutout_eyes(order: Order) -> Footage:
    """Eye holes in a print: held in the hand, or worn as a mask on a moving head, bent around it or flat."""
    kind = order.kind(("held", "mask_bent", "held_close", "mask_flat"))
    chance = order.chance
    clip = order.clip()
    portrait = order.portrait(unlike=clip)
    lens, fps = lens_of(chance), round(clip.fps)
    distance = float(chance.uniform(0.33, 0.42) if kind == "held_close" else chance.uniform(0.4, 0.6))
    # life-size, or the eyes behind would not fit the holes
    print_ = printed(portrait, lens, distance, float(chance.uniform(FACE_HEIGHT_M[0] + 0.02, FACE_HEIGHT_M[1])), False)
    prop, light = paper(print_, PrintLook.drawn(chance), chance, hand_seen=kind.startswith("held"))
    window = (prop.window[2], prop.window[3])
    start = start_before_blink(clip, chance, order.seconds)
    eyes = _behind(clip, start, round(order.seconds * fps), print_, window, light, float(chance.uniform(*IN_SHADE)))

    def content(_t: float) -> Light | None:
        return next(eyes, None)  # one picture a frame

    sway = hand(chance, 1.0, 1.0)
    base = placed(chance, distance, sway)
    details: dict[str, str | int | float | bool] = {"distance_m": round(distance, 2)}
    if kind.startswith("held"):
        return Footage(show_flat(order, prop, content, base, fps, lens), fps, kind, (portrait.path, clip.path), details)
    reach, turns = float(chance.uniform(8, 16)), float(chance.uniform(0.8, 1.6))

    def worn(t: float) -> npt.NDArray[np.float64]:
        yaw, pitch = glide(t, order.seconds, -reach, reach, turns, 0.0), glide(t, order.seconds, -5, 5, 1.3 * turns, 1.0)
        # a head turns about the neck, so the face moves sideways with it
        return np.array([0.08 * np.sin(np.radians(yaw)), 0.05 * np.sin(np.radians(pitch)), 0, yaw, pitch, 0])

    curvature = MASK_CURVATURE if kind == "mask_bent" else 0.05
    frames = show_bent(order, prop, content, lambda t: base(t).moved(worn(t)), lambda _t: Bend(curvature), fps, lens, 0.0)
    return Footage(frames, fps, kind, (portrait.path, clip.path), {**details, "reach_deg": round(reach, 1)})


def with_eyes(
    picture: Light, landmarks: npt.NDArray[np.float32], live: Image, live_corners: npt.NDArray[np.float32], light: float
) -> Light:
    """The print with holes, through which a live frame is seen; landmarks: (478, 3) of the print; live_corners: (4, 2) of the frame."""
    height, width = picture.shape[:2]
    matrix = similarity(live_corners, landmarks[list(EYE_CORNERS), :2])
    mask = eye_masks(landmarks, (width, height), HOLE)
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return picture.copy()
    top, bottom, left, right = int(ys.min()), int(ys.max()) + 1, int(xs.min()), int(xs.max()) + 1
    matrix[:, 2] -= [left, top]
    seen = to_light(
        np.asarray(
            cv2.warpAffine(live, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    )
    hole = mask[top:bottom, left:right]
    # the paper's edge throws a soft shadow into the hole
    deep = cv2.GaussianBlur(hole, (0, 0), max(1.0, 0.012 * width))
    seen *= (light * np.clip(0.35 + 0.8 * deep, 0, 1))[:, :, None]
    out = picture.copy()
    part = out[top:bottom, left:right]
    part += (seen - part) * hole[:, :, None]
    return out


def _behind(
    clip: LiveClip, start: int, count: int, print_: Print, window: tuple[int, int], picture: Light, light: float
) -> Iterator[Light]:
    first, _ = next(frames_of(clip, 0))
    crop = head_crop(list(clip.faces), (first.shape[1], first.shape[0]), BEHIND_PX, 0.6)
    landmarks = print_.landmarks * np.float32(window[0] / print_.picture.shape[1])
    held: npt.NDArray[np.float32] | None = None  # where the hand believes the eyes to be
    for shot in play(clip, start, count, crop):
        corners = shot.landmarks[list(EYE_CORNERS)]
        held = corners if held is None else np.asarray(held + FOLLOWS * (corners - held), np.float32)
        yield with_eyes(picture, landmarks, shot.image, held, light)
