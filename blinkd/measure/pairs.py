"""Labelled pairs of pictures: the list of them, and their scores by the terminal's own detection, alignment and embedder."""

import csv
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blinkd.errors import MediaError
from blinkd.measure.portraits import Portraits, Refused, equal_files
from blinkd.vision.face import Embedding

KEPT = 20_000  # embeddings kept at a time: 15 MB at 192-D, and enough that most lists need each picture once
TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Progress = Callable[[Integers], Iterator[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of pictures: some 25 bytes each, however long the paths.

    paths: every picture once, sorted; first, second: int64 (N,), positions in it; same: bool (N,), whether both show the same person;
    folds: int64 (N,), or None where not every line has one.
    """

    paths: list[Path]
    first: Integers
    second: Integers
    same: Flags
    folds: Integers | None

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.same)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """scores, same: one entry a usable pair, in the file's order; folds likewise, or None.

    skipped: pairs left out, for a picture of theirs was refused, or they are labelled as different and yet byte for byte the same
    (equal_pairs of them); refused: pictures, each once; duplicates: groups of byte-equal pictures.
    """

    scores: npt.NDArray[np.float64]
    same: Flags
    folds: Integers | None
    skipped: int
    equal_pairs: int
    refused: list[Refused]
    duplicates: list[tuple[Path, ...]]


def read_pairs(path: Path) -> Pairs:
    """Read a CSV with the columns path1,path2,same[,fold]; relative paths start at the file's folder.

    `same` is 1/0, true/false or yes/no. Raises MediaError naming file, line and remedy.
    """
    numbers: dict[str, int] = {}
    columns: tuple[list[int], list[int], list[bool], list[int]] = ([], [], [], [])
    without_fold = False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"path1", "path2", "same"} - set(reader.fieldnames or [])
            if missing:
                raise MediaError(f"{path}: line 1: columns missing: {', '.join(sorted(missing))}; the file needs path1,path2,same[,fold]")
            for row in reader:
                first, second, same, fold = _checked(row, f"{path}: line {reader.line_num}")
                columns[0].append(numbers.setdefault(first, len(numbers)))
                columns[1].append(numbers.setdefault(second, len(numbers)))
                columns[2].append(same)
                columns[3].append(fold or 0)
                without_fold = without_fold or fold is None
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file; check the spelling") from None
    except UnicodeDecodeError as error:
        raise MediaError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise MediaError(f"{path}: cannot be read as CSV: {error}; save it as CSV with the columns path1,path2,same[,fold]") from None
    if not columns[0]:
        raise MediaError(f"{path}: no pairs in it; write a line path1,path2,same for each")
    names = sorted(numbers)
    place = np.empty(len(names), np.int64)
    place[[numbers[name] for name in names]] = np.arange(len(names))
    return Pairs(
        [path.parent / name for name in names],
        place[columns[0]],
        place[columns[1]],
        np.array(columns[2], np.bool_),
        None if without_fold else np.array(columns[3], np.int64),
    )


def _checked(row: dict[str, str | None], where: str) -> tuple[str, str, bool, int | None]:
    label = (row["same"] or "").strip().lower()
    if label not in TRUTH:
        raise MediaError(f"{where}: same is {row['same']!r}; write 1 or 0")
    first, second = row["path1"], row["path2"]
    if not first or not second or "\0" in first + second:
        raise MediaError(f"{where}: path1 and path2 must not be empty; write the paths of two pictures")
    fold = (row.get("fold") or "").strip()
    try:
        return first, second, TRUTH[label], int(fold) if fold else None
    except ValueError:
        raise MediaError(f"{where}: fold is {fold!r}; write a whole number or leave it empty") from None


def score_pairs(pairs: Pairs, portraits: Portraits, progress: Progress, kept: int = KEPT) -> ScoredPairs:
    """Score the pairs. Every picture is embedded once where no more than `kept` are named, and memory is bounded by them where there are.

    progress: wraps the order in which the pairs are looked at, and yields it one by one (a progress bar). Beyond `kept` pictures the pairs
    are taken block by block, a block being the pairs between two halves of what may be kept, so that few pictures are embedded again.
    """
    duplicates = equal_files(pairs.paths)
    content = {path: number for number, group in enumerate(duplicates) for path in group}
    remembered = _Remembered(pairs.paths, portraits, kept)
    scores = np.full(len(pairs), np.nan)
    equal_pairs = 0
    half = max(1, kept // 2)
    for row in progress(np.lexsort((pairs.second // half, pairs.first // half))):
        one, other = int(pairs.first[row]), int(pairs.second[row])
        equal = one == other or content.get(pairs.paths[one], -1) == content.get(pairs.paths[other], -2)
        if equal and not pairs.same[row]:
            equal_pairs += 1
            continue
        left, right = remembered[one], remembered[other]
        if left is not None and right is not None:
            scores[row] = float(left @ right)
    usable = ~np.isnan(scores)
    return ScoredPairs(
        scores=scores[usable],
        same=pairs.same[usable],
        folds=None if pairs.folds is None else pairs.folds[usable],
        skipped=int((~usable).sum()),
        equal_pairs=equal_pairs,
        refused=sorted(portraits.refused, key=lambda one: one.path),
        duplicates=duplicates,
    )


class _Remembered:
    """Embeddings by number of the picture, the least recently used forgotten first; a refused picture is never tried again."""

    def __init__(self, paths: list[Path], portraits: Portraits, kept: int) -> None:
        self._paths = paths
        self._portraits = portraits
        self._kept = max(2, kept)
        self._held: OrderedDict[int, Embedding] = OrderedDict()
        self._refused: set[int] = set()

    def __getitem__(self, number: int) -> Embedding | None:
        if number in self._refused:
            return None
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        embedding = self._portraits.embed(self._paths[number])
        if embedding is None:
            self._refused.add(number)
            return None
        self._held[number] = embedding
        if len(self._held) > self._kept:
            self._held.popitem(last=False)
        return embedding
