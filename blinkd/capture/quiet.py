"""Keeps OpenCV and its FFmpeg from writing to standard error: they say what our own errors say better, and print addresses with passwords.

Also the one place for OpenCV's knobs that only exist as environment variables.
"""

import os

import cv2

_VARIABLES = {
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # AV_LOG_QUIET
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3",  # seconds; at the default of 10 an abandoned read holds the device that much longer
}


def quiet_opencv() -> None:
    """Call before every opening; OpenCV reads each variable once, at its first use. What the user has set in the environment wins."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
