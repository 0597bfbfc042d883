"""Cues of a screen or a print held before the camera, beside its texture."""

from collections import deque
from collections.abc import Callable

from blinkd.capture.frame import Image
from blinkd.liveness.finding import Finding
from blinkd.liveness.light import FlickerWatch, GlareWatch
from blinkd.liveness.moire import MoireWatch
from blinkd.vision.face import Face

WINDOW = 12  # looks
FEWEST = 3  # below so many nothing is said
BEZEL_DENY, BEZEL_DOUBT = 0.5, 0.25  # shares of the looks; edges that cross by chance (1 portrait in 150) do not last


class ScreenWatch:
    """Looks at the picture around the face a few times a second, and at its light in every frame."""

    def __init__(self, framed: Callable[[Image, Face], bool]) -> None:
        """Begin; framed: whether a face lies in a frame that goes on below its chin."""
        self._is_framed = framed
        self._framed: deque[bool] = deque(maxlen=WINDOW)
        self._moire, self._glare, self._flicker = MoireWatch(), GlareWatch(), FlickerWatch()

    def observe(self, image: Image, face: Face) -> None:
        """Take one look; image is the whole frame, uint8 (H, W, 3) BGR."""
        self._framed.append(self._is_framed(image, face))
        self._glare.observe(image, face)

    def observe_pattern(self, image: Image) -> None:
        """Look for a fine pattern, in a frame of its own: it costs as much as the rest."""
        self._moire.observe(image)

    def observe_light(self, image: Image, crop: Image) -> None:
        """Take every frame, with the aligned crop of the face, uint8 (112, 112, 3) BGR."""
        self._flicker.observe(image, crop)

    def findings(self) -> tuple[Finding, ...]:
        """One finding a cue."""
        return (self._bezel(), self._moire.finding(), self._glare.finding(), self._flicker.finding())

    def _bezel(self) -> Finding:
        if len(self._framed) < FEWEST:
            return Finding("bezel", "unsure", None)
        share = sum(self._framed) / len(self._framed)
        return Finding("bezel", "deny" if share >= BEZEL_DENY else "doubt" if share >= BEZEL_DOUBT else "open", share)
