"""Which source the settings mean."""

from pathlib import Path

from blinkd.capture.files import PICTURE_SUFFIXES, PictureFolder, VideoFile
from blinkd.capture.frame import FrameSource
from blinkd.capture.opencv import GStreamerCamera, StreamCamera, V4l2Camera
from blinkd.capture.picamera import PiCamera, has_pi_camera
from blinkd.errors import ConfigError
from blinkd.settings import CameraSettings


def source_for(path: Path, camera: CameraSettings | None = None) -> FrameSource:
    """A recording, not opened yet: a folder of pictures, a single picture, or else a video file.

    camera: gives rotation, mirror, and the rate of a folder of pictures; None for their defaults. What is wrong with the path is said by
    `open` of the source.
    """
    camera = CameraSettings() if camera is None else camera
    try:
        folder = path.is_dir()
    except OSError:  # a folder on the way to it that may not be entered; the file's own open explains it
        folder = False
    if folder or path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureFolder(path, camera.fps, camera.rotation, camera.mirror)
    return VideoFile(path, camera.rotation, camera.mirror)


def open_source(camera: CameraSettings) -> FrameSource:
    """The source that the settings name, not opened yet. `auto` takes the Pi's camera where one answers, else V4L2.

    Raises ConfigError when a recording is asked for and none is named.
    """
    match camera.driver:
        case "file" | "folder":
            if camera.path is None:
                raise ConfigError(f"camera.driver is '{camera.driver}', so camera.path must name the {camera.driver}")
            return source_for(camera.path, camera)
        case "picamera2":
            return PiCamera(camera)
        case "stream":
            return StreamCamera(camera)
        case "gstreamer":
            return GStreamerCamera(camera)
        case "v4l2":
            return V4l2Camera(camera)
        case "auto":
            return PiCamera(camera) if has_pi_camera() else V4l2Camera(camera)
