"""From which side a face is seen, and what to ask of a person whose templates lack a side."""

from collections.abc import Iterable
from typing import Literal

View = Literal["front", "left", "right", "unknown"]
"""left and right are the person's own: `left` is the head turned towards the person's left shoulder. unknown: kept before views were."""

# Degrees of Pose.yaw, which reads 12.8 on a portrait taken 15 degrees from the side and 42.6 on one taken from 45.
FRONT_YAW_DEG = 10.0  # people who mean to look straight ahead read up to 9; half of LFW's pictures are within it
# On LFW folds 1 to 4, with MobileFaceNet: of pictures turned by up to 40 degrees 83 to 94 % reach 0.60 with a frontal one of the same
# person, as frontal ones do (83 %); beyond 40 it is 66 %. 35 leaves room for the error of the pose itself.
SIDE_YAW_DEG = 35.0

ADVICE: dict[View, str] = {
    "front": "look straight into the camera",
    "left": "turn the head a little to your left",
    "right": "turn the head a little to your right",
}


def view_of(yaw: float, *, mirrored: bool = False) -> View | None:
    """The view of a head by Pose.yaw in degrees, None when it is turned too far for a template.

    The nose of a head turned to its own left points to the right edge of the picture; mirrored: unless the picture is.
    """
    if abs(yaw) <= FRONT_YAW_DEG:
        return "front"
    if abs(yaw) > SIDE_YAW_DEG:
        return None
    return "left" if (yaw > 0) != mirrored else "right"


def missing(seen: Iterable[View]) -> list[View]:
    """The views that are not among these; nobody is refused for them, but they are worth asking for."""
    there = set(seen)
    return [view for view in ADVICE if view not in there]
