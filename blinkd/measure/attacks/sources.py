"""What attacks are made from: clips of live people and portraits, looked through once for faces and blinks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.files import PICTURE_SUFFIXES, VideoFile
from blinkd.capture.frame import Image
from blinkd.capture.pictures import read_picture
from blinkd.errors import MediaError
from blinkd.liveness.blink import BlinkCounter
from blinkd.settings import LivenessSettings
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.face import Embedding, Face
from blinkd.vision.reader import FaceReader

CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"})
LOOKED_AT_S = 60.0  # of each clip; more would cost time and memory and bring nothing new
SHORTEST_RUN_S = 1.5  # of an unbroken face; shorter clips show nothing
PORTRAIT_SIDE = 1200  # pixels that a portrait's longer side is shrunk to
PORTRAIT_FACE_PX = 90.0  # a smaller face is too coarse to be printed life-size
PORTRAIT_YAW_DEG = 25.0  # a head turned farther recognises nobody and has one eye hidden
PORTRAIT_EAR = 0.19  # both eyes of a portrait must be open and seen, or a warp has nothing to close
SAME_PERSON = 0.4  # similarity above which two sources may show one person; another one is wanted for a swap


@dataclass(frozen=True, slots=True)
class Refused:
    """A source that cannot be used, and why, with the remedy."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class BlinkSpan:
    """Frames of a blink, counted from the beginning of the clip's run: last open one before, first open one after."""

    before: int
    after: int


@dataclass(frozen=True, slots=True, eq=False)
class LiveClip:
    """A clip of a live person. `first` is the frame in the file with which the run begins, the longest stretch of one unbroken face;
    faces: the face in each frame of the run; fps: frames/s of the file; face_share: the face's
    height against the picture's; embedding: of a good look in the run.
    """

    path: Path
    fps: float
    first: int
    faces: tuple[Face, ...]
    blinks: tuple[BlinkSpan, ...]
    face_share: float
    embedding: Embedding


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture of a person who looks into the camera; `face` in pixels of `picture()`."""

    path: Path
    face: Face
    embedding: Embedding

    def picture(self) -> Image:
        """The picture, uint8 (H, W, 3), its longer side at most PORTRAIT_SIDE pixels."""
        return _shrunk(read_picture(self.path))


@dataclass(frozen=True, slots=True)
class Stock:
    """Everything that attacks can be made from, and what was refused."""

    clips: tuple[LiveClip, ...]
    portraits: tuple[Portrait, ...]
    refused: tuple[Refused, ...]


def find_sources(places: Iterable[Path]) -> list[Path]:
    """The clips and pictures named, or lying in folders that are named, in the order of their names. Raises MediaError."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            known = CLIP_SUFFIXES | PICTURE_SUFFIXES
            try:
                inside = sorted(one for one in place.iterdir() if one.suffix.lower() in known and not one.name.startswith("."))
            except OSError as error:
                raise MediaError(f"{place}: cannot be listed: {error.strerror}; check its owner and mode") from error
            if not inside:
                raise MediaError(f"{place}: no clips or pictures in this folder; it needs files ending in {' '.join(sorted(known))}")
            found += inside
        elif place.exists():
            found.append(place)
        else:
            raise MediaError(f"{place}: no such file or folder; check the spelling")
    return list(dict.fromkeys(found))


