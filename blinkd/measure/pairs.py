"""Scores labelled pairs of pictures with the terminal's own detection, alignment and embedder."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blinkd.capture.frame import Image
from blinkd.capture.pictures import read_picture
from blinkd.errors import MediaError
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.face import Embedding, Face
from blinkd.vision.reader import FaceReader

COMPARABLE_SHARE = 0.5  # faces at least so large as the largest may be the picture's subject; the one nearest the centre is


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, whether they show the same person, and the fold (None where the file has none)."""

    first: Path
    second: Path
    same: bool
    fold: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A picture that could not be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """scores, same: one entry a usable pair; folds likewise, or None; skipped: pairs left out; refused: pictures, each once."""

    scores: np.ndarray[tuple[int], np.dtype[np.float64]]
    same: np.ndarray[tuple[int], np.dtype[np.bool_]]
    folds: np.ndarray[tuple[int], np.dtype[np.int64]] | None
    skipped: int
    refused: list[Refused]


def read_pairs(path: Path) -> list[Pair]:
    """Read a CSV with the columns path1,path2,same[,fold]; relative paths start at the file's folder.

    `same` is 1/0, true/false or yes/no. Raises MediaError naming file, line and remedy.
    """
    truth = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    pairs: list[Pair] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"path1", "path2", "same"} - set(reader.fieldnames or [])
            if missing:
                raise MediaError(f"{path}: line 1: columns missing: {', '.join(sorted(missing))}; the file needs path1,path2,same[,fold]")
            for row in reader:
                where = f"{path}: line {reader.line_num}"
                label = (row["same"] or "").strip().lower()
                if label not in truth:
                    raise MediaError(f"{where}: same is {row['same']!r}; write 1 or 0")
                if not row["path1"] or not row["path2"]:
                    raise MediaError(f"{where}: path1 and path2 must not be empty")
                fold = (row.get("fold") or "").strip()
                if fold and not fold.lstrip("-").isdigit():
                    raise MediaError(f"{where}: fold is {fold!r}; write a whole number or leave it empty")
                pairs.append(Pair(path.parent / row["path1"], path.parent / row["path2"], truth[label], int(fold) if fold else None))
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise MediaError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise MediaError(f"{path}: cannot be read as CSV: {error}") from None
    if not pairs:
        raise MediaError(f"{path}: no pairs in it")
    return pairs


def subject(faces: list[Face], image: Image) -> Face:
    """The face that a portrait is about: of those of comparable size the one nearest the centre. `faces` is not empty, largest first."""
    height, width = image.shape[:2]

    def from_centre(face: Face) -> float:
        x, y, w, h = face.bbox
        return float(np.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2))

    return min((face for face in faces if face.size >= COMPARABLE_SHARE * faces[0].size), key=from_centre)


def score_pairs(
    pairs: list[Pair],
    analyser: FaceAnalyser,
    reader: FaceReader,
    progress: Callable[[Iterable[Path]], Iterable[Path]],
) -> ScoredPairs:
    """Embed every picture once, then score the pairs; memory is one embedding a picture.

    progress: wraps the list of pictures and yields them one by one (a progress bar).
    """
    embeddings: dict[Path, Embedding] = {}
    refused: list[Refused] = []
    for path in progress(sorted({path for pair in pairs for path in (pair.first, pair.second)})):
        try:
            image = read_picture(path)
        except MediaError as error:
            refused.append(Refused(path, str(error)))
            continue
        faces = analyser.faces(image)
        if not faces:
            refused.append(Refused(path, f"{path}: no face found"))
            continue
        embeddings[path] = reader.embed(reader.look(image, subject(faces, image)))
    usable = [pair for pair in pairs if pair.first in embeddings and pair.second in embeddings]
    folds = [pair.fold for pair in usable]
    return ScoredPairs(
        scores=np.array([float(embeddings[pair.first] @ embeddings[pair.second]) for pair in usable], np.float64),
        same=np.array([pair.same for pair in usable], np.bool_),
        folds=None if any(fold is None for fold in folds) else np.array(folds, np.int64),
        skipped=len(pairs) - len(usable),
        refused=refused,
    )
