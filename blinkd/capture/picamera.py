"""The Raspberry Pi's own cameras by picamera2, which Raspberry Pi OS brings with libcamera."""

import time
from typing import Any

import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.transform import upright
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings

REQUEST_TIMEOUT_S = 3.0  # picamera2 would wait for ever for a camera whose cable came off; old releases take no limit and still do
BUFFERS = 3  # one in the sensor, one waiting, one in our hands; fewer drop frames, more age


class PiCamera:
    """The first camera that libcamera sees. Frames carry the sensor's own time."""

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        self.name = "picamera2"
        self._settings = settings
        self._camera: Any = None
        self._index = 0

    def open(self) -> None:
        """Start the camera. Raises CameraLost with the remedy."""
        self.close()
        try:
            from picamera2 import Picamera2  # noqa: PLC0415  exists on Raspberry Pi OS only
        except (ImportError, OSError) as error:  # OSError: a library that it needs is broken
            raise CameraLost(
                f"picamera2: cannot be imported ({error}); apt install python3-picamera2 (Raspberry Pi OS) and make the virtual environment "
                "with --system-site-packages, or set camera.driver to v4l2"
            ) from None
        settings = self._settings
        controls: dict[str, Any] = {"FrameRate": settings.fps, "ExposureValue": settings.exposure_ev}
        if settings.exposure_us is not None:
            controls |= {"AeEnable": False, "ExposureTime": settings.exposure_us}
        try:
            self._camera = Picamera2()
            # libcamera's RGB888 has its bytes in the order blue, green, red, which is what OpenCV wants
            main = {"size": (settings.width, settings.height), "format": "RGB888"}
            self._camera.configure(self._camera.create_video_configuration(main=main, controls=controls, buffer_count=BUFFERS))
            self._camera.start()
        except (RuntimeError, IndexError, OSError) as error:
            self.close()
            raise CameraLost(
                f"picamera2: no camera starts ({error}); check the ribbon cable, that no other program uses it, and: rpicam-hello --list-cameras"
            ) from None
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame; t is the sensor's time stamp in seconds. Raises CameraLost."""
        if self._camera is None:
            raise CameraLost("picamera2: not open")
        try:
            request = self._camera.capture_request(wait=REQUEST_TIMEOUT_S)
            try:
                image, metadata = request.make_array("main"), request.get_metadata()
                # a copy: the buffer goes back to the camera. The fourth channel of some formats is dropped.
                image = np.array(image[:, :, :3], np.uint8, order="C")
            finally:
                request.release()
        except TimeoutError:
            raise CameraLost(f"picamera2: no frame within {REQUEST_TIMEOUT_S:g} s; check the ribbon cable") from None
        except (RuntimeError, OSError) as error:
            raise CameraLost(f"picamera2: {error}; check the ribbon cable") from None
        stamp_ns = metadata.get("SensorTimestamp")
        t = time.monotonic() if stamp_ns is None else stamp_ns / 1e9
        frame = Frame(upright(image, self._settings.rotation, self._settings.mirror), t, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Stop and release the camera, also one that has failed."""
        camera, self._camera = self._camera, None
        if camera is None:
            return
        try:
            camera.close()
        except (RuntimeError, OSError):
            return  # a camera that is gone cannot be stopped; the next opening tells


def has_pi_camera() -> bool:
    """Whether picamera2 is installed and sees a camera."""
    try:
        from picamera2 import Picamera2  # noqa: PLC0415
    except (ImportError, OSError):
        return False
    try:
        return bool(Picamera2.global_camera_info())
    except RuntimeError:
        return False
