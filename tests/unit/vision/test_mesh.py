"""Detector and mesh on real faces, against MediaPipe's own run of the same networks."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.capture.pictures import read_picture
from blinkd.models.manifest import Manifest, default_models_dir
from blinkd.settings import VisionSettings
from blinkd.vision.analysis import FULL_RANGE, LANDMARKER, SHORT_MEMBER, FaceAnalyser
from blinkd.vision.detector import BlazeFace, full_range_anchors, short_range_anchors
from blinkd.vision.litert import LiteNetwork, bundle_members


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Manifest.load(default_models_dir())


@pytest.fixture(scope="module")
def analyser(manifest: Manifest) -> FaceAnalyser:
    return FaceAnalyser(manifest, VisionSettings())


@pytest.fixture(scope="module")
def short(manifest: Manifest) -> BlazeFace:
    bundle = manifest.verified(LANDMARKER)
    return BlazeFace(LiteNetwork(SHORT_MEMBER, bundle_members(bundle.path, bundle.content, (SHORT_MEMBER,))[SHORT_MEMBER], 1), 0.5)


@pytest.fixture(scope="module")
def full(manifest: Manifest) -> BlazeFace:
    model = manifest.verified(FULL_RANGE)
    return BlazeFace(LiteNetwork(model.path.name, model.content, 1), 0.5)


@pytest.mark.parametrize("name", ["single_face.jpg", "obama.jpg", "biden.jpg", "45-m7-di-ph.jpg"])
def test_landmarks_agree_with_mediapipe_within_two_hundredths_of_the_face(name: str, analyser: FaceAnalyser, media: Path) -> None:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions

    image = read_picture(media / name)
    options = FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(default_models_dir() / "face_landmarker.task")))
    with FaceLandmarker.create_from_options(options) as landmarker:
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        found = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)).face_landmarks
    assert len(found) == 1
    theirs = np.array([(point.x * image.shape[1], point.y * image.shape[0]) for point in found[0]])
    (face,) = analyser.faces(image)
    assert face.landmarks.shape == (478, 3)
    away = np.linalg.norm(face.landmarks[:, :2] - theirs, axis=1) / face.size
    assert away.mean() < 0.02
    if abs(face.pose.yaw) < 20:  # in a three-quarter view the far cheek is a guess, in both
        assert away.max() < 0.02


def test_the_short_range_detector_finds_one_face_with_its_eyes_in_place(short: BlazeFace, analyser: FaceAnalyser, media: Path) -> None:
    image = read_picture(media / "single_face.jpg")
    (found,) = short.detect(image)
    (face,) = analyser.faces(image)
    assert found.score > 0.8
    eyes = face.points5[:2]
    assert np.linalg.norm(found.keypoints[:2] - eyes, axis=1).max() < 0.05 * face.size


def test_the_full_range_detector_finds_five_faces_and_none_in_a_landscape(full: BlazeFace, media: Path) -> None:
    found = full.detect(read_picture(media / "multi_face.jpg"))
    assert len(found) == 5
    areas = [one.bbox[2] * one.bbox[3] for one in found]
    assert areas == sorted(areas, reverse=True)
    assert full.detect(read_picture(media / "free-mountain-vector-01.jpg")) == []


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (200, 200), (1080, 1920)])
def test_a_picture_of_one_colour_holds_no_face(shape: tuple[int, int], analyser: FaceAnalyser) -> None:
    for level in (0, 128, 255):
        assert analyser.faces(np.full((*shape, 3), level, np.uint8)) == []


@pytest.mark.parametrize("angle", [-40, -15, 15, 40])
def test_a_tilted_head_has_its_landmarks_turned_with_it(angle: int, analyser: FaceAnalyser, media: Path) -> None:
    image = cv2.resize(read_picture(media / "single_face.jpg"), (560, 560))
    turn = cv2.getRotationMatrix2D((280, 280), -angle, 1.0)  # OpenCV counts anti-clockwise
    turned = cv2.warpAffine(image, turn, (560, 560), borderValue=(128, 128, 128))
    (upright,) = analyser.faces(image)
    (face,) = analyser.faces(turned)
    expected = upright.landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    assert np.linalg.norm(face.landmarks[:, :2] - expected, axis=1).mean() < 0.03 * upright.size
    assert face.pose.roll - upright.pose.roll == pytest.approx(angle, abs=5)


def test_the_pose_of_a_mirrored_face_is_the_mirrored_pose(analyser: FaceAnalyser, media: Path) -> None:
    image = read_picture(media / "45-m7-di-ph.jpg")
    (face,) = analyser.faces(image)
    (mirrored,) = analyser.faces(np.ascontiguousarray(image[:, ::-1]))
    assert abs(face.pose.yaw) > 20, "a three-quarter view"
    assert mirrored.pose.yaw == pytest.approx(-face.pose.yaw, abs=6)
    assert mirrored.pose.pitch == pytest.approx(face.pose.pitch, abs=6)
    assert mirrored.yaw_ratio == pytest.approx(1 / face.yaw_ratio, rel=0.25)


def test_the_nose_of_a_turned_head_points_where_yaw_says(analyser: FaceAnalyser, media: Path) -> None:
    (face,) = analyser.faces(read_picture(media / "45-m7-di-ph.jpg"))
    nose, cheeks = face.landmarks[1, 0], face.landmarks[[234, 454], 0]
    assert np.sign(nose - cheeks.mean()) == np.sign(face.pose.yaw)
    (frontal,) = analyser.faces(read_picture(media / "single_face.jpg"))
    assert abs(frontal.pose.yaw) < 12
    assert abs(frontal.pose.roll) < 12


def test_anchors_cover_the_picture_evenly() -> None:
    short_range, full_range = short_range_anchors(128), full_range_anchors(192)
    assert short_range.shape == (896, 2)
    assert full_range.shape == (2304, 2)
    for anchors in (short_range, full_range):
        assert np.allclose(anchors.mean(axis=0), 0.5, atol=1e-6)
        assert anchors.min() > 0
        assert anchors.max() < 1
