import os
from pathlib import Path

import numpy as np
import pytest

from blinkd.capture import opencv
from blinkd.capture.opencv import GStreamerCamera, StreamCamera, V4l2Camera, frame_time, jetson_pipeline
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings


def settings(**values: object) -> CameraSettings:
    return CameraSettings.model_validate(values)


def test_a_missing_device_says_what_to_do() -> None:
    camera = V4l2Camera(settings(device="/dev/video97"))
    with pytest.raises(CameraLost, match=r"/dev/video97: no such device; plug the camera in"):
        camera.open()
    camera.close()
    with pytest.raises(CameraLost, match="not open"):
        camera.read()


def test_a_bare_number_is_a_device_file() -> None:
    assert V4l2Camera(settings(device="97")).name == "/dev/video97"


def test_a_regular_file_or_another_device_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"no device")
    with pytest.raises(CameraLost, match="is no camera device"):
        V4l2Camera(settings(device=str(tmp_path / "video0"))).open()
    with pytest.raises(CameraLost, match="/dev/null: does not open; another program may be using it"):
        V4l2Camera(settings(device="/dev/null")).open()


def test_no_permission_is_told_with_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_args: False)
    with pytest.raises(CameraLost, match="add the user to group video"):
        V4l2Camera(settings(device="/dev/null")).open()


class FakeVideoCapture:
    """The edge of OpenCV: what a V4L2 device answers."""

    def __init__(self, image: object) -> None:
        self.image = image
        self.set_to: dict[int, float] = {}

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, key: int, value: float) -> bool:
        self.set_to[key] = value
        return True

    def get(self, _key: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, object]:
        return self.image is not None, self.image

    def release(self) -> None:
        pass


@pytest.mark.parametrize(("exposure_us", "mode", "units"), [(None, 3, None), (8000, 1, 80)])
def test_exposure_is_set_in_the_driver_s_units(
    monkeypatch: pytest.MonkeyPatch, exposure_us: int | None, mode: int, units: int | None
) -> None:
    capture = FakeVideoCapture(np.zeros((4, 6, 3), np.uint8))
    monkeypatch.setattr(opencv.cv2, "VideoCapture", lambda *_args: capture)
    V4l2Camera(settings(device="/dev/null", exposure_us=exposure_us)).open()
    assert capture.set_to[opencv.cv2.CAP_PROP_AUTO_EXPOSURE] == mode
    assert capture.set_to.get(opencv.cv2.CAP_PROP_EXPOSURE) == units
    assert capture.set_to[opencv.cv2.CAP_PROP_BUFFERSIZE] == 1


def test_frames_are_turned_and_grey_ones_get_three_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = FakeVideoCapture(np.arange(24, dtype=np.uint8).reshape(4, 6))
    monkeypatch.setattr(opencv.cv2, "VideoCapture", lambda *_args: capture)
    camera = V4l2Camera(settings(device="/dev/null", rotation=90))
    camera.open()
    frame = camera.read()
    assert frame is not None
    assert frame.image.shape == (6, 4, 3)
    assert frame.image[0, -1].tolist() == [0, 0, 0]
    capture.image = None
    with pytest.raises(CameraLost, match="no frame came"):
        camera.read()


def test_the_driver_s_stamp_is_taken_only_if_it_is_of_our_clock() -> None:
    assert frame_time(99_950.0, now=100.0) == pytest.approx(99.95)
    assert frame_time(0.0, now=100.0) == 100.0
    assert frame_time(100_050.0, now=100.0) == 100.0
    assert frame_time(1.7e12, now=100.0) == 100.0
    assert frame_time(float("nan"), now=100.0) == 100.0


def test_a_stream_that_refuses_hides_the_password() -> None:
    camera = StreamCamera(settings(driver="stream", url="http://admin:hunter2@127.0.0.1:9/video?token=hunter3"))
    assert camera.name == "http://127.0.0.1:9/video"
    with pytest.raises(CameraLost, match=r"127\.0\.0\.1:9/video: gives no video") as caught:
        camera.open()
    assert "hunter" not in str(caught.value)


def test_jetson_s_pipeline_is_built_from_the_settings() -> None:
    pipeline = jetson_pipeline(settings(width=1280, height=720, fps=30, exposure_us=8000, exposure_ev=-4))
    assert pipeline.startswith('nvarguscamerasrc exposuretimerange="8000000 8000000" exposurecompensation=-2 ! ')
    assert "width=1280, height=720, framerate=30/1" in pipeline
    assert pipeline.endswith("appsink max-buffers=1 drop=true sync=false")
    assert "framerate=7500/1000" in jetson_pipeline(settings(fps=7.5))
    assert "exposure" not in jetson_pipeline(settings())


def test_a_given_pipeline_is_used_as_it_is() -> None:
    assert GStreamerCamera(settings(driver="gstreamer", pipeline="videotestsrc ! appsink")).pipeline == "videotestsrc ! appsink"


def test_an_opencv_without_gstreamer_says_which_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencv.cv2.videoio_registry, "getBackends", lambda: (opencv.cv2.CAP_FFMPEG, opencv.cv2.CAP_V4L2))
    with pytest.raises(CameraLost, match="install the python3-opencv of Debian or JetPack"):
        GStreamerCamera(settings(driver="gstreamer")).open()


def test_a_pipeline_that_does_not_start_is_told_without_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = FakeVideoCapture(None)
    monkeypatch.setattr(capture, "isOpened", lambda: False)
    monkeypatch.setattr(opencv.cv2.videoio_registry, "getBackends", lambda: (opencv.cv2.CAP_GSTREAMER,))
    monkeypatch.setattr(opencv.cv2, "VideoCapture", lambda *_args: capture)
    with pytest.raises(CameraLost, match="does not start") as caught:
        GStreamerCamera(settings(driver="gstreamer", pipeline="rtspsrc location=rtsp://a:hunter2@h/ ! appsink")).open()
    assert "hunter2" not in str(caught.value)
