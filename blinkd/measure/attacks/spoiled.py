"""Replays that give themselves away: moiré, glare, flicker, and a poor video."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import READOUT_SHARE, Light
from blinkd.measure.attacks.footage import Footage, Order
from blinkd.measure.attacks.geometry import Lens, Matrix, Plane
from blinkd.measure.attacks.motion import Chance
from blinkd.measure.attacks.photos import lens_of
from blinkd.measure.attacks.props import Device
from blinkd.measure.attacks.screens import AfterScreen, footage, set_up, show
from blinkd.measure.attacks.subpixels import Sampling, SubPixels

MONITOR_PITCH_M = (0.000277, 0.000311, 0.000252, 0.000233)  # 24" and 27" full HD, 15.6" 1366 x 768, 27" 1440 lines
TABLET_PITCH_M = (0.000192, 0.000158)  # 132 and 160 dots an inch
SAMPLINGS = (Sampling(0.25, 0.12), Sampling(0.5, 0.14), Sampling(0.5, 0.18))
SMALL_QUALITY = 45  # JPEG quality of a small video
CLOSE_CYCLES, FAR_CYCLES = 2, 3  # display pixels on one of the frame; beyond 3 no lens leaves any contrast
OFF_BEAT = (0.008, 0.05)  # by how much the grid's frequency misses a whole number: fringes 20 to 125 pixels wide and more
PULSE_DEPTH = (0.1, 0.6)  # of a backlight dimmed by switching it on and off, after the panel's own afterglow
BEATING: tuple[tuple[Device, bool, int], ...] = (
    ("monitor", True, 1),
    ("tablet", True, 0),
    ("monitor", True, 0),
    ("tablet", False, 0),
    ("monitor", True, 2),
)
"""Screen, whether its edges are out of view, and which of the samplings."""
PLAIN: tuple[tuple[Device, bool], ...] = (("monitor", True), ("tablet", False), ("tablet", True), ("phone", False))


def replay_moire(order: Order) -> Footage:
    """A replay so near that the display's grid and the camera's beat against each other."""
    device, close_up, skipping = order.kind(BEATING)
    chance, lens, fps = order.chance, lens_of(order.chance), order.fps()
    set_ = set_up(order, device, close_up, lens)
    # the attacker's distance is any; display and distance are chosen so that fringes show, a few centimetres from the plain replay
    whole = CLOSE_CYCLES if close_up else FAR_CYCLES
    pitches = MONITOR_PITCH_M if device == "monitor" else TABLET_PITCH_M
    pitch = min(pitches, key=lambda one: abs(whole * lens.focal_px * one - set_.distance))
    missed = float(chance.uniform(*OFF_BEAT)) * float(chance.choice([-1, 1]))
    set_ = replace(set_, distance=whole * lens.focal_px * pitch * (1 + missed / whole))
    grid, sampling = SubPixels(pitch), SAMPLINGS[skipping]

    def after(canvas: Light, mask: Plane, to_screen: Matrix, _t: float) -> None:
        canvas *= 1 + (grid.seen(to_screen, lens, sampling) - 1) * mask[:, :, None]

    frames = show(order, set_, lens, fps, steadiness=0.6, after=after)
    kind = f"{device}_{'close_up' if close_up else 'bezel'}_aperture_{sampling.aperture}"
    return footage(frames, fps, kind, set_, pitch_mm=round(pitch * 1000, 3), cycles_per_px=round(whole / (1 + missed / whole), 3))


def replay_glare(order: Order) -> Footage:
    """A replay on a shiny screen that mirrors a window, a lamp or a bright room."""
    what = order.kind(("window", "lamp", "veil"))
    device, close_up = PLAIN[order.variant % len(PLAIN)]
    chance, lens, fps = order.chance, lens_of(order.chance), order.fps()
    set_ = set_up(order, device, close_up, lens)
    strength = float(chance.uniform(0.15, 0.8)) if what != "veil" else float(chance.uniform(0.08, 0.25))
    frames = show(order, set_, lens, fps, after=_mirrored(what, strength, lens, chance))
    return footage(frames, fps, f"{device}_{what}", set_, glare=round(strength, 2))


def replay_flicker(order: Order) -> Footage:
    """A replay whose backlight pulses: bands by the rolling shutter that wander by the beat of the two rates."""
    device, close_up = PLAIN[order.variant % len(PLAIN)]
    chance, lens, fps = order.chance, lens_of(order.chance), order.fps()
    set_ = set_up(order, device, close_up, lens)
    pulse_hz = float(chance.choice([60.0, 120.0, 240.0])) + float(chance.uniform(-0.8, 0.8))
    depth = float(chance.uniform(*PULSE_DEPTH))
    exposure_s = float(chance.uniform(0.15, 0.6)) / pulse_hz  # short, or the pulses would average out
    left = depth * float(np.sinc(pulse_hz * exposure_s))
    rows = np.arange(lens.height) / lens.height * READOUT_SHARE / fps
    phase = float(chance.uniform(0, 2 * np.pi))

    def after(canvas: Light, mask: Plane, _to_screen: Matrix, t: float) -> None:
        wave = left * np.cos(2 * np.pi * pulse_hz * (t + rows) + phase)
        canvas *= 1 + (mask * wave.astype(np.float32)[:, None])[:, :, None]

    frames = show(order, set_, lens, fps, after=after)
    return footage(frames, fps, f"{device}_{round(pulse_hz)}hz", set_, band_depth=round(left, 2), pulse_hz=round(pulse_hz, 2))


def replay_lowres(order: Order) -> Footage:
    """A poor video: small, blurred, or compressed too hard."""
    what = order.kind(("small", "compressed", "blurred"))
    device, close_up = PLAIN[(order.variant + 1) % len(PLAIN)]
    chance, lens, fps = order.chance, lens_of(order.chance), order.fps()
    set_ = set_up(order, device, close_up, lens)
    amount = {
        "small": float(chance.integers(90, 160)),
        "compressed": float(chance.integers(8, 22)),
        "blurred": float(chance.uniform(1.8, 3.5)),
    }[what]
    frames = show(order, set_, lens, fps, spoil=_spoiler(what, amount))
    return footage(frames, fps, f"{device}_{what}", set_, amount=round(amount, 1))


def _spoiler(what: str, amount: float) -> Callable[[Image], Image]:
    """small: lines of the video; compressed: JPEG quality of its frames; blurred: standard deviation in pixels of the screen's picture."""

    def spoil(picture: Image) -> Image:
        if what == "blurred":
            return np.asarray(cv2.GaussianBlur(picture, (0, 0), amount), np.uint8)
        if what == "compressed":
            return _coded(picture, int(amount))
        scale = amount / picture.shape[0]
        small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        return np.asarray(cv2.resize(_coded(small, SMALL_QUALITY), picture.shape[1::-1]), np.uint8)

    return spoil


