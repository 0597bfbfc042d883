"""What is held before the camera: a print or a screen, with its own colours, edges, bezel and the hand that holds it."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Image
from blinkd.measure.attacks.camera import Light, to_light
from blinkd.measure.attacks.motion import Chance

HAND_MARGIN_M = 0.03  # of room for fingers around what is held
PALM_M = 0.1  # what is narrower lies in the palm, which is seen on both sides
ARM_M = 0.16  # of forearm below it
SKIN = np.array([0.22, 0.30, 0.50], np.float32)  # linear blue, green, red of a lit hand


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """A flat thing with what is around it. texture: float32 (H, W, 4), linear blue, green, red, already multiplied by the opacity in the
    fourth channel; window: left, top, width, height in its pixels of what is printed or displayed.
    """

    texture: npt.NDArray[np.float32]
    window: tuple[int, int, int, int]
    metres_per_px: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the texture in pixels."""
        return self.texture.shape[1], self.texture.shape[0]

    def showing(self, content: Light) -> npt.NDArray[np.float32]:
        """The texture with content of the window's size; the array is the prop's own and is overwritten by the next call."""
        left, top, width, height = self.window
        self.texture[top : top + height, left : left + width, :3] = content
        return self.texture


@dataclass(frozen=True, slots=True)
class PrintLook:
    """How a printer renders colours: black and white of the paper in linear light, saturation, blur in texture pixels, grain (relative)."""

    black: float
    white: float
    saturation: float
    tint: tuple[float, float, float]
    blur_px: float
    grain: float

    @staticmethod
    def drawn(chance: Chance) -> "PrintLook":
        """From a photo laboratory's print to plain office paper."""
        plain = float(chance.random())
        tint = chance.uniform(0.93, 1.0, 3)
        return PrintLook(
            0.008 + 0.05 * plain,
            float(chance.uniform(0.7, 0.95)),
            1.0 - 0.35 * plain,
            (float(tint[0]), float(tint[1]), float(tint[2])),
            0.3 + 0.9 * plain,
            0.01 + 0.03 * plain,
        )

    def of(self, picture: Image, chance: Chance) -> Light:
        """The print under white light, float32 (H, W, 3)."""
        light = to_light(picture)
        grey = light.mean(axis=2, keepdims=True)
        light = grey + (light - grey) * np.float32(self.saturation)
        light = self.black + (self.white - self.black) * np.clip(light, 0, 1)
        light = cv2.GaussianBlur(light * np.array(self.tint, np.float32), (0, 0), self.blur_px)
        grain = chance.standard_normal(light.shape[:2]).astype(np.float32)
        return np.asarray(np.maximum(light * (1 + self.grain * grain[:, :, None]), 0), np.float32)


@dataclass(frozen=True, slots=True)
class ScreenLook:
    """How a screen renders colours. luminance: its white against the room's; black: light of a black pixel, leakage and the room's
    reflection together; gamma: against the camera's square; saturation; tint: its white point, blue, green, red.
    """

    luminance: float
    black: float
    gamma: float
    saturation: float
    tint: tuple[float, float, float]

    @staticmethod
    def drawn(chance: Chance) -> "ScreenLook":
        """From a dimmed to a bright screen, from night to cold white."""
        cold = float(chance.uniform(-0.08, 0.12))
        return ScreenLook(
            float(chance.uniform(0.5, 1.8)),
            float(chance.uniform(0.004, 0.03)),
            float(chance.uniform(1.9, 2.3)),
            float(chance.uniform(0.85, 1.2)),
            (1 + cold, 1.0, 1 - cold),
        )

    def of(self, picture: Image) -> Light:
        """The light that the screen gives, float32 (H, W, 3)."""
        base = (np.arange(256, dtype=np.float32) / 255) ** np.float32(self.gamma)
        light = base[picture]
        if abs(self.saturation - 1) > 0.02:
            s = self.saturation
            mix = np.full((3, 3), (1 - s) / 3, np.float32) + s * np.eye(3, dtype=np.float32)
            light = np.maximum(cv2.transform(light, mix), 0)
        light *= np.array(self.tint, np.float32) * np.float32(self.luminance)
        light += np.float32(self.black)
        return np.asarray(light, np.float32)


Device = Literal["phone", "tablet", "monitor"]


@dataclass(frozen=True, slots=True)
class Body:
    """Outer size of a device or paper in metres, width of its border at the sides and at top and bottom, radius of its corners."""

    width: float
    height: float
    side: float
    end: float
    radius: float


def body_of(device: Device) -> Body:
    """Typical sizes, held upright (phone, tablet) or standing (monitor, the part of it that is used)."""
    return {
        "phone": Body(0.072, 0.150, 0.004, 0.006, 0.010),
        "tablet": Body(0.165, 0.235, 0.009, 0.010, 0.012),
        "monitor": Body(0.36, 0.29, 0.012, 0.014, 0.004),
    }[device]


