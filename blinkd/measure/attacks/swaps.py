"""A live person does the blinking, another one is shown: by a cut, or by a print pushed before the face."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.errors import MediaError
from blinkd.measure.attacks.camera import Camera, Light, Sensor, to_light
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.geometry import Matrix
from blinkd.measure.attacks.motion import hand
from blinkd.measure.attacks.playback import Crop, Shot, head_crop, play, start_before_blink
from blinkd.measure.attacks.props import PrintLook
from blinkd.measure.attacks.sources import BlinkSpan, LiveClip, Portrait, frames_of, same_person
from blinkd.measure.attacks.stage import lay
from blinkd.vision.align import similarity
from blinkd.vision.face import LEFT_EYE_CONTOUR, MOUTH_LEFT, MOUTH_RIGHT, NOSE_ALIGN, RIGHT_EYE_CONTOUR

FRAME = (640, 480)  # width and height in pixels of injected and swapped clips
FACE_SHARE = 0.45  # of the frame's height that a live face has
PUSHED_IN_S = 0.25  # a print that is pushed before the face takes so long
NATIVE_NOISE = Sensor(0.3, 1.2, 0.0, 0.0, fixed=True)  # what our camera adds to a clip that a camera has already taken


def live_crop(clip: LiveClip) -> Crop:
    """The part of a live clip that fills the terminal's frame."""
    picture, _ = next(frames_of(clip, 0))
    return head_crop(list(clip.faces), (picture.shape[1], picture.shape[0]), FRAME, FACE_SHARE)


def five_points(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Eyes, nose and mouth corners (5, 2) of landmarks (478, 2), by which faces are laid over each other."""
    eyes = [landmarks[list(contour), :2].mean(axis=0) for contour in (RIGHT_EYE_CONTOUR, LEFT_EYE_CONTOUR)]
    return np.stack([*eyes, *(landmarks[point, :2] for point in (NOSE_ALIGN, MOUTH_RIGHT, MOUTH_LEFT))]).astype(np.float32)


def cut_and_swap(order: Order) -> Footage:
    """Who blinks is not who is shown."""
    kind = order.kind(("blink_then_photo", "photo_then_blink", "photo_but_for_blink", "blink_then_pushed_photo", "blink_then_clip"))
    clip = order.clip()
    fps = round(clip.fps)
    start = start_before_blink(clip, order.chance, order.seconds)
    span = next((one for one in clip.blinks if one.before >= start), clip.blinks[0])
    if kind == "blink_then_clip":
        others = [one for one in order.stock.clips if not same_person(one.embedding, clip.embedding)]
        if others:
            other = others[int(order.chance.integers(len(others)))]
            return Footage(_clip_after(order, clip, start, span, other, fps), fps, kind, (clip.path, other.path), {})
        kind = "blink_then_photo"
    portrait = order.portrait(unlike=clip)
    return Footage(_with_photo(order, kind, clip, start, span, portrait, fps), fps, kind, (clip.path, portrait.path), {})


def _with_photo(order: Order, kind: str, clip: LiveClip, start: int, span: BlinkSpan, portrait: Portrait, fps: int) -> Iterator[Image]:
    chance = order.chance
    crop = live_crop(clip)
    count = round(order.seconds * fps)
    camera = Camera(NATIVE_NOISE, FRAME, fps, chance)
    print_ = _print_of(portrait, clip, crop, order)
    first = np.asarray(crop.place(clip.faces[span.after if kind != "photo_then_blink" else max(start, span.before - fps)].landmarks))
    onto = _onto(portrait, first, print_)
    sway = hand(chance, 1.0, 0.6)
    pixels_per_m = float(chance.uniform(900, 1300))  # of a hand's movement at that distance
    margin = round(0.12 * fps)
    for number, shot in enumerate(play(clip, start, count, crop)):
        photo = {
            "blink_then_photo": shot.index > span.after + margin or number > span.after - start + margin,
            "blink_then_pushed_photo": number > span.after - start + margin,
            "photo_then_blink": shot.index < span.before - margin and number < span.before - start - margin,
            "photo_but_for_blink": not span.before - 1 <= start + number <= span.after + 1,
        }[kind]
        canvas = to_light(shot.image)
        if photo:
            move = sway.at(number / fps) * pixels_per_m
            down = 0.0
            if kind == "blink_then_pushed_photo":
                since = (number - (span.after - start + margin)) / fps
                down = FRAME[1] * 1.2 * max(0.0, 1 - since / PUSHED_IN_S)
            lay(canvas, print_, np.array([[1, 0, move[0]], [0, 1, move[1] + down], [0, 0, 1.0]]) @ onto)
        yield camera.shoot(canvas, number / fps)


def _clip_after(order: Order, clip: LiveClip, start: int, span: BlinkSpan, other: LiveClip, fps: int) -> Iterator[Image]:
    """One clip until its blink is over, then another person's, its face laid where the first one's was."""
    camera = Camera(NATIVE_NOISE, FRAME, fps, order.chance)
    crop = live_crop(clip)
    before = span.after - start + round(0.12 * fps)
    last: Shot | None = None
    number = 0
    for shot in play(clip, start, before, crop):
        yield camera.shoot(to_light(shot.image), number / fps)
        last, number = shot, number + 1
    if last is None:
        raise MediaError(f"{clip.path}: no frames before its blink; use a longer clip")
    second = live_crop(other)
    matrix: Matrix | None = None
    for shot in play(other, 0, round(order.seconds * fps) - number, second):
        if matrix is None:
            matrix = similarity(five_points(shot.landmarks), five_points(last.landmarks))
        moved = cv2.warpAffine(shot.image, matrix, FRAME, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        yield camera.shoot(to_light(np.asarray(moved, np.uint8)), number / fps)
        number += 1


def _print_of(portrait: Portrait, clip: LiveClip, crop: Crop, order: Order) -> npt.NDArray[np.float32]:
    """The portrait printed so large that its face has the live face's size, as a texture float32 (H, W, 4)."""
    live_px = float(np.median([face.bbox[3] for face in clip.faces])) * crop.scale
    picture = portrait.picture()
    scale = live_px / portrait.face.bbox[3]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    light: Light = PrintLook.drawn(order.chance).of(picture, order.chance)
    return np.asarray(np.dstack([light, np.ones(light.shape[:2], np.float32)]), np.float32)


def _onto(portrait: Portrait, live: npt.NDArray[np.float32], texture: npt.NDArray[np.float32]) -> Matrix:
    """3 x 3 that lays the print over the live face, eyes on eyes and mouth on mouth."""
    scale = texture.shape[1] / portrait.picture().shape[1]
    matrix = similarity(five_points(portrait.face.landmarks) * np.float32(scale), five_points(live))
    return np.vstack([matrix, [0, 0, 1]])
