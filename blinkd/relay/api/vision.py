"""The terminal's own eyes behind the HTTP API, where they are installed: a relay does without them."""

import io
from typing import TYPE_CHECKING, Any

from blinkd.errors import MediaError, ModelError, RequestRefused
from blinkd.settings import Settings

if TYPE_CHECKING:
    from blinkd.parts import Parts

MOST_PIXELS = 50_000_000  # of a picture from the network: as many as a phone makes; half of what a file of one's own may have


class LocalVision:
    """Loads the networks at the first picture. Not for several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts: Parts | None = None

    def embed(self, picture: bytes) -> dict[str, Any]:
        """See PictureEmbedder."""
        parts = self._load()
        from blinkd.capture.pictures import decode_picture  # noqa: PLC0415  a relay without the vision parts must import this file

        try:
            image = decode_picture(io.BytesIO(picture), "the picture", MOST_PIXELS)
        except MediaError as error:
            raise RequestRefused(422, "no_picture", str(error)) from None
        try:
            faces = parts.analyser.faces(image)
            if not faces:
                raise RequestRefused(422, "no_face", "no face found; send a picture of a person looking into the camera")
            embedding = parts.reader.embed(parts.reader.look(image, faces[0]))
            embedder = parts.embedder
        except ModelError as error:
            raise _no_vision(str(error)) from None
        return {
            "embedding": [float(value) for value in embedding],
            "dimension": embedder.dimension,
            "model": embedder.model_id,
            "model_precision": embedder.precision,
        }

    def _load(self) -> "Parts":
        if self._parts is None:
            try:
                from blinkd.parts import Parts  # noqa: PLC0415  brings the networks' libraries, which a relay may not have
            except ImportError as error:
                raise _no_vision(f"it is installed without {error.name or 'them'}") from None
            self._parts = Parts(self._settings)
        return self._parts


def _no_vision(why: str) -> RequestRefused:
    return RequestRefused(501, "no_vision", f"this relay can't look at pictures ({why}); embed them on the device")
