"""Which source the settings mean."""

from pathlib import Path

from blinkd.capture.files import PICTURE_SUFFIXES, PictureFolder, VideoFile
from blinkd.capture.frame import FrameSource
from blinkd.capture.opencv import GStreamerCamera, StreamCamera, V4l2Camera
from blinkd.capture.picamera import PiCamera, has_pi_camera
from blinkd.errors import ConfigError
from blinkd.settings import CameraSettings


def source_for(path: Path, camera: CameraSettings) -> FrameSource:
    """A recording: a folder of pictures, a single picture's folder form, or a video file. Not opened yet."""
    if path.is_dir() and any(one.suffix.lower() in PICTURE_SUFFIXES for one in path.iterdir()):
        return PictureFolder(path, camera.fps, camera.rotation, camera.mirror)
    return VideoFile(path, camera.rotation, camera.mirror)


def open_source(camera: CameraSettings) -> FrameSource:
    """The source that the settings name; not opened yet. `auto` takes the Pi's camera where there is one, else V4L2."""
    if camera.driver in ("file", "folder"):
        if camera.path is None:
            raise ConfigError(f"camera.driver is '{camera.driver}', so camera.path must name the {camera.driver}")
        return source_for(camera.path, camera)
    if camera.driver == "picamera2" or (camera.driver == "auto" and has_pi_camera()):
        return PiCamera(camera)
    if camera.driver == "stream":
        return StreamCamera(camera)
    if camera.driver == "gstreamer":
        return GStreamerCamera(camera)
    return V4l2Camera(camera)
