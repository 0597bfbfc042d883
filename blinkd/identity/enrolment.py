"""From pictures or a recording of one person to templates worth keeping for years."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from blinkd.capture.frame import Frame, Image
from blinkd.errors import EnrolmentRefused
from blinkd.identity.matcher import Bands, fuse
from blinkd.identity.views import ADVICE, SIDE_YAW_DEG, View, view_of
from blinkd.settings import VisionSettings
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.embedder import Embedder
from blinkd.vision.face import Embedding, Face
from blinkd.vision.quality import FAR_YAW_DEG, Flaw, Quality
from blinkd.vision.reader import FaceReader, Sample
from blinkd.vision.tracker import FaceTracker

SECOND_FACE_SHARE = 0.6  # a second face this large makes a picture ambiguous: nobody is enrolled by guess
VIDEO_TEMPLATES = 5  # moments taken from a recording: one of each view, the rest from the front, from where the terminal sees people
VIDEO_SPACING_S = 0.4  # and at least so far apart, so that they show different moments
MID_BLINK_EAR = 0.1  # eye aspect ratio below which the eyes are shut: no template is made of a blink

REMEDIES: dict[Flaw, str] = {
    "too_small": "come closer, or use a picture in which the face is larger",
    "blurred": "hold still, or use a sharper picture",
    "turned_away": "look into the camera, or turn the head only a little",
    "bad_light": "use more even light on the face",
    "covered": "uncover the face",
}


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """One moment that passed the gate.

    vectors: float32 (D,), unit length, by the id of the model that made it; the model in force is always among them. quality: 0..1, as
    the gate judged it. label: the operator's word for how the person looks here, as "glasses", or nothing.
    """

    vectors: Mapping[str, Embedding]
    quality: float
    source: str
    view: View = "unknown"
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A face judged as a template: t in seconds of a recording; view None: turned too far; flaw: of the weakest component."""

    t: float
    face: Face
    sample: Sample
    view: View | None
    score: float
    flaw: Flaw


class Enroller:
    """Gates every picture by quality, and all of one person by agreement."""

    def __init__(
        self, analyser: FaceAnalyser, reader: FaceReader, embedders: Sequence[Embedder], settings: VisionSettings, bands: Bands
    ) -> None:
        """Take the parts. embedders: all that shall make templates, so that a later change of model locks nobody out; the reader's is one."""
        self._analyser = analyser
        self._reader = reader
        self._embedders = embedders
        self._settings = settings
        self._bands = bands

    def from_picture(self, image: Image, source: str, label: str = "") -> NewTemplate:
        """One template from a picture, uint8 (H, W, 3) BGR, not mirrored, of one person.

        Raises EnrolmentRefused: no_face, several_faces, or the flaw of the face (too_small, blurred, turned_away, bad_light, covered).
        """
        faces = self._analyser.faces(image)
        if not faces:
            raise EnrolmentRefused("no_face", f"{source}: no face found; use a picture of one person looking into the camera")
        if len(faces) > 1 and faces[1].size >= SECOND_FACE_SHARE * faces[0].size:
            raise EnrolmentRefused("several_faces", f"{source}: {len(faces)} faces of similar size; crop the picture to one person")
        look = self.look(image, faces[0], 0.0, mirrored=False)
        self._gate(look, source)
        return self.template(look, source, label)

    def from_frames(self, frames: Iterable[Frame], source: str, label: str = "", *, mirrored: bool = False) -> list[NewTemplate]:
        """Up to VIDEO_TEMPLATES templates from a recording or camera: the best moment of each view that its largest face shows, and more
        frontal ones. A view that was not seen is no reason to refuse.

        Raises EnrolmentRefused: no_face, several_people (the face changes), or the flaw of the best moment.
        """
        tracker = self._analyser.tracker()
        kept = {view: _Moments() for view in ADVICE}
        best_refused: Look | None = None
        for frame in frames:
            face = tracker.update(frame).face
            if face is None or face.eye_aspect_ratio < MID_BLINK_EAR:
                continue
            look = self.look(frame.image, face, frame.t, mirrored=mirrored)
            if look.view is None or not self.good(look):
                if best_refused is None or look.score > best_refused.score:
                    best_refused = look
                continue
            kept[look.view].offer(look)
        chosen = _chosen(kept)
        if not chosen:
            if best_refused is None:
                raise EnrolmentRefused("no_face", f"{source}: no face found in any frame")
            self._gate(best_refused, source)
        templates = [self.template(look, f"{source} at {look.t:.2f} s", label) for look in chosen]
        self.agree(templates)
        return templates

    def agree(self, templates: list[NewTemplate]) -> None:
        """Raise EnrolmentRefused(several_people) unless all templates show the same person, by the model in force."""
        if len(templates) < 2:
            return
        model = self._reader.embedder.model_id
        for template in templates:
            others = [other.vectors[model] for other in templates if other is not template]
            similarity = float(fuse(others) @ template.vectors[model])
            if similarity < self._bands.uncertain:
                raise EnrolmentRefused(
                    "several_people",
                    f"{template.source}: shows another person than the rest (similarity {similarity:.2f}); leave it out",
                )

    def tracker(self) -> FaceTracker:
        """For the frames of one camera or recording."""
        return self._analyser.tracker()

    def alone(self, image: Image) -> bool:
        """Whether the largest face of a picture has none of similar size beside it."""
        faces = self._analyser.faces(image)
        return len(faces) < 2 or faces[1].size < SECOND_FACE_SHARE * faces[0].size

    def good(self, look: Look) -> bool:
        """Whether a template may be made of it."""
        return look.view is not None and look.score >= self._settings.enrol_min_quality

    def look(self, image: Image, face: Face, t: float, *, mirrored: bool) -> Look:
        """Judge a face as a template. t: seconds of the recording."""
        sample = self._reader.look(image, face)
        view = view_of(face.pose.yaw, mirrored=mirrored)
        if view in (None, "front"):
            score, flaw = sample.quality.score, sample.quality.flaw
        else:
            score, flaw = _as_side_view(sample.quality, face.pose.yaw)
        return Look(t, face, sample, view, score, flaw)

    def template(self, look: Look, source: str, label: str) -> NewTemplate:
        """Let every model see it."""
        vectors = {embedder.model_id: embedder.embed([look.sample.crop])[0] for embedder in self._embedders}
        return NewTemplate(vectors, look.score, source, look.view or "unknown", label)

    def _gate(self, look: Look, source: str) -> None:
        if look.view is None:
            raise EnrolmentRefused(
                "turned_away",
                f"{source}: the head is turned by {abs(look.face.pose.yaw):.0f} degrees, at most {SIDE_YAW_DEG:.0f} are allowed; "
                f"{REMEDIES['turned_away']}",
            )
        if look.score < self._settings.enrol_min_quality:
            raise EnrolmentRefused(
                look.flaw,
                f"{source}: quality {look.score:.2f} is below {self._settings.enrol_min_quality:.2f} ({look.flaw.replace('_', ' ')}, "
                f"face {round(look.face.width_between_cheeks)} pixels wide); {REMEDIES[look.flaw]}",
            )


