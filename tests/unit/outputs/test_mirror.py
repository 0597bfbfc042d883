"""Pictures for the mirror view, by a pipe of the kernel's own."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from blinkd.capture.frame import Frame
from blinkd.outputs.channel import Picture
from blinkd.outputs.mirror import Mirror, Shot, small_pipe
from blinkd.settings import KioskSettings
from blinkd.web.hub import _read_picture

BOX = (0.25, 0.25, 0.5, 0.5)


def shot(number: int, width: int = 640, height: int = 480) -> Shot:
    noise = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)  # so that the JPEG is larger than the pipe
    return Shot(Frame(noise, float(number), number), BOX, "tracking", "", mirrored=False)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    made = Mirror(KioskSettings(fps=60))
    yield made
    made.close()


def piped(mirror: Mirror) -> int:
    """The reading end."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    small_pipe(write)
    mirror.attach(write)
    return read


def next_picture(descriptor: int) -> Picture:
    found = _read_picture(lambda count: os.read(descriptor, count))
    assert found is not None
    return found


def test_a_picture_comes_whole_with_what_is_said_of_it(mirror: Mirror) -> None:
    read = piped(mirror)
    mirror.show(shot(7))
    picture = next_picture(read)
    assert (picture.info.t, picture.info.box, picture.info.state, picture.info.mirrored) == (7.0, BOX, "tracking", False)
    decoded = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (480, 640, 3)
    os.close(read)


def test_a_large_frame_is_made_smaller_and_keeps_its_shape(mirror: Mirror) -> None:
    read = piped(mirror)
    mirror.show(shot(1, 1280, 720))
    picture = next_picture(read)
    assert (picture.info.width, picture.info.height) == (640, 360)
    os.close(read)


def test_a_picture_by_which_somebody_is_registered_is_larger_and_finer(mirror: Mirror) -> None:
    read = piped(mirror)
    coarse, fine = shot(1, 640, 480), shot(1, 1600, 900)
    mirror.show(coarse)
    before = next_picture(read)
    mirror.show(replace(coarse, fine=True))
    assert len(next_picture(read).jpeg) > len(before.jpeg)
    mirror.show(replace(fine, fine=True))
    assert next_picture(read).info.width == 1280
    os.close(read)


def test_only_the_newest_frame_is_made_a_picture_once_somebody_reads(mirror: Mirror) -> None:
    read = piped(mirror)
    mirror.show(shot(0))
    for number in range(1, 50):  # nobody reads: the first blocks, and the others take each other's place
        mirror.show(shot(number))
    first = next_picture(read)
    second = next_picture(read)
    assert first.info.t <= second.info.t
    assert second.info.t == 49.0
    assert mirror.sent <= 2
    os.close(read)


def test_a_reader_that_ends_in_the_middle_of_a_picture_makes_room_for_another(mirror: Mirror) -> None:
    read = piped(mirror)
    mirror.show(shot(1))
    os.read(read, 1000)
    os.close(read)
    again = piped(mirror)
    mirror.show(shot(2))
    assert next_picture(again).info.t == 2.0
    os.close(again)


def test_it_ends_while_a_picture_waits_for_its_reader() -> None:
    mirror = Mirror(KioskSettings())
    read = piped(mirror)
    mirror.show(shot(1))
    os.read(read, 1000)  # it is in the middle of it now
    mirror.close()
    assert not any(thread.name == "blinkd-mirror" and thread.is_alive() for thread in threading.enumerate())
    while os.read(read, 1 << 16):
        pass
    os.close(read)
    mirror.close()


def test_without_a_reader_from_the_start_frames_go_nowhere(mirror: Mirror) -> None:
    for number in range(100):
        mirror.show(shot(0) if number == 0 else shot(1))
    assert mirror.sent == 0
