"""Cameras that OpenCV opens: V4L2 devices, network streams, GStreamer pipelines."""

import os
import re
import time
from pathlib import Path

import cv2
import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.transform import upright
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings

STREAM_TIMEOUT_MS = 3000  # for opening and reading a network stream; the stall watch is faster for reading
MANUAL_EXPOSURE, V4L2_EXPOSURE_UNIT_US = 1, 100  # V4L2 counts exposure in units of 100 microseconds


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
        self._capture = self._begin()
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame, timed at its arrival: V4L2's own stamps do not reach us through OpenCV. Raises CameraLost."""
        if self._capture is None:
            raise CameraLost(f"{self.name}: not open")
        got, image = self._capture.read()
        if not got or image is None:
            raise CameraLost(f"{self.name}: no frame came; unplugged, or used by another program")
        frame = Frame(upright(np.asarray(image, np.uint8), self._settings.rotation, self._settings.mirror), time.monotonic(), self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _begin(self) -> cv2.VideoCapture:
        raise CameraLost(f"{self.name}: no driver")


class V4l2Camera(OpenCvCamera):
    """A USB or platform camera by its device file."""

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings.device, settings)

    def _begin(self) -> cv2.VideoCapture:
        device = Path(self._settings.device)
        if not device.exists():
            raise CameraLost(f"{device}: no such device; plug the camera in, or set camera.device (ls /dev/video*)")
        if not device.is_char_device():
            raise CameraLost(f"{device}: is no camera device; set camera.device to one of /dev/video*")
        if not os.access(device, os.R_OK | os.W_OK):
            raise CameraLost(f"{device}: no permission; add the user to group video")
        capture = cv2.VideoCapture(str(device), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraLost(f"{device}: does not open; another program may be using it (fuser {device})")
        settings = self._settings
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))  # raw frames do not fit through USB 2 at full rate
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if settings.exposure_us is not None:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE)
            capture.set(cv2.CAP_PROP_EXPOSURE, settings.exposure_us / V4L2_EXPOSURE_UNIT_US)
        return capture


class StreamCamera(OpenCvCamera):
    """RTSP, or MJPEG over HTTP, by OpenCV's FFmpeg."""

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(without_credentials(settings.url), settings)

    def _begin(self) -> cv2.VideoCapture:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_TIMEOUT_MS]
        capture = cv2.VideoCapture(self._settings.url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise CameraLost(f"{self.name}: does not answer; check address, network and password")
        return capture


class GStreamerCamera(OpenCvCamera):
    """A GStreamer pipeline, by default Jetson's camera."""

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__("gstreamer", settings)
        self.pipeline = settings.pipeline or jetson_pipeline(settings)

    def _begin(self) -> cv2.VideoCapture:
        if cv2.CAP_GSTREAMER not in cv2.videoio_registry.getBackends():
            raise CameraLost("gstreamer: this OpenCV has no GStreamer; install python3-opencv and use a venv with --system-site-packages")
        capture = cv2.VideoCapture(self.pipeline, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            raise CameraLost(f"gstreamer: the pipeline does not start; try: gst-launch-1.0 {self.pipeline.rsplit(' ! ', 1)[0]} ! fakesink")
        return capture


def jetson_pipeline(settings: CameraSettings) -> str:
    """Nvarguscamerasrc to BGR frames, of which only the newest is kept."""
    exposure = f' exposuretimerange="{settings.exposure_us * 1000} {settings.exposure_us * 1000}"' if settings.exposure_us else ""
    return (
        f"nvarguscamerasrc{exposure} ! "
        f"video/x-raw(memory:NVMM), width={settings.width}, height={settings.height}, framerate={round(settings.fps)}/1 ! "
        "nvvidconv ! video/x-raw, format=BGRx ! videoconvert ! video/x-raw, format=BGR ! appsink max-buffers=1 drop=true sync=false"
    )


def without_credentials(url: str) -> str:
    """The address without user, password and query, for logs."""
    return re.sub(r"://[^/@]*@", "://", url).split("?")[0]
