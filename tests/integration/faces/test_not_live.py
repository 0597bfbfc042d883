"""What is no live person before the camera: somebody who never blinks, a photo, a face that takes another's place."""

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from blinkd.capture.frame import Frame, Image
from blinkd.capture.pictures import read_picture
from blinkd.parts import Parts
from blinkd.vision.face import Face
from tests.integration.faces.commands import blinkd
from tests.integration.faces.conftest import MAN, OBAMA
from tests.integration.faces.scenes import (
    frames_of,
    head,
    held_up,
    kinds,
    pasted_over,
    portrait,
    punched,
    reasons,
    renumbered,
    side_by_side,
    watch,
)

LOOKS_S, CLOSES_S = 3.5, 4.7  # in the recording: the man stands there, and begins to blink


@pytest.fixture(scope="module")
def live(media: Path) -> list[Frame]:
    """An empty room, then a man who walks up and blinks at 4.8 s."""
    return frames_of(media / "noface_face.mov")


@pytest.fixture(scope="module")
def live_faces(live: list[Frame], networks: Parts) -> list[Face | None]:
    tracker = networks.analyser.tracker()
    return [tracker.update(frame).face for frame in live]


@pytest.fixture(scope="module")
def other(media: Path, networks: Parts) -> tuple[Image, Face]:
    photo = read_picture(media / "obama.jpg")
    return photo, networks.analyser.faces(photo)[0]


def test_an_enrolled_man_who_never_blinks_is_identified_but_refused(live: list[Frame], state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    staring = [frame.image for frame in live if LOOKS_S < frame.t < CLOSES_S]
    there_and_back = (staring + staring[::-1]) * 2
    for index, image in enumerate(there_and_back):
        cv2.imwrite(str(folder / f"frame-{index}.png"), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    done = blinkd("replay", folder, "--record", "--json", state=state, BLINKD_CAMERA__FPS="12")
    assert done.code == 0, done.err
    assert {line["person_id"] for line in done.events("identified")} == {MAN}
    assert done.events("blink") == done.events("punch") == []
    assert {line["reason"] for line in done.events("refused")} == {"not_live"}
    assert {line["live"] for line in done.events("liveness")} == {False}
    assert blinkd("log", "--json", state=state).out == ""


def test_a_photo_on_the_wall_is_refused_once_and_then_no_network_looks(media: Path, state: Path, networks: Parts) -> None:
    photo = read_picture(media / "single_face.jpg")
    events = watch(held_up(photo, seconds=60, fps=10, hand=0), state, networks)
    assert punched(events) == []
    assert reasons(events) == ["not_live"]
    assert kinds(events).count("session_started") == 1, "the motion gate sleeps before a picture that does not move"


@pytest.mark.slow
@pytest.mark.parametrize(("picture", "hand", "seed"), [("single_face.jpg", 1.0, 5), ("obama.jpg", 2.0, 6)])
def test_a_photo_in_a_hand_is_never_checked_in_in_a_minute(
    picture: str, hand: float, seed: int, media: Path, state: Path, networks: Parts
) -> None:
    events = watch(held_up(portrait(media / picture, 800), seconds=60, fps=10, hand=hand, seed=seed), state, networks)
    assert punched(events) == []
    assert kinds(events).count("session_started") >= 3
    assert "identified" in kinds(events), "the photo is good enough to be recognised: it is liveness that must refuse it"
    assert "not_live" in reasons(events)
    assert set(reasons(events)) <= {"not_live", "swapped", "poor_quality", "uncertain"}


SWAPS: dict[str, Callable[[float], bool]] = {  # when the photo of another enrolled person stands in the man's place
    "before_the_blink": lambda t: t > 4.5,
    "right_after_the_blink": lambda t: t > 4.95,
    "until_shortly_before_the_blink": lambda t: t < 4.6,
    "until_the_blink": lambda t: t < 4.75,
    "all_the_time_but_for_the_blink": lambda t: not 4.7 < t < 4.95,
    "all_the_time_but_for_the_closed_eyes": lambda t: not 4.79 < t < 4.9,
}


@pytest.mark.parametrize("swap", SWAPS)
def test_a_face_that_takes_anothers_place_lends_nobody_its_blink(
    swap: str, live: list[Frame], live_faces: list[Face | None], other: tuple[Image, Face], state: Path, networks: Parts
) -> None:
    shown = SWAPS[swap]
    scene = [
        Frame(pasted_over(frame.image, face, *other), frame.t, frame.index) if face is not None and shown(frame.t) else frame
        for frame, face in zip(live, live_faces, strict=True)
    ]
    events = watch(scene, state, networks)
    assert punched(events) == []
    assert {event.details["person_id"] for event in events if event.kind == "identified"} <= {MAN, OBAMA}
    assert set(reasons(events)) <= {"swapped", "not_live"}
    assert reasons(events) != []


def test_of_two_faces_alike_in_size_the_session_stays_with_one(media: Path, state: Path, networks: Parts) -> None:
    both = side_by_side(head(media / "obama.jpg", networks, 200), head(media / "biden.jpg", networks, 200))
    shaken = [frame.image for frame in held_up(both, seconds=12, fps=10, hand=0.3)]
    events = watch(renumbered(shaken, 10), state, networks)
    assert punched(events) == []
    first = [event for event in events if event.session == 1]
    assert len({event.details["person_id"] for event in first if event.kind == "identified"}) == 1
    assert reasons(first) == ["not_live"]