def survey(
    paths: Sequence[Path],
    analyser: FaceAnalyser,
    reader: FaceReader,
    settings: LivenessSettings,
    progress: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> Stock:
    """Look through every source; what cannot be used is listed with its reason, never silently left out."""
    clips: list[LiveClip] = []
    portraits: list[Portrait] = []
    refused: list[Refused] = []
    for path in progress(paths):
        try:
            if path.suffix.lower() in PICTURE_SUFFIXES:
                portraits.append(_look_at_picture(path, analyser, reader))
            else:
                clips.append(_look_through(path, analyser, reader, settings))
        except MediaError as error:
            refused.append(Refused(path, str(error)))
    return Stock(tuple(clips), tuple(portraits), tuple(refused))


def same_person(first: Embedding, second: Embedding) -> bool:
    """Whether two sources may show the same person."""
    return float(first @ second) >= SAME_PERSON


def _look_at_picture(path: Path, analyser: FaceAnalyser, reader: FaceReader) -> Portrait:
    picture = _shrunk(read_picture(path))
    faces = analyser.faces(picture)
    if not faces:
        raise MediaError(f"{path}: no face found; use a picture of a person looking into the camera")
    face = faces[0]
    x, y, w, h = face.bbox
    if face.size < PORTRAIT_FACE_PX:
        raise MediaError(f"{path}: its largest face has {face.size:.0f} pixels, {PORTRAIT_FACE_PX:.0f} are wanted; use a closer picture")
    if abs(face.pose.yaw) > PORTRAIT_YAW_DEG:
        raise MediaError(f"{path}: the face is turned away by {abs(face.pose.yaw):.0f} degrees; use a picture looking into the camera")
    if x < 0 or y < 0 or x + w > picture.shape[1] or y + h > picture.shape[0]:
        raise MediaError(f"{path}: the face is cut off by the picture's edge; use a picture that shows all of it")
    if min(face.eye_aspect_ratios) < PORTRAIT_EAR:
        raise MediaError(f"{path}: an eye is closed or covered; use a picture with open eyes")
    return Portrait(path, face, reader.embed(reader.look(picture, face)))


def _look_through(path: Path, analyser: FaceAnalyser, reader: FaceReader, settings: LivenessSettings) -> LiveClip:
    video = VideoFile(path)
    video.open()
    tracker, counter = analyser.tracker(), BlinkCounter(settings, analyser.blendshapes.eyes_closed)
    runs: list[list[tuple[int, float, Face]]] = []  # frame, time, face of each stretch without a gap
    ends: list[int] = []  # frames in which a blink was completed
    track = -1
    embedded: dict[int, tuple[float, Embedding]] = {}  # for each run, the best look at it and its quality
    last_t, count, height = 0.0, 0, 1
    with closing(video):
        for frame in iter(video.read, None):
            if frame.t > LOOKED_AT_S:
                break
            last_t, count, height = frame.t, frame.index + 1, frame.image.shape[0]
            seen = tracker.update(frame)
            if seen.face is None:
                track = -1
                continue
            if seen.track != track:
                runs.append([])
                counter = BlinkCounter(settings, analyser.blendshapes.eyes_closed)
                track = seen.track
            runs[-1].append((frame.index, frame.t, seen.face))
            if counter.observe(frame.t, seen.face) is not None:
                ends.append(frame.index)
            if len(runs[-1]) % 15 == 1:  # a look every half second is enough to find a good one
                sample = reader.look(frame.image, seen.face)
                best = embedded.get(len(runs) - 1)
                if best is None or sample.quality.score > best[0]:
                    embedded[len(runs) - 1] = (sample.quality.score, reader.embed(sample))
    if not runs:
        raise MediaError(f"{path}: no face found in it; use a clip of a person looking into the camera")
    number = max(range(len(runs)), key=lambda index: len(runs[index]))
    run = runs[number]
    if run[-1][1] - run[0][1] < SHORTEST_RUN_S:
        raise MediaError(f"{path}: shows an unbroken face for less than {SHORTEST_RUN_S} s; use a longer clip")
    fps = (count - 1) / last_t if last_t > 0 else 25.0
    first, faces = run[0][0], tuple(face for _, _, face in run)
    blinks = tuple(_span(faces, end - first) for end in ends if first < end <= run[-1][0])
    share = float(np.median([face.bbox[3] for face in faces])) / height
    return LiveClip(path, fps, first, faces, blinks, share, embedded[number][1])


def _span(faces: Sequence[Face], end: int) -> BlinkSpan:
    """The frames of the blink that was completed in frame `end`, by the eyes' ratio before and after their lowest."""
    begin = max(0, end - 12)
    ratios = np.array([face.eye_aspect_ratio for face in faces[begin : end + 1]])
    lowest = begin + int(ratios.argmin())
    level = float(np.percentile(ratios, 80))
    before = lowest
    while before > begin and faces[before].eye_aspect_ratio < 0.85 * level:
        before -= 1
    return BlinkSpan(before, end)


def _shrunk(picture: Image) -> Image:
    scale = PORTRAIT_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def frames_of(clip: LiveClip, start: int) -> Iterator[tuple[Image, Face]]:
    """Frames of the clip's run from frame `start` of the run to its end, each with its face; read from the file one by one."""
    video = VideoFile(clip.path)
    video.open()
    with closing(video):
        for frame in iter(video.read, None):
            place = frame.index - clip.first
            if place >= len(clip.faces):
                return
            if place >= start:
                yield frame.image, clip.faces[place]
