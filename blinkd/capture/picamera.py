"""The Raspberry Pi's own cameras by picamera2, which Raspberry Pi OS brings with libcamera."""

import time
from typing import Any

import numpy as np

from blinkd.capture.frame import Frame
from blinkd.capture.transform import upright
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings


class PiCamera:
    """The first camera that libcamera sees."""

    live = True
    name = "picamera2"

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._camera: Any = None
        self._index = 0

    def open(self) -> None:
        """Start the camera. Raises CameraLost with the remedy."""
        try:
            from picamera2 import Picamera2  # noqa: PLC0415  exists on Raspberry Pi OS only
        except ImportError as error:
            raise CameraLost(
                f"picamera2: cannot be imported ({error}); apt install python3-picamera2, venv with --system-site-packages"
            ) from None
        settings = self._settings
        controls: dict[str, Any] = {"FrameRate": settings.fps, "ExposureValue": settings.exposure_ev}
        if settings.exposure_us is not None:
            controls |= {"AeEnable": False, "ExposureTime": settings.exposure_us}
        try:
            self._camera = Picamera2()
            # libcamera's RGB888 has its bytes in the order blue, green, red, which is what OpenCV wants
            size = {"size": (settings.width, settings.height), "format": "RGB888"}
            self._camera.configure(self._camera.create_video_configuration(main=size, controls=controls, buffer_count=3))
            self._camera.start()
        except (RuntimeError, IndexError) as error:
            self.close()
            raise CameraLost(f"picamera2: no camera answers ({error}); check the ribbon cable, and: rpicam-hello --list-cameras") from None
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame with the sensor's own time. Raises CameraLost."""
        if self._camera is None:
            raise CameraLost("picamera2: not open")
        try:
            request = self._camera.capture_request()
            try:
                image, metadata = np.array(request.make_array("main"), np.uint8), request.get_metadata()
            finally:
                request.release()
        except RuntimeError as error:
            raise CameraLost(f"picamera2: {error}") from None
        stamp = metadata.get("SensorTimestamp")
        t = time.monotonic() if stamp is None else stamp / 1e9
        frame = Frame(upright(image[:, :, :3], self._settings.rotation, self._settings.mirror), t, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Release the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def has_pi_camera() -> bool:
    """Whether picamera2 is installed and sees a camera."""
    try:
        from picamera2 import Picamera2  # noqa: PLC0415
    except ImportError:
        return False
    return bool(Picamera2.global_camera_info())
