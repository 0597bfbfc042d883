"""Prints held before the camera: still, moved, tilted, zoomed and bent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import Camera, Light, Sensor
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.geometry import Bend, Lens, Pose, homography
from blinkd.measure.attacks.motion import Chance, Sway, glide, hand
from blinkd.measure.attacks.props import Body, PrintLook, Prop, frameless, held
from blinkd.measure.attacks.room import room
from blinkd.measure.attacks.sources import Portrait
from blinkd.measure.attacks.stage import brightness, lay, lay_bent
from blinkd.vision.face import Face, Points

FACE_HEIGHT_M = (0.13, 0.19)  # of the mesh on a print, forehead to chin; life-size is about 0.17
SMALL_FACE_M = 0.07  # on a postcard
FULL_MARGIN = 1.5  # a print that fills the frame is so much larger than it, for it moves
PX_PER_M_AT = 1.15  # texture pixels for one pixel of the frame at the nearest distance

Content = Callable[[float], Light | None]
"""What is seen on the medium at a time in seconds; None ends the clip."""
Path3 = Callable[[float], Pose]
Bending = Callable[[float], Bend]


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """A portrait as it will be printed: picture uint8 (H, W, 3) at the texture's resolution, the face's landmarks in its pixels, its
    size in pixels a metre, and whether it fills the frame.
    """

    picture: Image
    landmarks: Points
    px_per_m: float
    fills: bool


def printed(portrait: Portrait, lens: Lens, distance: float, face_m: float, fills: bool) -> Print:
    """Scale a portrait so that its face has face_m metres on paper seen from `distance`, and cut it to paper or frame size."""
    px_per_m = lens.focal_px / distance * PX_PER_M_AT
    picture, face = portrait.picture(), portrait.face
    scale = face_m * px_per_m / face.bbox[3]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    points = face.landmarks * np.float32(scale)
    if fills:
        width, height = (round(side * PX_PER_M_AT * FULL_MARGIN) for side in (lens.width, lens.height))
        picture, points = _centred(picture, points, face, scale, width, height)
    else:
        picture, points = _trimmed(picture, points, face.bbox[3] * scale)
    return Print(picture, points, px_per_m, fills)


def paper(print_: Print, look: PrintLook, chance: Chance, hand_seen: bool = True) -> tuple[Prop, Light]:
    """The paper with its border and the hand, and what is printed on it."""
    light = look.of(print_.picture, chance)
    h, w = light.shape[:2]
    if print_.fills:
        return frameless((w, h), 1 / print_.px_per_m), light
    border = float(chance.choice([0.0, 0.004, 0.009]))
    pad = round(border * print_.px_per_m)
    body = Body((w + 2 * pad) / print_.px_per_m, (h + 2 * pad) / print_.px_per_m, border, border, 0.0)
    prop = held(body, look.white, print_.px_per_m, chance, hand_seen)
    _, _, width, height = prop.window
    if (width, height) != (w, h):  # by rounding
        light = np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return prop, light


def show_flat(order: Order, prop: Prop, content: Content, path: Path3, fps: int, lens: Lens) -> Iterator[Image]:
    """Frames of a flat print whose content and pose follow the time."""
    chance = order.chance
    size = (lens.width, lens.height)
    backdrop, camera = room(chance, size), Camera(Sensor.drawn(chance), size, fps, chance)
    for index in range(round(order.seconds * fps)):
        t = index / fps
        shown, pose = content(t), path(t)
        if shown is None:
            return
        canvas = backdrop.copy()
        lay(canvas, prop.showing(shown), homography(lens, pose, prop.size, prop.metres_per_px), brightness(pose))
        yield camera.shoot(canvas, t)


def show_bent(
    order: Order, prop: Prop, content: Content, path: Path3, bending: Bending, fps: int, lens: Lens, gloss: float
) -> Iterator[Image]:
    """Frames of a print that is bent; content, pose and bending follow the time."""
    chance = order.chance
    size = (lens.width, lens.height)
    backdrop, camera = room(chance, size), Camera(Sensor.drawn(chance), size, fps, chance)
    for index in range(round(order.seconds * fps)):
        t = index / fps
        shown = content(t)
        if shown is None:
            return
        canvas = backdrop.copy()
        lay_bent(canvas, prop.showing(shown), lens, path(t), bending(t), prop.metres_per_px, gloss)
        yield camera.shoot(canvas, t)


def lens_of(chance: Chance) -> Lens:
    """A terminal's lens: 53 to 65 degrees across."""
    return Lens(focal_px=float(chance.uniform(500, 640)))


