"""Which moments enrolment keeps, with faces made of numbers: a pose, a quality, and a vector by which they are known again."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.capture.frame import Frame
from blinkd.errors import EnrolmentRefused
from blinkd.identity.enrolment import VIDEO_SPACING_S, VIDEO_TEMPLATES, Enroller
from blinkd.identity.matcher import Bands
from blinkd.settings import VisionSettings
from blinkd.vision.quality import FAR_YAW_DEG, Quality
from blinkd.vision.reader import Sample
from tests.unit.liveness.faces import face

BANDS = Bands(match=0.6, uncertain=0.4)
GOOD = Quality(score=0.8, size=1.0, sharpness=0.8, pose=1.0, light=1.0, occlusion=1.0, flaw="blurred")


@dataclass(frozen=True)
class Scene:
    """What stands before the camera in one frame."""

    yaw: float = 0.0
    sharpness: float = 0.8
    ear: float = 0.3
    who: int = 0
    pitch_loss: float = 0.0


def seen(scene: Scene) -> Any:
    made = face(scene.ear)
    shown = SimpleNamespace(
        pose=SimpleNamespace(yaw=scene.yaw), eye_aspect_ratio=scene.ear, width_between_cheeks=made.width_between_cheeks, size=made.size
    )
    shown.scene = scene
    return shown


class Looker:
    """Analyser, tracker and reader in one: finds in a frame the scenes that the test has put there by the frame's index."""

    def __init__(self, scenes: Sequence[Scene | None]) -> None:
        self._scenes = scenes
        self.embedder = One("one", 4)

    def tracker(self) -> "Looker":
        return self

    def update(self, frame: Frame) -> Any:
        scene = self._scenes[frame.index]
        return SimpleNamespace(face=None if scene is None else seen(scene))

    def faces(self, _image: object) -> list[Any]:
        return [seen(scene) for scene in self._scenes if scene is not None]

    def look(self, _image: object, shown: Any) -> Sample:
        scene = shown.scene
        pose = max(0.0, 1 - (scene.yaw / FAR_YAW_DEG) ** 2 - scene.pitch_loss)
        score = pose * scene.sharpness
        flaw = "turned_away" if pose < scene.sharpness else "blurred"
        return Sample(np.full((1, 1, 3), scene.who, np.uint8), replace(GOOD, score=score, sharpness=scene.sharpness, pose=pose, flaw=flaw))


class One:
    """An embedder: everybody has an axis of their own."""

    def __init__(self, model_id: str, dimension: int) -> None:
        self.model_id, self.dimension, self.precision = model_id, dimension, "fp32"

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.eye(self.dimension, dtype=np.float32)[int(crop[0, 0, 0])] for crop in crops])


def enroller(scenes: Sequence[Scene | None]) -> Enroller:
    looker: Any = Looker(scenes)
    return Enroller(looker, looker, [looker.embedder, One("two", 7)], VisionSettings(), BANDS)  # type: ignore[list-item]


def frames(count: int, fps: float = 10.0) -> list[Frame]:
    return [Frame(np.zeros((1, 1, 3), np.uint8), index / fps, index) for index in range(count)]


def from_video(scenes: Sequence[Scene | None], **options: bool) -> list[Any]:
    return enroller(scenes).from_frames(frames(len(scenes)), "clip", **options)


def test_each_view_that_was_seen_is_kept_by_its_best_moment() -> None:
    scenes = [
        *[Scene(yaw=0, sharpness=0.6 + 0.01 * n) for n in range(5)],
        *[Scene(yaw=20, sharpness=0.7 + 0.01 * n) for n in range(5)],
        *[Scene(yaw=-20, sharpness=0.7 - 0.01 * n) for n in range(5)],
    ]
    found = from_video(scenes)
    assert [one.view for one in found] == ["front", "left", "right"]
    assert [one.source for one in found] == ["clip at 0.40 s", "clip at 0.90 s", "clip at 1.00 s"]


def test_the_rest_is_filled_up_with_frontal_moments_that_lie_apart() -> None:
    found = from_video([*[Scene(sharpness=0.5 + 0.005 * n) for n in range(60)], *[Scene(yaw=20) for _ in range(40)]])
    assert [one.view for one in found] == ["front", "left", "front", "front", "front"]
    times = sorted(float(one.source.split()[-2]) for one in found if one.view == "front")
    assert all(later - earlier >= VIDEO_SPACING_S - 1e-9 for earlier, later in itertools.pairwise(times))