def held(body: Body, colour: float, px_per_m: float, chance: Chance, hand: bool = True) -> Prop:
    """A paper or device, with a hand and forearm when one holds it; its window is empty (black).

    colour: linear grey of the border, near 0 for a black bezel, near 0.8 for white paper. px_per_m: texture pixels in a metre.
    """
    margin = HAND_MARGIN_M if hand else 0.002
    arm = ARM_M if hand else 0.0
    width, height = round((body.width + 2 * margin) * px_per_m), round((body.height + 2 * margin + 2 * arm) * px_per_m)
    texture = np.zeros((height, width, 4), np.float32)
    # the arm hangs below, and as much is empty above, so that the body's middle is the texture's middle
    left, top = round(margin * px_per_m), round((margin + arm) * px_per_m)
    w, h = round(body.width * px_per_m), round(body.height * px_per_m)
    skin = SKIN * np.float32(chance.uniform(0.35, 1.1))
    if hand:
        if body.width < PALM_M:
            middle, axes = (left + w // 2, round(top + 0.75 * h)), (round(w / 2 + 0.012 * px_per_m), round(0.045 * px_per_m))
            palm = cv2.ellipse2Poly(middle, axes, 0, 0, 360, 10)
            _fill(texture, [(float(px), float(py)) for px, py in palm], skin * np.float32(0.8))
        sleeve = chance.uniform(0.02, 0.3, 3).astype(np.float32)
        centre = left + w * float(chance.uniform(0.35, 0.65))
        half = 0.028 * px_per_m
        wrist = top + h + 0.05 * px_per_m
        _fill(
            texture, [(centre - half, top + h * 0.9), (centre + half, top + h * 0.9), (centre + half, wrist), (centre - half, wrist)], skin
        )
        _fill(
            texture,
            [(centre - half * 1.3, wrist), (centre + half * 1.3, wrist), (centre + 2 * half, height), (centre - half, height)],
            sleeve,
        )
    plate = np.zeros((height, width), np.float32)
    _rounded(plate, (left, top, w, h), body.radius * px_per_m)
    shade = np.linspace(1.06, 0.94, h, dtype=np.float32)[:, None]
    face = np.zeros((height, width), np.float32)
    face[top : top + h, left : left + w] = colour * shade
    for channel in range(3):
        texture[:, :, channel] = texture[:, :, channel] * (1 - plate) + face * plate
    texture[:, :, 3] = np.maximum(texture[:, :, 3], plate)
    inner = (left + round(body.side * px_per_m), top + round(body.end * px_per_m))
    window = (*inner, w - 2 * round(body.side * px_per_m), h - 2 * round(body.end * px_per_m))
    if hand:
        _fingers(texture, (left, top, w, h), px_per_m, skin, chance)
    return Prop(texture, window, 1 / px_per_m)


def frameless(size: tuple[int, int], metres_per_px: float) -> Prop:
    """A medium of which only the content is ever seen; size: (width, height) of the texture in pixels."""
    texture = np.zeros((size[1], size[0], 4), np.float32)
    texture[:, :, 3] = 1
    return Prop(texture, (0, 0, *size), metres_per_px)


def _fingers(texture: npt.NDArray[np.float32], box: tuple[int, int, int, int], px_per_m: float, skin: Light, chance: Chance) -> None:
    """Finger tips that reach a few millimetres over both edges; the window is filled later, so they stay on the border."""
    left, top, w, h = box
    for side in (left, left + w):
        for number in range(1 if side == left else 4):
            y = top + h * (0.55 + 0.09 * number + float(chance.uniform(-0.02, 0.02)))
            reach = 0.014 * px_per_m
            tone = skin * np.float32(chance.uniform(0.85, 1.1))
            points = cv2.ellipse2Poly((int(side), int(y)), (int(reach), int(0.0085 * px_per_m)), 0, 0, 360, 15)
            _fill(texture, [(float(px), float(py)) for px, py in points], tone)


def _fill(texture: npt.NDArray[np.float32], corners: list[tuple[float, float]], colour: npt.ArrayLike) -> None:
    points = np.array(corners, np.float32).round().astype(np.int32)
    b, g, r = (float(value) for value in np.asarray(colour))
    cv2.fillPoly(texture, [points], (b, g, r, 1.0), cv2.LINE_8)


def _rounded(mask: npt.NDArray[np.float32], box: tuple[int, int, int, int], radius: float) -> None:
    x, y, w, h = box
    r = int(min(radius, w / 2 - 1, h / 2 - 1))
    cv2.rectangle(mask, (x + r, y), (x + w - 1 - r, y + h - 1), 1.0, -1)
    cv2.rectangle(mask, (x, y + r), (x + w - 1, y + h - 1 - r), 1.0, -1)
    for cx in (x + r, x + w - 1 - r):
        for cy in (y + r, y + h - 1 - r):
            cv2.circle(mask, (cx, cy), r, 1.0, -1)
