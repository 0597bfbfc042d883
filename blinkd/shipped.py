"""Finds what comes beside the package: the folders models and config."""

import sys
from pathlib import Path

import blinkd


def shipped(folder: str, member: str) -> Path:
    """The folder beside the package in a checkout, known by a file in it, else the one that the wheel installed below the interpreter's prefix."""
    beside = Path(blinkd.__file__).resolve().parent.parent / folder
    if (beside / member).is_file():
        return beside
    return Path(sys.prefix) / "share" / "blinkd" / folder
