"""The networks of vision, opened once from the models folder, and the search for every face in a still picture."""

from blinkd.capture.frame import Image
from blinkd.models.manifest import Manifest
from blinkd.settings import VisionSettings
from blinkd.timing import NO_TIMING, Timing
from blinkd.vision.blendshapes import Blendshapes
from blinkd.vision.detector import BlazeFace
from blinkd.vision.face import Face
from blinkd.vision.litert import LiteNetwork, bundle_members
from blinkd.vision.mesh import FaceMesh
from blinkd.vision.tracker import FaceTracker, box_overlap, locate_twice

LANDMARKER, FULL_RANGE = "face_landmarker", "face_detection_full_range"  # their names in the manifest
SHORT_MEMBER, MESH_MEMBER, SHAPES_MEMBER = "face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite"
SAME_FACE = 0.3  # intersection over union above which two finds are one face


class FaceAnalyser:
    """Faces in still pictures, and trackers for moving ones. Raises ModelError when a network is missing or torn."""

    def __init__(self, manifest: Manifest, settings: VisionSettings) -> None:
        self._settings = settings
        bundle = manifest.verified(LANDMARKER)
        members = bundle_members(bundle.path, bundle.content, (SHORT_MEMBER, MESH_MEMBER, SHAPES_MEMBER))
        full = manifest.verified(FULL_RANGE)
        self._short = BlazeFace(LiteNetwork(SHORT_MEMBER, members[SHORT_MEMBER], settings.threads), settings.detection_score)
        self._full = BlazeFace(LiteNetwork(full.path.name, full.content, settings.threads), settings.detection_score)
        self.blendshapes = Blendshapes(LiteNetwork(SHAPES_MEMBER, members[SHAPES_MEMBER], settings.threads))
        self._mesh = FaceMesh(LiteNetwork(MESH_MEMBER, members[MESH_MEMBER], settings.threads))

    def tracker(self, timing: Timing = NO_TIMING) -> FaceTracker:
        """A tracker for one stream of frames, with the detector that the settings' range asks for."""
        detector = self._full if self._settings.detector_range == "long" else self._short
        return FaceTracker(detector, self._mesh, self._settings, timing)

    def faces(self, image: Image) -> list[Face]:
        """Every face in a still picture, largest first, by the area of its box.

        image: uint8 (H, W, 3) BGR. Both detectors look, since the short one misses small faces and the full one very large ones.
        """
        found: list[Face] = []
        for candidate in [*self._full.detect(image), *self._short.detect(image)]:
            face = locate_twice(self._mesh, image, candidate)
            if face.score < self._settings.presence_score:
                continue
            if all(box_overlap(face.bbox, other.bbox) < SAME_FACE for other in found):
                found.append(face)
        return sorted(found, key=lambda face: -face.bbox[2] * face.bbox[3])
