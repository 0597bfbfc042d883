import sys
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from blinkd.capture.factory import open_source
from blinkd.capture.opencv import V4l2Camera
from blinkd.capture.picamera import REQUEST_TIMEOUT_S, PiCamera, has_pi_camera
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings


class FakeRequest:
    """One buffer of the camera, which is used again once it is released."""

    def __init__(self, number: int, metadata: dict[str, Any]) -> None:
        self.array = np.full((48, 64, 4), number, np.uint8)
        self.metadata = metadata
        self.released = False

    def make_array(self, name: str) -> np.ndarray:
        assert name == "main"
        assert not self.released
        return self.array

    def get_metadata(self) -> dict[str, Any]:
        return self.metadata

    def release(self) -> None:
        self.released = True
        self.array[:] = 255  # the camera writes the next picture into it


class FakePicamera2:
    """Behaves as picamera2.Picamera2 does, as far as blinkd uses it."""

    cameras: ClassVar[list[dict[str, str]]] = [{"Model": "imx708"}]
    made: ClassVar[list["FakePicamera2"]] = []

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.config: dict[str, Any] = {}
        self.requests: list[FakeRequest] = []
        self.error: Exception | None = None
        self.stamps = True
        self.made.append(self)
        if not self.cameras:
            raise RuntimeError("Camera __init__ sequence did not complete.")

    @classmethod
    def global_camera_info(cls) -> list[dict[str, str]]:
        return cls.cameras

    def create_video_configuration(self, **config: Any) -> dict[str, Any]:
        return config

    def configure(self, config: dict[str, Any]) -> None:
        self.config = config

    def start(self) -> None:
        self.calls.append("start")

    def capture_request(self, wait: float) -> FakeRequest:
        assert wait == REQUEST_TIMEOUT_S
        if self.error is not None:
            raise self.error
        number = len(self.requests)
        self.requests.append(FakeRequest(number, {"SensorTimestamp": 5_000_000_000 + number * 66_000_000} if self.stamps else {}))
        return self.requests[-1]

    def close(self) -> None:
        self.calls.append("close")
        if self.error is not None:
            raise RuntimeError("already gone")


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    module = ModuleType("picamera2")
    module.Picamera2 = FakePicamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(FakePicamera2, "made", [])
    return FakePicamera2


@pytest.fixture
def no_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)  # makes the import fail, installed or not


def opened(**values: object) -> PiCamera:
    camera = PiCamera(CameraSettings.model_validate(values))
    camera.open()
    return camera


def test_frames_carry_the_sensor_s_time_and_survive_the_buffer(picamera2: type[FakePicamera2]) -> None:
    camera = opened()
    frames = [camera.read(), camera.read()]
    assert [frame.t for frame in frames if frame] == pytest.approx([5.0, 5.066])
    assert [frame.index for frame in frames if frame] == [0, 1]
    assert [int(frame.image.max()) for frame in frames if frame] == [0, 1]
    assert all(frame.image.shape == (48, 64, 3) and frame.image.flags.c_contiguous for frame in frames if frame)
    assert all(request.released for request in picamera2.made[0].requests)


def test_a_frame_without_a_sensor_time_is_timed_at_its_arrival(picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    camera = opened()
    picamera2.made[0].stamps = False
    monkeypatch.setattr("blinkd.capture.picamera.time.monotonic", lambda: 77.0)
    frame = camera.read()
    assert frame is not None
    assert frame.t == 77.0


def test_sizes_and_exposure_reach_the_camera(picamera2: type[FakePicamera2]) -> None:
    opened(width=800, height=600, fps=20, exposure_ev=-1.5)
    assert picamera2.made[0].config["main"] == {"size": (800, 600), "format": "RGB888"}
    assert picamera2.made[0].config["controls"] == {"FrameRate": 20, "ExposureValue": -1.5}
    opened(exposure_us=9000)
    assert picamera2.made[1].config["controls"]["ExposureTime"] == 9000
    assert picamera2.made[1].config["controls"]["AeEnable"] is False


def test_rotation_is_applied(picamera2: type[FakePicamera2]) -> None:
    frame = opened(rotation=90).read()
    assert frame is not None
    assert frame.image.shape == (64, 48, 3)
    assert len(picamera2.made) == 1


@pytest.mark.parametrize(
    ("error", "words"), [(TimeoutError(), "no frame within 3 s"), (RuntimeError("device vanished"), "device vanished")]
)
def test_a_camera_that_fails_is_lost_and_can_still_be_closed(picamera2: type[FakePicamera2], error: Exception, words: str) -> None:
    camera = opened()
    picamera2.made[0].error = error
    with pytest.raises(CameraLost, match=f"{words}.*ribbon cable"):
        camera.read()
    camera.close()
    camera.close()
    assert picamera2.made[0].calls == ["start", "close"]
    with pytest.raises(CameraLost, match="not open"):
        camera.read()


def test_no_camera_on_the_ribbon_is_lost_with_the_remedy(picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2, "cameras", [])
    with pytest.raises(CameraLost, match=r"no camera starts .*rpicam-hello --list-cameras"):
        opened()


@pytest.mark.usefixtures("no_picamera2")
def test_a_missing_picamera2_names_the_package_and_the_kind_of_environment() -> None:
    with pytest.raises(CameraLost, match=r"python3-picamera2.*--system-site-packages"):
        opened()
    assert not has_pi_camera()


def test_a_picamera2_whose_libraries_are_broken_is_lost_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise OSError("libcamera.so.0.5: cannot open shared object file")

    monkeypatch.setitem(sys.modules, "picamera2", Broken("picamera2"))
    with pytest.raises(CameraLost, match=r"cannot be imported \(libcamera.*python3-picamera2"):
        opened()
    assert not has_pi_camera()


@pytest.mark.usefixtures("no_picamera2")
def test_auto_takes_v4l2_where_there_is_no_picamera2() -> None:
    assert isinstance(open_source(CameraSettings()), V4l2Camera)


def test_auto_takes_the_pi_s_camera_where_one_answers(picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_source(CameraSettings()), PiCamera)
    monkeypatch.setattr(picamera2, "cameras", [])
    assert isinstance(open_source(CameraSettings()), V4l2Camera)