def test_a_view_that_was_not_seen_refuses_nobody() -> None:
    assert [one.view for one in from_video([Scene()])] == ["front"]
    assert [one.view for one in from_video([Scene(yaw=20)])] == ["left"]


def test_a_mirrored_camera_swaps_the_sides() -> None:
    assert [one.view for one in from_video([Scene(yaw=20)], mirrored=True)] == ["right"]


@given(
    scenes=st.lists(
        st.one_of(
            st.none(),
            st.builds(Scene, yaw=st.floats(-60, 60), sharpness=st.floats(0.0, 1.0), ear=st.sampled_from([0.05, 0.3])),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_whatever_is_kept_passed_the_gate_and_every_view_that_passed_is_kept(scenes: list[Scene | None]) -> None:
    wanted = VisionSettings().enrol_min_quality

    def passes(scene: Scene) -> bool:  # the gate in other words: a turn within the bounds costs nothing
        loss = 0.0 if abs(scene.yaw) > 10 else (scene.yaw / FAR_YAW_DEG) ** 2
        return scene.ear >= 0.1 and abs(scene.yaw) <= 35 and scene.sharpness * (1 - loss) >= wanted

    sides = {"front" if abs(one.yaw) <= 10 else "left" if one.yaw > 0 else "right" for one in scenes if one is not None and passes(one)}
    try:
        found = from_video(scenes)
    except EnrolmentRefused:
        assert not sides
        return
    assert {one.view for one in found} == sides
    assert len(found) <= VIDEO_TEMPLATES
    assert all(one.quality >= wanted for one in found)


def test_a_slightly_turned_head_is_not_refused_for_its_turn_and_a_far_turned_one_is() -> None:
    slightly = enroller([Scene(yaw=34, sharpness=0.5)]).from_picture(np.zeros((1, 1, 3), np.uint8), "a.jpg")
    assert (slightly.view, slightly.quality) == ("left", pytest.approx(0.5))
    for far in (36, -43, 80):
        with pytest.raises(EnrolmentRefused, match=r"a.jpg: the head is turned by \d+ degrees, at most 35") as refused:
            enroller([Scene(yaw=far)]).from_picture(np.zeros((1, 1, 3), np.uint8), "a.jpg")
        assert refused.value.reason == "turned_away"


def test_a_turned_head_that_is_blurred_too_is_refused_as_blurred() -> None:
    with pytest.raises(EnrolmentRefused, match="sharper") as refused:
        enroller([Scene(yaw=30, sharpness=0.3)]).from_picture(np.zeros((1, 1, 3), np.uint8), "a.jpg")
    assert refused.value.reason == "blurred"


def test_a_turned_head_that_looks_far_up_is_still_turned_away() -> None:
    for loss in (0.7, 0.95):
        with pytest.raises(EnrolmentRefused) as refused:
            enroller([Scene(yaw=20, sharpness=0.9, pitch_loss=loss)]).from_picture(np.zeros((1, 1, 3), np.uint8), "a.jpg")
        assert refused.value.reason == "turned_away"


def test_a_recording_of_a_far_turned_head_says_so() -> None:
    with pytest.raises(EnrolmentRefused, match="turned by 60 degrees"):
        from_video([None, Scene(yaw=60), None])
    with pytest.raises(EnrolmentRefused, match="no face"):
        from_video([None, None])


def test_every_embedder_makes_a_template_of_the_same_moment() -> None:
    (found,) = from_video([Scene(who=2)])
    assert {model: vector.shape for model, vector in found.vectors.items()} == {"one": (4,), "two": (7,)}
    assert all(vector[2] == 1 for vector in found.vectors.values())


def test_a_label_goes_with_every_template() -> None:
    found = enroller([Scene(), Scene(yaw=20)]).from_frames(frames(2), "clip", "glasses")
    assert [one.label for one in found] == ["glasses", "glasses"]
    assert enroller([Scene()]).from_picture(np.zeros((1, 1, 3), np.uint8), "a.jpg", "hat").label == "hat"


def test_another_face_in_the_side_view_is_another_person() -> None:
    with pytest.raises(EnrolmentRefused) as refused:
        from_video([Scene(who=0), Scene(yaw=20, who=1)])
    assert refused.value.reason == "several_people"


def test_a_long_recording_keeps_no_more_than_its_best_moments() -> None:
    looks = from_video([Scene(sharpness=0.4 + 0.5 * ((7 * n) % 500) / 500) for n in range(1000)])
    assert len(looks) == VIDEO_TEMPLATES
    assert min(one.quality for one in looks) > 0.88
