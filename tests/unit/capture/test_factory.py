from pathlib import Path

import pytest

from blinkd.capture.factory import open_source, source_for
from blinkd.capture.files import PictureFolder, VideoFile
from blinkd.capture.frame import FrameSource
from blinkd.capture.opencv import GStreamerCamera, StreamCamera, V4l2Camera
from blinkd.capture.picamera import PiCamera
from blinkd.errors import ConfigError, MediaError
from blinkd.settings import CameraSettings


@pytest.mark.parametrize(
    ("values", "kind", "live"),
    [
        ({"driver": "v4l2"}, V4l2Camera, True),
        ({"driver": "picamera2"}, PiCamera, True),
        ({"driver": "gstreamer"}, GStreamerCamera, True),
        ({"driver": "stream", "url": "rtsp://h/s"}, StreamCamera, True),
        ({"driver": "file", "path": "a.mp4"}, VideoFile, False),
        ({"driver": "folder", "path": "."}, PictureFolder, False),
    ],
)
def test_each_driver_has_its_source(values: dict[str, str], kind: type[FrameSource], live: bool) -> None:
    source = open_source(CameraSettings.model_validate(values))
    assert type(source) is kind
    assert source.live is live
    assert source.name


def test_a_recording_is_told_by_what_is_there(tmp_path: Path) -> None:
    assert isinstance(source_for(tmp_path), PictureFolder)
    assert isinstance(source_for(tmp_path / "a.JPG"), PictureFolder)
    assert isinstance(source_for(tmp_path / "a.mov"), VideoFile)
    for missing in (tmp_path / "none.mp4", tmp_path / "none.jpg", tmp_path / "none", tmp_path):
        with pytest.raises(MediaError, match=missing.name):
            source_for(missing).open()


def test_a_driver_that_needs_a_path_says_so() -> None:
    camera = CameraSettings.model_construct(driver="file", path=None)
    with pytest.raises(ConfigError, match=r"camera\.path must name the file"):
        open_source(camera)
