"""Cues of a screen or a print held before the camera: bezel, moiré, glare, flicker."""

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding
from blinkd.vision.face import Face


class ScreenWatch:
    """Looks at the picture around the face a few times a second."""

    def observe(self, t: float, image: Image, face: Face) -> None:
        """Take one look."""

    def findings(self) -> tuple[Finding, ...]:
        """One finding a cue."""
        return ()
