from pathlib import Path

import numpy as np
import pytest

from blinkd.capture.frame import Image
from blinkd.capture.pictures import read_picture
from blinkd.measure.attacks.camera import to_light
from blinkd.measure.attacks.cutout import EYE_CORNERS, with_eyes
from blinkd.measure.attacks.warp import LidWarp, MeshWarp, blink_curve, eye_masks, lids_lowered, turned
from blinkd.parts import Parts
from blinkd.vision.face import LEFT_EYE_CONTOUR, RIGHT_EYE_CONTOUR, Face

SHUT, OPEN = 0.15, 0.85  # eye aspect ratio of shut eyes, and share of the first one that counts as open again


@pytest.fixture(scope="module", params=["obama.jpg", "0-f1-su-ph.jpg", "single_face.jpg", "obama2.jpg", "biden.jpg"])
def portrait(request: pytest.FixtureRequest, media: Path, networks: Parts) -> tuple[Image, Face]:
    picture = read_picture(media / request.param)
    return picture, networks.analyser.faces(picture)[0]


def test_lids_slid_over_the_eyes_look_shut_to_the_mesh_and_open_again(portrait: tuple[Image, Face], networks: Parts) -> None:
    picture, face = portrait
    lids = LidWarp(picture, face.landmarks)
    assert networks.analyser.faces(lids.closed_by(1.0))[0].eye_aspect_ratio < SHUT
    assert networks.analyser.faces(lids.closed_by(0.0))[0].eye_aspect_ratio > OPEN * face.eye_aspect_ratio


def test_lids_pulled_by_the_net_look_shut_to_the_mesh(portrait: tuple[Image, Face], networks: Parts) -> None:
    picture, face = portrait
    mesh = MeshWarp(picture, face.landmarks)
    shut = LidWarp(mesh.moved_to(lids_lowered(mesh.rest, 1.0)), mesh.rest).closed_by(1.0)
    assert networks.analyser.faces(shut)[0].eye_aspect_ratio < SHUT


def test_closing_lids_changes_the_picture_at_the_eyes_only(portrait: tuple[Image, Face]) -> None:
    picture, face = portrait
    changed = np.any(LidWarp(picture, face.landmarks).closed_by(1.0) != picture, axis=2)
    eyes = face.landmarks[[*RIGHT_EYE_CONTOUR, *LEFT_EYE_CONTOUR], :2]
    middle, reach = eyes.mean(axis=0), float(np.ptp(eyes[:, 0]))
    ys, xs = np.nonzero(changed)
    assert len(ys)
    assert np.abs(xs - middle[0]).max() < 1.2 * reach
    assert np.abs(ys - middle[1]).max() < 0.6 * reach


def test_a_net_at_rest_leaves_the_picture_as_it_is(portrait: tuple[Image, Face]) -> None:
    picture, face = portrait
    mesh = MeshWarp(picture, face.landmarks)
    assert np.abs(mesh.moved_to(mesh.rest).astype(int) - picture).mean() < 0.5


@pytest.mark.parametrize("degrees", [-15.0, 15.0])
def test_a_turn_by_depth_turns_the_head_that_the_mesh_sees_and_not_the_pictures_edge(
    degrees: float, portrait: tuple[Image, Face], networks: Parts
) -> None:
    picture, face = portrait
    points, depth = turned(face.landmarks, degrees, 0.0)
    out = MeshWarp(picture, face.landmarks).moved_to(points, depth)
    by = networks.analyser.faces(out)[0].pose.yaw - face.pose.yaw
    assert by * degrees > 0
    assert abs(by) > 5
    edge = np.s_[2:6, 2:-2]
    assert np.abs(out[edge].astype(int) - picture[edge]).mean() < 6


def test_through_eye_holes_the_live_frame_is_seen_and_beside_them_the_print(portrait: tuple[Image, Face]) -> None:
    picture, face = portrait
    green = np.zeros_like(picture)
    green[:] = (0, 255, 0)
    printed = to_light(picture)
    out = with_eyes(printed, face.landmarks, green, face.landmarks[list(EYE_CORNERS), :2], 1.0)
    for contour in (RIGHT_EYE_CONTOUR, LEFT_EYE_CONTOUR):
        x, y = face.landmarks[list(contour), :2].mean(axis=0).astype(int)
        blue, green_light, red = out[y, x]
        assert green_light > 0.5
        assert max(blue, red) < 0.02
    x, y = face.points5[2].astype(int)
    assert np.array_equal(out[y, x], printed[y, x])
    assert not np.any(
        out[eye_masks(face.landmarks, picture.shape[1::-1], 1.3) == 0] != printed[eye_masks(face.landmarks, picture.shape[1::-1], 1.3) == 0]
    )


def test_a_blink_falls_and_rises_once_and_the_eyes_are_open_between() -> None:
    curve = np.array([blink_curve(t / 1000, [1.0, 2.0], 0.2) for t in range(3000)])
    assert curve[:1000].max() == 0
    assert curve[1200:2000].max() < 1e-6
    for begin in (1000, 2000):
        one = curve[begin : begin + 200]
        assert one.max() > 0.99
        assert np.all(np.diff(one[: one.argmax()]) >= 0)
        assert np.all(np.diff(one[one.argmax() :]) <= 0)