def placed(chance: Chance, z: float, sway: Sway) -> Path3:
    """Held near the middle of the view at z metres, with a hand's movement."""
    base = Pose(
        float(chance.uniform(-0.03, 0.03)),
        float(chance.uniform(-0.02, 0.02)),
        z,
        float(chance.uniform(-4, 4)),
        float(chance.uniform(-4, 4)),
        float(chance.uniform(-3, 3)),
    )
    return lambda t: base.moved(sway.at(t))


def _face_m(order: Order, small: bool) -> float:
    return SMALL_FACE_M if small else float(order.chance.uniform(*FACE_HEIGHT_M))


def photo_still(order: Order) -> Footage:
    """A print fixed before the camera, or one that fills the frame."""
    return _flat(order, ("paper", "fills_frame", "postcard"), 0.0, 0.0, lambda path, _chance: path)


def photo_moved(order: Order) -> Footage:
    """A print in a hand: tremor and drift."""
    strength = float(order.chance.uniform(0.7, 2.5))
    drift = float(order.chance.uniform(1.0, 3.5))
    return _flat(order, ("paper", "fills_frame", "postcard"), strength, drift, lambda path, _chance: path)


def photo_tilted(order: Order) -> Footage:
    """A print turned slowly about its vertical, its horizontal or both axes."""
    axis = order.kind(("yaw", "pitch", "both"))
    reach, turns = float(order.chance.uniform(15, 38)), float(order.chance.uniform(1.0, 2.5))

    def tilt(path: Path3, chance: Chance) -> Path3:
        phase = float(chance.uniform(0, 6.28))

        def pose(t: float) -> Pose:
            angle = glide(t, order.seconds, -reach, reach, turns, phase)
            other = glide(t, order.seconds, -reach * 0.6, reach * 0.6, turns * 0.7, phase + 1.5)
            return path(t).moved(
                [0, 0, 0, angle if axis != "pitch" else 0, (angle if axis == "pitch" else other if axis == "both" else 0), 0]
            )

        return pose

    made = _flat(order, ("paper", "paper", "fills_frame"), 0.8, 1.0, tilt)
    return Footage(made.frames, made.fps, f"{made.kind}_{axis}", made.sources, {**made.details, "reach_deg": round(reach, 1)})


def photo_zoomed(order: Order) -> Footage:
    """A print moved towards the camera and away."""
    depth, turns = float(order.chance.uniform(0.25, 0.45)), float(order.chance.uniform(0.7, 2.0))

    def zoom(path: Path3, chance: Chance) -> Path3:
        phase = float(chance.uniform(0, 6.28))

        def pose(t: float) -> Pose:
            here = path(t)
            return here.moved([0, 0, here.z * glide(t, order.seconds, -0.1, depth, turns, phase), 0, 0, 0])

        return pose

    made = _flat(order, ("paper", "postcard", "paper"), 0.8, 1.0, zoom)
    return Footage(made.frames, made.fps, made.kind, made.sources, {**made.details, "depth_share": round(depth, 2)})


