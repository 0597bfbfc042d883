"""Each component of the quality falls for its own flaw, and the flaw is named."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.capture.frame import Image
from blinkd.capture.pictures import read_picture
from blinkd.models.manifest import Manifest, default_models_dir
from blinkd.settings import VisionSettings
from blinkd.vision.align import align
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.face import Face
from blinkd.vision.quality import Quality, assess

SETTINGS = VisionSettings()


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    return FaceAnalyser(Manifest.load(default_models_dir()), SETTINGS)


@pytest.fixture(scope="module")
def good(media: Path) -> Image:
    return read_picture(media / "single_face.jpg")


@pytest.fixture(scope="module")
def good_face(analyser: FaceAnalyser, good: Image) -> Face:
    return analyser.faces(good)[0]


def judged(image: Image, face: Face) -> Quality:
    return assess(face, align(image, face.points5), image.shape, SETTINGS)


def test_a_good_portrait_passes_the_gate_for_enrolment(good: Image, good_face: Face) -> None:
    quality = judged(good, good_face)
    assert quality.score > 2 * SETTINGS.enrol_min_quality
    parts = (quality.size, quality.sharpness, quality.pose, quality.light, quality.occlusion)
    assert quality.score == pytest.approx(np.prod(parts))
    assert all(0 <= part <= 1 for part in parts)


def test_the_more_it_is_blurred_the_lower_its_sharpness(good: Image, good_face: Face) -> None:
    sharpness = [judged(cv2.GaussianBlur(good, (0, 0), sigma), good_face).sharpness for sigma in (0.5, 2, 4, 8)]
    assert sharpness == sorted(sharpness, reverse=True)
    worst = judged(cv2.GaussianBlur(good, (0, 0), 8), good_face)
    assert worst.flaw == "blurred"
    assert worst.score < SETTINGS.min_quality


@pytest.mark.parametrize("gain", [0.08, 0.15])
def test_darkness_is_bad_light(gain: float, good: Image, good_face: Face) -> None:
    quality = judged((good * gain).astype(np.uint8), good_face)
    assert quality.light < 0.2
    assert quality.flaw == "bad_light"


def test_glare_is_bad_light(good: Image, good_face: Face) -> None:
    glaring = np.clip(good.astype(np.float32) * 0.1 + 235, 0, 255).astype(np.uint8)
    assert judged(glaring, good_face).flaw in ("bad_light", "blurred")
    assert judged(glaring, good_face).light < 0.3


def test_a_face_below_the_smallest_size_is_worth_nothing(analyser: FaceAnalyser, good: Image) -> None:
    sizes = []
    for side in (460, 220, 150, 90):
        canvas = np.full((side, 2 * side, 3), 120, np.uint8)  # a face that is small in a large picture is not even found
        small = cv2.resize(good, (side, side), interpolation=cv2.INTER_AREA)
        canvas[:side, :side] = small
        (face,) = analyser.faces(canvas)
        sizes.append(judged(canvas, face).size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 1
    assert sizes[-1] == 0


def test_a_turned_head_is_worse_than_a_straight_one(analyser: FaceAnalyser, good: Image, good_face: Face, media: Path) -> None:
    turned = read_picture(media / "45-m7-di-ph.jpg")
    quality = judged(turned, analyser.faces(turned)[0])
    assert quality.pose < judged(good, good_face).pose - 0.2


def test_a_face_that_the_edge_cuts_off_counts_as_covered(analyser: FaceAnalyser, good: Image, good_face: Face) -> None:
    x, _, width, _ = good_face.bbox
    cut = np.ascontiguousarray(good[:, round(x + 0.45 * width) :])
    moved = good_face.landmarks - np.array([round(x + 0.45 * width), 0, 0], np.float32)
    face = Face((x, 0.0, width, width), good_face.score, moved)
    quality = judged(cut, face)
    assert quality.occlusion == 0
    assert quality.flaw == "covered"
    assert judged(good, good_face).occlusion > 0.9
    assert len(analyser.faces(good)) == 1


def test_an_unsure_mesh_counts_as_covered(good: Image, good_face: Face) -> None:
    unsure = Face(good_face.bbox, 0.55, good_face.landmarks)
    assert judged(good, unsure).flaw == "covered"