def _as_side_view(quality: Quality, yaw: float) -> tuple[float, Flaw]:
    """Score and flaw of a face that is meant to be turned: as `assess` gives them, but for the part that its yaw takes off."""
    parts: dict[Flaw, float] = {
        "too_small": quality.size,
        "blurred": quality.sharpness,
        "turned_away": min(1.0, quality.pose + (yaw / FAR_YAW_DEG) ** 2) if quality.pose > 0 else 0.0,
        "bad_light": quality.light,
        "covered": quality.occlusion,
    }
    score = 1.0
    for part in parts.values():
        score *= part
    return score, min(parts, key=lambda name: parts[name])


class _Moments:
    """The best moments of one view, VIDEO_SPACING_S apart: the best of each span of that length, of which neighbours may still be too near."""

    # each moment taken rules out at most its two neighbours, so an hour of video needs no more than these
    SPANS = 3 * VIDEO_TEMPLATES

    def __init__(self) -> None:
        self._best: dict[int, Look] = {}  # by number of the span

    def offer(self, look: Look) -> None:
        """Take a look in if it is among the best."""
        span = int(look.t / VIDEO_SPACING_S)
        if span not in self._best or look.score > self._best[span].score:
            self._best[span] = look
        if len(self._best) > self.SPANS:
            del self._best[min(self._best, key=lambda one: self._best[one].score)]

    def taken(self) -> list[Look]:
        """At most VIDEO_TEMPLATES, best first."""
        found: list[Look] = []
        for look in sorted(self._best.values(), key=lambda one: -one.score):
            if all(abs(look.t - other.t) >= VIDEO_SPACING_S for other in found):
                found.append(look)
        return found[:VIDEO_TEMPLATES]


def _chosen(kept: Mapping[View, _Moments]) -> list[Look]:
    """The best of each view, front first, then further frontal ones, best first."""
    taken = {view: moments.taken() for view, moments in kept.items()}
    first = [looks[0] for looks in taken.values() if looks]
    return (first + taken["front"][1:])[:VIDEO_TEMPLATES]