def photo_bent(order: Order) -> Footage:
    """A print bent about an axis, more and less, while it is held or turned."""
    chance = order.chance
    kind = order.kind(("vertical", "horizontal", "oblique", "vertical_turned"))
    lens, fps = lens_of(chance), order.fps()
    distance = float(chance.uniform(0.35, 0.6))
    portrait = order.portrait()
    print_ = printed(portrait, lens, distance, _face_m(order, False), False)
    prop, light = paper(print_, PrintLook.drawn(chance), chance)
    axis = {"vertical": 0.0, "horizontal": 90.0, "oblique": float(chance.uniform(25, 65)), "vertical_turned": 0.0}[kind]
    strongest, turns = float(chance.uniform(4.0, 7.5)), float(chance.uniform(0.7, 2.0))
    path = placed(chance, distance * 1.1, hand(chance, 1.0, 1.5))
    swing = float(chance.uniform(12, 25)) if kind == "vertical_turned" else 0.0

    def pose(t: float) -> Pose:
        return path(t).moved([0, 0, 0, glide(t, order.seconds, -swing, swing, 1.3, 0.5), 0, 0])

    def bending(t: float) -> Bend:
        return Bend(glide(t, order.seconds, 0.4, strongest, turns, -1.5), axis)

    gloss = float(chance.choice([0.0, 0.1, 0.3]))
    frames = show_bent(order, prop, lambda _t: light, pose, bending, fps, lens, gloss)
    return Footage(frames, fps, kind, (portrait.path,), {"distance_m": round(distance, 2), "curvature_per_m": round(strongest, 1)})


def _flat(order: Order, kinds: tuple[str, ...], strength: float, drift: float, movement: Callable[[Path3, Chance], Path3]) -> Footage:
    chance, kind = order.chance, order.kind(kinds)
    lens, fps = lens_of(chance), order.fps()
    distance = float(chance.uniform(0.3, 0.42) if kind == "postcard" else chance.uniform(0.4, 0.75))
    portrait = order.portrait()
    face_m = _face_m(order, kind == "postcard")
    print_ = printed(portrait, lens, distance, face_m, kind == "fills_frame")
    prop, light = paper(print_, PrintLook.drawn(chance), chance, hand_seen=strength > 0)
    path = movement(placed(chance, distance, hand(chance, strength, drift)), chance)
    frames = show_flat(order, prop, lambda _t: light, path, fps, lens)
    return Footage(frames, fps, kind, (portrait.path,), {"distance_m": round(distance, 2), "face_m": round(face_m, 3)})


def _trimmed(picture: Image, points: Points, face_px: float) -> tuple[Image, Points]:
    """Cut to a paper with the head and shoulders on it: at most 1.1 face heights of margin above and below and 0.9 at the sides."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    left, top = np.maximum(np.floor(low - np.array([0.75, 0.55]) * face_px), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + np.array([0.75, 0.6]) * face_px), picture.shape[1::-1]).astype(int)
    return np.ascontiguousarray(picture[top:bottom, left:right]), _shifted(points, -left, -top)


def _centred(picture: Image, points: Points, face: Face, scale: float, width: int, height: int) -> tuple[Image, Points]:
    """Cut or pad to width x height with the face in the middle; what is beyond the picture continues its edge, out of focus."""
    x, y, w, h = (value * scale for value in face.bbox)
    left, top = round(x + w / 2 - width / 2), round(y + h / 2 - height / 2)
    pads = (max(0, -top), max(0, top + height - picture.shape[0]), max(0, -left), max(0, left + width - picture.shape[1]))
    wide = cv2.copyMakeBorder(picture, *pads, cv2.BORDER_REPLICATE)
    if any(pads):
        soft = cv2.GaussianBlur(wide, (0, 0), 0.12 * h)
        inner = np.zeros(wide.shape[:2], np.float32)
        inner[pads[0] : pads[0] + picture.shape[0], pads[2] : pads[2] + picture.shape[1]] = 1
        mix = cv2.GaussianBlur(inner, (0, 0), max(1.0, 0.05 * h))[:, :, None]
        mix = np.clip(2 * mix - 1, 0, 1)
        wide = (wide * mix + soft * (1 - mix)).astype(np.uint8)
    dx, dy = left + pads[2], top + pads[0]
    return np.ascontiguousarray(wide[dy : dy + height, dx : dx + width]), _shifted(points, -left, -top)


def _shifted(points: Points, dx: float, dy: float) -> Points:
    return np.asarray(points + np.array([dx, dy, 0], np.float32), np.float32)
