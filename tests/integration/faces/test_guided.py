"""Guided enrolment before real faces: views, hints, and faces that change."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.capture.frame import Frame
from blinkd.identity.guided import WANTED, GuidedEnrolment, Hint
from blinkd.parts import Parts
from tests.integration.faces.scenes import frames_of, head, portrait, renumbered, side_by_side


@pytest.fixture
def guided(networks: Parts) -> GuidedEnrolment:
    return GuidedEnrolment(networks.enroller, mirrored=False)


def show(guided: GuidedEnrolment, frames: Iterable[Frame]) -> list[Hint]:
    """Every hint that was given, each once for a run of the same."""
    given: list[Hint] = []
    for frame in frames:
        guided.see(frame)
        if not given or given[-1] != guided.guidance.hint:
            given.append(guided.guidance.hint)
    return given


def later(frames: Iterable[Frame], seconds: float) -> Iterator[Frame]:
    for frame in frames:
        yield Frame(frame.image, frame.t + seconds, frame.index)


def test_a_person_who_looks_straight_is_taken_from_the_front_and_asked_to_turn(guided: GuidedEnrolment, media: Path) -> None:
    hints = show(guided, frames_of(media / "noface_face.mov"))
    assert hints[0] == "no_face"
    assert guided.guidance.kept["front"] == WANTED["front"]
    assert guided.guidance.enough
    assert guided.guidance.asked == "left"
    assert "turn_left" in hints
    assert hints[-1] == "no_face", "he has left"
    assert [template.view for template in guided.templates] == ["front", "front"]


def test_who_turns_is_taken_from_the_sides_too(guided: GuidedEnrolment, media: Path) -> None:
    frames = frames_of(media / "WolfgangLanger_Pexels.mp4")
    show(guided, frames)
    assert guided.guidance.kept["front"] == WANTED["front"]
    assert sum(guided.guidance.kept.values()) > WANTED["front"], guided.guidance
    assert guided.guidance.started_anew == 0


def test_views_that_were_left_out_are_not_waited_for_but_the_front_is(guided: GuidedEnrolment, media: Path) -> None:
    for view in WANTED:
        guided.leave_out(view)
    assert guided.guidance.asked == "front"
    show(guided, frames_of(media / "noface_face.mov"))
    assert guided.guidance.asked is None
    assert guided.guidance.hint == "done"


def test_another_face_half_way_throws_everything_away_and_says_so(guided: GuidedEnrolment, media: Path, networks: Parts) -> None:
    man = frames_of(media / "noface_face.mov")
    show(guided, man)
    first = guided.templates
    woman = frames_of(media / "WolfgangLanger_Pexels.mp4")
    hints = show(guided, later(woman, man[-1].t + 1))
    assert guided.guidance.started_anew == 1
    assert "another_face" in hints
    model = networks.embedder.model_id
    assert guided.templates
    for template in guided.templates:
        assert float(template.vectors[model] @ first[0].vectors[model]) < networks.bands.uncertain, "a template of the man stayed"


def test_two_people_before_the_camera_are_not_taken(guided: GuidedEnrolment, media: Path, networks: Parts) -> None:
    both = side_by_side(head(media / "obama.jpg", networks, 160), head(media / "biden.jpg", networks, 160))
    hints = show(guided, renumbered([both] * 30, 15.0))
    assert hints == ["several_faces"]
    assert guided.templates == []


def test_what_is_wrong_with_the_picture_is_said(networks: Parts, media: Path) -> None:
    good = portrait(media / "obama.jpg", 700)
    dark = (good * 0.12).astype(np.uint8)
    small = np.full((320, 400, 3), 128, np.uint8)
    tiny = head(media / "obama.jpg", networks, 70)
    small[100 : 100 + tiny.shape[0], 100 : 100 + tiny.shape[1]] = tiny
    for picture, hint in ((dark, "bad_light"), (small, "too_small"), (cv2.GaussianBlur(good, (0, 0), 9), "blurred")):
        guided = GuidedEnrolment(networks.enroller, mirrored=False)
        assert show(guided, renumbered([picture] * 30, 15.0)) == [hint]
        assert guided.templates == []
