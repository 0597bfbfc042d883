"""Scenes before the camera, made at test time from the pinned clips and pictures, and the terminal that watches them."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.files import VideoFile
from blinkd.capture.frame import Frame, Image
from blinkd.capture.pictures import read_picture
from blinkd.clock import ReplayClock
from blinkd.parts import REPLAY_SEED, Parts
from blinkd.session.events import Event
from blinkd.settings import Settings
from blinkd.vision.face import Face

WIDTH, HEIGHT = 640, 480
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def frames_of(clip: Path) -> list[Frame]:
    """Every frame of a video file."""
    source = VideoFile(clip)
    source.open()
    with closing(source):
        return list(iter(source.read, None))


def renumbered(images: Iterable[Image], fps: float) -> Iterator[Frame]:
    """Pictures as a recording of that rate."""
    for index, image in enumerate(images):
        yield Frame(image, index / fps, index)


def with_networks(settings: Settings, networks: Parts) -> Parts:
    """Parts with these settings and the networks of others, which are costly to load."""
    parts = Parts(settings)
    vars(parts).update(manifest=networks.manifest, embedder=networks.embedder, analyser=networks.analyser, eyes=networks.eyes)
    return parts


def watch(frames: Iterable[Frame], state: Path, networks: Parts, settings: Settings | None = None) -> list[Event]:
    """Let a terminal with that state folder see the frames; punches are written into its book."""
    parts = with_networks((settings or Settings()).model_copy(update={"state_dir": state}), networks)
    clock = ReplayClock(START)
    events: list[Event] = []
    with parts.open_store() as store:
        terminal = parts.terminal(store, store, clock, seed=REPLAY_SEED)
        for frame in frames:
            clock.advance_to(frame.t)
            events += terminal.process(frame)
        events += terminal.interrupt(clock.elapsed)
    return events


def kinds(events: Iterable[Event]) -> list[str]:
    """The kinds of events in their order."""
    return [event.kind for event in events]


def reasons(events: Iterable[Event]) -> list[str]:
    """Why there was no punch, refusal by refusal."""
    return [event.details["reason"] for event in events if event.kind == "refused"]


def punched(events: Iterable[Event]) -> list[str]:
    """Ids of those who punched."""
    return [event.details["person_id"] for event in events if event.kind == "punch"]


def room(seed: int = 1) -> Image:
    """An empty wall with some texture, uint8 (480, 640, 3)."""
    coarse = np.random.default_rng(seed).integers(90, 150, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def held_up(photo: Image, *, seconds: float, fps: float, hand: float, seed: int = 5) -> Iterator[Frame]:
    """A photo before the camera; hand 0: fixed to the wall, 1: held in a hand, with the sensor's noise and the light's flicker."""
    rng = np.random.default_rng(seed)
    background = room()
    grain = rng.normal(scale=3 * hand, size=(HEIGHT, WIDTH, 3)).astype(np.float32)  # rolled anew for each frame, which is cheap
    base = 0.75 * HEIGHT / photo.shape[0]
    drift = np.zeros(2)
    for index in range(int(seconds * fps)):
        t = index / fps
        drift = 0.9 * drift + rng.normal(scale=2.0, size=2) * hand
        x = WIDTH / 2 + hand * 12 * np.sin(2 * np.pi * t / 4.7) + drift[0]
        y = HEIGHT / 2 + hand * 8 * np.sin(2 * np.pi * t / 3.1) + drift[1]
        scale = base * (1 + 0.03 * hand * np.sin(2 * np.pi * t / 2.3))
        angle = np.radians(3 * hand * np.sin(2 * np.pi * t / 5.9))
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = np.array([x, y]) - turn @ np.array([photo.shape[1] / 2, photo.shape[0] / 2])
        picture = background.copy()
        cv2.warpAffine(
            photo, np.hstack([turn, shift[:, None]]), (WIDTH, HEIGHT), dst=picture, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT
        )
        if hand:
            light = 1 + 0.06 * hand * np.sin(2 * np.pi * t / 1.7)
            rolled = np.roll(grain, tuple(rng.integers(0, (HEIGHT, WIDTH))), axis=(0, 1))
            picture = np.clip(picture * np.float32(light) + rolled, 0, 255).astype(np.uint8)
        yield Frame(picture, t, index)


def pasted_over(image: Image, where: Face, photo: Image, shown: Face) -> Image:
    """A picture's face laid over the face that stands in the image, eyes on eyes and mouth on mouth."""
    matrix, _ = cv2.estimateAffinePartial2D(shown.points5, where.points5, method=cv2.LMEDS)
    out = image.copy()
    height, width = image.shape[:2]
    cv2.warpAffine(photo, matrix, (width, height), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    return out


def portrait(path: Path, side: int) -> Image:
    """A picture shrunk so that its longer side has that many pixels."""
    image = read_picture(path)
    scale = side / max(image.shape[:2])
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def head(path: Path, networks: Parts, face_px: int) -> Image:
    """The largest face of a picture with what is around it, shrunk or enlarged so that the face has that many pixels."""
    image = read_picture(path)
    found = networks.analyser.faces(image)[0]
    x, y, width, height = found.bbox
    reach = 0.45 * max(width, height)
    top, left = max(0, round(y - reach)), max(0, round(x - reach))
    cut = image[top : round(y + height + reach), left : round(x + width + reach)]
    scale = face_px / found.size
    return np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def side_by_side(left: Image, right: Image, gap: int = 40) -> Image:
    """Two pictures on a grey wall."""
    height = max(left.shape[0], right.shape[0]) + 2 * gap
    out = np.full((height, left.shape[1] + right.shape[1] + 3 * gap, 3), 128, np.uint8)
    out[gap : gap + left.shape[0], gap : gap + left.shape[1]] = left
    x = left.shape[1] + 2 * gap
    out[gap : gap + right.shape[0], x : x + right.shape[1]] = right
    return out