def _coded(picture: Image, quality: int) -> Image:
    """What is left of a picture after JPEG of that quality."""
    _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def _mirrored(what: str, strength: float, lens: Lens, chance: Chance) -> AfterScreen:
    """Light that the glass mirrors. A far source's mirror image moves by twice the angle by which the glass turns."""
    height, width = lens.height, lens.width
    source = np.zeros((2 * height, 2 * width), np.float32)
    if what == "window":
        half_w, half_h = int(chance.integers(35, 80)), int(chance.integers(45, 95))
        cv2.rectangle(source, (width - half_w, height - half_h), (width + half_w, height + half_h), 1.0, -1)
        cv2.line(source, (width, height - half_h), (width, height + half_h), 0.1, 8)
        cv2.line(source, (width - half_w, height), (width + half_w, height), 0.1, 8)
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 3.0), np.float32)
    elif what == "lamp":
        cv2.circle(source, (width, height), int(chance.integers(14, 30)), 3.0, -1)
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 2.5) + 0.25 * cv2.GaussianBlur(source, (0, 0), 40.0), np.float32)
    else:
        source += cv2.resize(chance.uniform(0.4, 1.0, (3, 4)).astype(np.float32), (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    tint = np.array([1.0, 0.97, 0.9], np.float32) * np.float32(strength)
    off = chance.uniform(-0.35, 0.35, 2)  # from the screen's middle, as a share of its size in the frame
    origin: list[tuple[float, float]] = []  # where the mirror image would be with the screen facing the camera; known from the first frame

    def after(canvas: Light, mask: Plane, to_screen: Matrix, _t: float) -> None:
        moved_x, moved_y = (-2 * lens.focal_px * float(np.tan(np.radians(angle))) for angle in tilt_of(to_screen, lens))
        if not origin:
            x, y, w, h = cv2.boundingRect((mask > 0).astype(np.uint8))
            origin.append((x + w * (0.5 + off[0]) - moved_x, y + h * (0.5 + off[1]) - moved_y))
        shift = np.array([[1, 0, origin[0][0] + moved_x - width], [0, 1, origin[0][1] + moved_y - height]])
        seen = cv2.warpAffine(source, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        canvas += (seen * mask)[:, :, None] * tint

    return after


def tilt_of(to_screen: Matrix, lens: Lens) -> tuple[float, float]:
    """Degrees by which a screen is turned about the vertical and the horizontal axis, from its homography (frame to metres)."""
    columns = np.linalg.inv(lens.matrix) @ np.linalg.inv(to_screen)
    across, down = columns[:, 0], columns[:, 1]
    normal = np.cross(across, down)
    normal = normal * np.sign(normal[2])
    return float(np.degrees(np.arctan2(normal[0], normal[2]))), float(np.degrees(np.arctan2(normal[1], normal[2])))
