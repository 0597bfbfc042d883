"""Cameras that OpenCV opens: V4L2 devices, network streams, GStreamer pipelines."""

import os
import time
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.address import without_credentials
from blinkd.capture.frame import Frame, Image
from blinkd.capture.quiet import quiet_opencv
from blinkd.capture.transform import upright
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings

STREAM_TIMEOUT_MS = 3000  # for opening and reading a network stream; the stall watch is faster for reading
MANUAL_EXPOSURE, AUTOMATIC_EXPOSURE = 1, 3  # V4L2_EXPOSURE_MANUAL, V4L2_EXPOSURE_APERTURE_PRIORITY (what UVC cameras call automatic)
V4L2_EXPOSURE_UNIT_US = 100  # V4L2 counts exposure in units of 100 microseconds
OLDEST_STAMP_S = 1.0  # a driver's stamp that is further from now is of another clock


class OpenCvCamera:
    """What the three kinds share: read, time, turn upright."""

    live = True

    def __init__(self, name: str, settings: CameraSettings) -> None:
        self.name = name
        self._settings = settings
        self._capture: cv2.VideoCapture | None = None
        self._index = 0

    def open(self) -> None:
        """Open the device. Raises CameraLost with the remedy."""
        self.close()
        quiet_opencv()
        self._capture = self._begin()
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame, with t in seconds of the monotonic clock. Raises CameraLost. May block as long as the driver does."""
        if self._capture is None:
            raise CameraLost(f"{self.name}: not open")
        got, image = self._capture.read()
        if not got or image is None:
            raise CameraLost(f"{self.name}: no frame came; unplugged or switched off? Check cable, power and network")
        frame = Frame(upright(_colour(image), self._settings.rotation, self._settings.mirror), self._time(self._capture), self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _begin(self) -> cv2.VideoCapture:
        raise NotImplementedError

    def _time(self, _capture: cv2.VideoCapture) -> float:
        return time.monotonic()


class V4l2Camera(OpenCvCamera):
    """A USB or platform camera by its device file, as /dev/video0 or just 0.

    Sizes and rate are wishes: a camera that lacks them takes its nearest. `exposure_ev` has no counterpart in V4L2 that OpenCV reaches.
    """

    def __init__(self, settings: CameraSettings) -> None:
        device = settings.device
        self._device = Path(f"/dev/video{device}" if device.isdigit() else device)
        super().__init__(str(self._device), settings)

    def _begin(self) -> cv2.VideoCapture:
        device = self._device
        if not device.exists():
            raise CameraLost(f"{device}: no such device; plug the camera in, or set camera.device (ls /dev/video*)")
        if not device.is_char_device():
            raise CameraLost(f"{device}: is no camera device; set camera.device to one of /dev/video*")
        if not os.access(device, os.R_OK | os.W_OK):
            raise CameraLost(f"{device}: no permission; add the user to group video")
        capture = cv2.VideoCapture(str(device), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraLost(f"{device}: does not open; another program may be using it (fuser {device}), or it is no camera")
        settings = self._settings
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))  # raw frames do not fit through USB 2 at full rate
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what waits in a buffer is old
        if settings.exposure_us is None:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, AUTOMATIC_EXPOSURE)  # a camera may remember the manual one of an earlier run
        else:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE)
            capture.set(cv2.CAP_PROP_EXPOSURE, settings.exposure_us / V4L2_EXPOSURE_UNIT_US)
        return capture

    def _time(self, capture: cv2.VideoCapture) -> float:
        return frame_time(float(capture.get(cv2.CAP_PROP_POS_MSEC)), time.monotonic())


class StreamCamera(OpenCvCamera):
    """RTSP, or MJPEG over HTTP, by OpenCV's FFmpeg. Frames are timed at their arrival: the sender's clock is another one."""

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(without_credentials(settings.url), settings)

    def _begin(self) -> cv2.VideoCapture:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_TIMEOUT_MS]
        capture = cv2.VideoCapture(self._settings.url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise CameraLost(f"{self.name}: gives no video; check address, network, user and password")
        return capture


class GStreamerCamera(OpenCvCamera):
    """A GStreamer pipeline, by default Jetson's camera."""

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__("gstreamer", settings)
        self.pipeline = settings.pipeline or jetson_pipeline(settings)

    def _begin(self) -> cv2.VideoCapture:
        if cv2.CAP_GSTREAMER not in cv2.videoio_registry.getBackends():
            raise CameraLost(
                "gstreamer: this OpenCV is built without GStreamer, as all wheels are; install the python3-opencv of Debian or JetPack and "
                "make the virtual environment with --system-site-packages and without opencv-python-headless"
            )
        capture = cv2.VideoCapture(self.pipeline, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            # the pipeline may hold an address with a password, so it is not printed
            raise CameraLost("gstreamer: the pipeline does not start; try it with gst-launch-1.0, its appsink replaced by fakesink")
        return capture


def jetson_pipeline(settings: CameraSettings) -> str:
    """From Jetson's camera to BGR frames, of which only the newest is kept. Exposure bias goes from -2 to 2, as the element allows."""
    source = "nvarguscamerasrc"
    if settings.exposure_us is not None:
        nanoseconds = settings.exposure_us * 1000
        source += f' exposuretimerange="{nanoseconds} {nanoseconds}"'
    if settings.exposure_ev:
        source += f" exposurecompensation={min(2.0, max(-2.0, settings.exposure_ev)):g}"
    rate = f"{round(settings.fps * 1000)}/1000" if settings.fps % 1 else f"{round(settings.fps)}/1"
    return (
        f"{source} ! video/x-raw(memory:NVMM), width={settings.width}, height={settings.height}, framerate={rate} ! "
        "nvvidconv ! video/x-raw, format=BGRx ! videoconvert ! video/x-raw, format=BGR ! appsink max-buffers=1 drop=true sync=false"
    )


def frame_time(stamp_ms: float, now: float) -> float:
    """The driver's own stamp in seconds if it is of the monotonic clock, as V4L2's mostly are, else `now`.

    stamp_ms: milliseconds; now: monotonic seconds at arrival. The stamp is free of the delays of transfer and decoding.
    """
    stamp = stamp_ms / 1000
    return stamp if now - OLDEST_STAMP_S <= stamp <= now else now


def _colour(image: object) -> Image:
    """BGR of whatever a camera gives: some are grey."""
    array = np.asarray(image, np.uint8)
    if array.ndim == 2 or array.shape[2] == 1:
        return np.asarray(cv2.cvtColor(array, cv2.COLOR_GRAY2BGR), np.uint8)
    return array
