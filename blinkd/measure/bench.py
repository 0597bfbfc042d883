"""Times every stage on the machine at hand: median and 95th percentile, in milliseconds."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from blinkd.capture.frame import Frame, Image
from blinkd.capture.motion import MotionGate
from blinkd.errors import MediaError
from blinkd.identity.gallery import Gallery
from blinkd.liveness.blink import BlinkCounter
from blinkd.liveness.continuity import ContinuityWatch
from blinkd.liveness.depth import KEY_EVERY_S, DepthWatch
from blinkd.liveness.evidence import Eyes, LivenessJudge
from blinkd.liveness.light import FlickerWatch, GlareWatch
from blinkd.liveness.moire import MoireWatch
from blinkd.liveness.outline import OutlineWatch
from blinkd.liveness.turn import TurnDetector
from blinkd.settings import Settings
from blinkd.vision.align import align
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.embedder import Embedder
from blinkd.vision.quality import assess

BENCH_SIZE = (640, 480)  # width, height in pixels at which every figure is stated
EVERY_CUE = (
    "motion_ms",
    "track_ms",
    "signs_ms",
    "continuity_ms",
    "depth_ms",
    "texture_ms",
    "edges_ms",
    "pattern_ms",
    "light_ms",
    "judge_ms",
    "crop_ms",
)
"""What one frame would cost if every passive cue looked at it; in a session texture, edges, outline and pattern take turns, a few times a second."""
GALLERY_SIZES = (10_000, 100_000)
WARM_UP = 5
JUDGED = 40  # looks that a judge has had before it is timed: all of its cues have what they want


@dataclass(frozen=True, slots=True)
class Timing:
    """p50, p95, best: milliseconds."""

    p50: float
    p95: float
    best: float

    @staticmethod
    def of(seconds: list[float]) -> "Timing":
        """Summarise single durations in seconds."""
        values = np.array(seconds) * 1000
        p50, p95, best = (round(float(value), 4) for value in (np.percentile(values, 50), np.percentile(values, 95), values.min()))
        return Timing(p50, p95, best)

    def as_json(self) -> dict[str, float]:
        """The members of the design."""
        return {"p50": self.p50, "p95": self.p95}


def measure(work: Callable[[], object], repeats: int) -> Timing:
    """Time single calls after a warm-up."""
    for _ in range(WARM_UP):
        work()
    durations = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return Timing.of(durations)


def alternate(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
    """Time several pieces of work in turn, so that a machine whose speed drifts treats them alike and their ratio holds."""
    durations: dict[str, list[float]] = {name: [] for name in works}
    for round_ in range(repeats + WARM_UP):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if round_ >= WARM_UP:
                durations[name].append(time.perf_counter() - began)
    return {name: Timing.of(values) for name, values in durations.items()}


def letterboxed(image: Image) -> Image:
    """The picture at 640 x 480, aspect kept, rest black."""
    width, height = BENCH_SIZE
    scale = min(width / image.shape[1], height / image.shape[0])
    small = cv2.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def stages(
    image: Image, settings: Settings, analyser: FaceAnalyser, eyes: Eyes, embedders: dict[str, Embedder], repeats: int
) -> dict[str, Timing]:
    """Time the stages on a 640 x 480 picture with a face; raises MediaError when there is none.

    Returns motion_ms (idle gate), detect_ms (whole picture), track_ms (one tracked frame: landmarks), signs_ms (blink, head turn),
    continuity_ms, depth_ms, texture_ms, edges_ms, outline_ms, pattern_ms, light_ms (the passive cues, each with all it has to do in one frame), judge_ms (joining what
    they found, once a frame), crop_ms (alignment and quality), and embed_<precision>_ms for each embedder, measured in turn.
    """
    gate = MotionGate(settings.motion)
    faces = analyser.faces(image)
    if not faces:
        raise MediaError("the bench picture shows no face; give another with --image")
    crop = align(image, faces[0].points5)
    clock = iter(range(10**9))

    tracker, face = analyser.tracker(), faces[0]
    blink, turn = BlinkCounter(settings.liveness, eyes.eyes_closed), TurnDetector(settings.liveness)
    continuity, depth = ContinuityWatch(), DepthWatch()
    outline, moire, flicker, glare = OutlineWatch(), MoireWatch(), FlickerWatch(), GlareWatch()
    noise = np.random.default_rng(42).integers(0, 5, (8, *image.shape), dtype=np.uint8)
    live = [np.asarray(cv2.add(image, grain), np.uint8) for grain in noise]  # no camera gives the same picture twice

    def now() -> float:
        return next(clock) / settings.camera.fps

    def tracked() -> None:
        number = next(clock)
        tracker.update(Frame(image, number / settings.camera.fps, number))

    def signed() -> None:
        t = now()
        blink.observe(t, face)
        turn.observe(t, face)

    def watched() -> None:
        t = now()
        continuity.observe(t, live[int(t * settings.camera.fps) % len(live)])

    def compared() -> None:
        depth.observe(KEY_EVERY_S * next(clock), face)  # every call is one that compares

    judge = LivenessJudge(settings.liveness, eyes, continuity)
    for step in range(JUDGED):
        judge.observe(step * settings.liveness.passive_every_ms / 1000, live[step % len(live)], face, crop)

    def lit() -> None:
        flicker.observe(image, crop)
        glare.observe(image, face)

    def detected() -> None:
        fresh = analyser.tracker()
        fresh.update(Frame(image, 0.0, 0))

    def cropped() -> None:
        assess(faces[0], align(image, faces[0].points5), image.shape, settings.vision)

    def gated() -> None:
        number = next(clock)
        gate.update(Frame(image, number / settings.camera.fps, number))

    found = {
        "motion_ms": measure(gated, repeats),
        "detect_ms": measure(detected, repeats),
        "track_ms": measure(tracked, repeats),
        "signs_ms": measure(signed, repeats),
        "continuity_ms": measure(watched, repeats),
        "depth_ms": measure(compared, repeats),
        "texture_ms": measure(lambda: eyes.texture(image, face), repeats),
        "edges_ms": measure(lambda: eyes.framed(image, face), repeats),
        "outline_ms": measure(lambda: outline.observe(image, face), repeats),
        "pattern_ms": measure(lambda: moire.observe(image), repeats),
        "light_ms": measure(lit, repeats),
        "judge_ms": measure(judge.evidence, repeats),
        "crop_ms": measure(cropped, repeats),
    }
    works: dict[str, Callable[[], object]] = {
        f"embed_{name}_ms": functools.partial(embedder.embed, [crop]) for name, embedder in embedders.items()
    }
    return found | alternate(works, repeats)


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """By number of templates. search_ms: median of one 1:N search; reading_ms: of reading a matrix of that size from memory once;
    ratio: search over reading, the fastest run of each, for other programs that read memory at the time slow both down, but not evenly.
    """  # fmt: skip

    search_ms: dict[str, float]
    reading_ms: dict[str, float]
    ratio: dict[str, float]


def search_figures(dimension: int, repeats: int) -> SearchFigures:
    """Time 1:N search over random galleries of the stated sizes, in turn with two plain ways of reading the same bytes once.

    The yardstick is the faster of numpy's maximum of all floats and its bitwise or of all 64-bit words, one thread as the search. All three
    read the gallery's own memory, so that each finds as much of it in the processor's cache as the others do.
    """
    rng = np.random.default_rng(42)
    search, reading, ratio = {}, {}, {}
    for size in GALLERY_SIZES:
        vectors = rng.standard_normal((size, dimension), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        gallery = Gallery(dimension, ((f"p{row}", vector) for row, vector in enumerate(vectors)))
        floats = [block.reshape(-1) for block in gallery.blocks]
        words = [block[: block.size // 2 * 2].view(np.uint64) for block in floats]
        works: dict[str, Callable[[], object]] = {
            "search": functools.partial(gallery.search, vectors[size // 2].copy()),
            "maximum": functools.partial(_each, np.max, floats),
            "or": functools.partial(_each, np.bitwise_or.reduce, words),
        }
        found = alternate(works, repeats)
        search[str(size)] = found["search"].p50
        yardstick = min(found["maximum"], found["or"], key=lambda timing: timing.best)
        reading[str(size)] = yardstick.p50
        ratio[str(size)] = round(found["search"].best / yardstick.best, 2)
    return SearchFigures(search, reading, ratio)


def _each(reading: Callable[[Any], object], blocks: Sequence[npt.NDArray[Any]]) -> None:
    for block in blocks:
        reading(block)


def resident_mb() -> float:
    """Resident memory of this process in megabytes (Linux)."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  no path of ours
        for line in status:
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
    return 0.0
