"""Head turns by the ratio of the nose's distances to the two cheeks, and by the pose: both must say so.

The ratio alone runs wild where the mesh jitters on a small or moving picture; the pose comes from the mesh's depth, another way.
"""

from typing import Literal

from blinkd.settings import LivenessSettings
from blinkd.vision.face import Face

Side = Literal["left", "right"]
HOLD_MS = 100  # the head must stay turned for so long: one frame of jitter is no turn
POSE_DEG = 9.0  # yaw to the same side; where people pass the ratio's bounds the mesh's own yaw is 12 degrees at least
CENTRE_BAND = (0.6, 1.67)  # ratio of a head that looks straight ahead; a turn starts and the next one counts only from here


class TurnDetector:
    """Reports a turn once per movement from the centre to a side; sides as seen in the unmirrored picture."""

    def __init__(self, settings: LivenessSettings) -> None:
        self._left, self._right = settings.yaw_left, settings.yaw_right
        self._ready = False  # the head has been seen straight since the last turn
        self._since: tuple[Side, float] | None = None

    def observe(self, t: float, face: Face) -> Side | None:
        """Take one frame at t seconds; return the side when a turn is complete."""
        ratio = face.yaw_ratio
        if CENTRE_BAND[0] <= ratio <= CENTRE_BAND[1]:
            self._ready = True
        side: Side | None = None
        if ratio < self._left and face.pose.yaw <= -POSE_DEG:
            side = "left"
        elif ratio > self._right and face.pose.yaw >= POSE_DEG:
            side = "right"
        if side is None or not self._ready:
            self._since = None
            return None
        if self._since is None or self._since[0] != side:
            self._since = (side, t)
            return None
        if (t - self._since[1]) * 1000 < HOLD_MS:
            return None
        self._since = None
        self._ready = False
        return side
