import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.measure.attacks.geometry import Bend, Lens, Pose, bent_maps, homography, project, texture_to_medium
from blinkd.measure.attacks.spoiled import tilt_of

LENS = Lens()
SIZE, PITCH = (301, 401), 0.0005  # of a texture in pixels, and metres a pixel
angles = st.floats(-40, 40)
poses = st.builds(Pose, st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0.3, 0.8), angles, angles, angles)


@given(poses, st.floats(0, 300), st.floats(0, 400))
def test_a_homography_puts_a_texture_pixel_where_the_pinhole_sees_its_point_in_space(pose: Pose, u: float, v: float) -> None:
    on_medium = np.array([(u - 150) * PITCH, (v - 200) * PITCH, 0])
    x, y, z = pose.rotation @ on_medium + [pose.x, pose.y, pose.z]
    wanted = [LENS.focal_px * x / z + 319.5, LENS.focal_px * y / z + 239.5]
    assert project(homography(LENS, pose, SIZE, PITCH), [(u, v)])[0] == pytest.approx(wanted, abs=1e-6)


def test_a_paper_that_faces_the_camera_has_the_size_that_its_distance_says() -> None:
    corners = project(homography(LENS, Pose(z=0.5), SIZE, PITCH), [(0, 0), (300, 400)])
    assert corners[1] - corners[0] == pytest.approx([300 * PITCH / 0.5 * 560, 400 * PITCH / 0.5 * 560])


@given(poses)
def test_an_unbent_surface_is_seen_as_the_homography_says(pose: Pose) -> None:
    u, v, _ = bent_maps(LENS, pose, Bend(0.0), SIZE, PITCH)
    px = [(160, 120), (320, 240), (480, 360)]
    wanted = project(np.linalg.inv(homography(LENS, pose, SIZE, PITCH)), px)
    got = np.array([(u[y, x], v[y, x]) for x, y in px])
    assert got == pytest.approx(wanted, abs=0.05)


@given(st.floats(0.5, 6), st.floats(-0.06, 0.06), st.floats(-0.08, 0.08), st.sampled_from([0.0, 90.0, 35.0]))
def test_bending_keeps_lengths_along_the_paper(curvature: float, along: float, beside: float, axis: float) -> None:
    pose = Pose(z=0.5)
    turn = np.radians(axis)
    across, upright = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
    angle = along * curvature
    depth = np.array([0, 0, (1 - np.cos(angle)) / curvature])
    x, y, z = across * np.sin(angle) / curvature + upright * beside + depth + [0, 0, pose.z]
    px, py = round(LENS.focal_px * x / z + 319.5), round(LENS.focal_px * y / z + 239.5)
    u, v, _ = bent_maps(LENS, pose, Bend(curvature, axis), SIZE, PITCH)
    wanted = (across * along + upright * beside)[:2] / PITCH + [150, 200]
    # a pixel is 0.9 mm there, nearly two of the texture, and more where the paper turns away
    assert [u[py, px], v[py, px]] == pytest.approx(wanted.tolist(), abs=3.0)


def test_a_ray_past_a_strongly_bent_paper_meets_nothing() -> None:
    u, _, _ = bent_maps(LENS, Pose(z=0.5), Bend(20.0), SIZE, PITCH)
    assert u[240, 5] < -1000
    assert 0 < u[240, 320] < 300


@given(poses)
def test_a_screens_tilt_is_read_back_from_its_homography(pose: Pose) -> None:
    to_screen = texture_to_medium(SIZE, PITCH) @ np.linalg.inv(homography(LENS, pose, SIZE, PITCH))
    normal = pose.rotation[:, 2]
    wanted = (np.degrees(np.arctan2(normal[0], normal[2])), np.degrees(np.arctan2(normal[1], normal[2])))
    assert tilt_of(to_screen, LENS) == pytest.approx(wanted, abs=1e-6)
