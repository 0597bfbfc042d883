"""From pictures or a recording of one person to templates worth keeping for years."""

from collections.abc import Iterable
from dataclasses import dataclass

from blinkd.capture.frame import Frame, Image
from blinkd.errors import EnrolmentRefused
from blinkd.identity.matcher import Bands, fuse
from blinkd.settings import VisionSettings
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.face import Embedding, Face
from blinkd.vision.quality import Flaw
from blinkd.vision.reader import FaceReader, Sample

SECOND_FACE_SHARE = 0.6  # a second face this large makes a picture ambiguous: nobody is enrolled by guess
VIDEO_TEMPLATES = 5  # templates taken from a recording
VIDEO_SPACING_S = 0.4  # and at least so far apart, so that they show different moments

REMEDIES: dict[Flaw, str] = {
    "too_small": "come closer, or use a picture in which the face is larger",
    "blurred": "hold still, or use a sharper picture",
    "turned_away": "look straight into the camera",
    "bad_light": "use more even light on the face",
    "covered": "uncover the face",
}


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """An embedding that passed the gate, float32 (D,), with its quality 0..1 and where it came from."""

    embedding: Embedding
    quality: float
    source: str


class Enroller:
    """Gates every picture by quality, and all of one person by agreement."""

    def __init__(self, analyser: FaceAnalyser, reader: FaceReader, settings: VisionSettings, bands: Bands) -> None:
        self._analyser = analyser
        self._reader = reader
        self._settings = settings
        self._bands = bands

    def from_picture(self, image: Image, source: str) -> NewTemplate:
        """One template from a picture, uint8 (H, W, 3) BGR, of one person.

        Raises EnrolmentRefused: no_face, several_faces, or the flaw of the face (too_small, blurred, turned_away, bad_light, covered).
        """
        faces = self._analyser.faces(image)
        if not faces:
            raise EnrolmentRefused("no_face", f"{source}: no face found; use a picture of one person looking into the camera")
        if len(faces) > 1 and faces[1].size >= SECOND_FACE_SHARE * faces[0].size:
            raise EnrolmentRefused("several_faces", f"{source}: {len(faces)} faces of similar size; crop the picture to one person")
        sample = self._reader.look(image, faces[0])
        self._gate(faces[0], sample, source)
        return NewTemplate(self._reader.embed(sample), sample.quality.score, source)

    def from_frames(self, frames: Iterable[Frame], source: str) -> list[NewTemplate]:
        """Up to VIDEO_TEMPLATES templates from a recording or camera: the best moments of its largest face.

        Raises EnrolmentRefused: no_face, several_people (the face changes), or the flaw of the best moment.
        """
        tracker = self._analyser.tracker()
        kept: list[tuple[float, Face, Sample]] = []
        best_refused: tuple[Face, Sample] | None = None
        for frame in frames:
            face = tracker.update(frame).face
            if face is None:
                continue
            sample = self._reader.look(frame.image, face)
            if face.eye_aspect_ratio < 0.1:  # in the middle of a blink
                continue
            if sample.quality.score < self._settings.enrol_min_quality:
                if best_refused is None or sample.quality.score > best_refused[1].quality.score:
                    best_refused = (face, sample)
                continue
            near = [one for one in kept if abs(one[0] - frame.t) < VIDEO_SPACING_S]
            if all(sample.quality.score > other.quality.score for _, _, other in near):
                kept = [one for one in kept if one not in near] + [(frame.t, face, sample)]
        if not kept:
            if best_refused is None:
                raise EnrolmentRefused("no_face", f"{source}: no face found in any frame")
            self._gate(*best_refused, source)
        kept.sort(key=lambda one: -one[2].quality.score)
        templates = [
            NewTemplate(self._reader.embed(sample), sample.quality.score, f"{source} at {t:.2f} s")
            for t, _, sample in kept[:VIDEO_TEMPLATES]
        ]
        self.agree(templates)
        return templates

    def agree(self, templates: list[NewTemplate]) -> None:
        """Raise EnrolmentRefused(several_people) unless all templates show the same person."""
        if len(templates) < 2:
            return
        for template in templates:
            others = [other.embedding for other in templates if other is not template]
            similarity = float(fuse(others) @ template.embedding)
            if similarity < self._bands.uncertain:
                raise EnrolmentRefused(
                    "several_people",
                    f"{template.source}: shows another person than the rest (similarity {similarity:.2f}); leave it out",
                )

    def _gate(self, face: Face, sample: Sample, source: str) -> None:
        quality = sample.quality
        if quality.score < self._settings.enrol_min_quality:
            width = round(face.width_between_cheeks)
            raise EnrolmentRefused(
                quality.flaw,
                f"{source}: quality {quality.score:.2f} is below {self._settings.enrol_min_quality:.2f} ({quality.flaw.replace('_', ' ')}, "
                f"face {width} pixels wide); {REMEDIES[quality.flaw]}",
            )
