"""1:1 verification figures from scores of genuine and impostor pairs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blinkd.measure.intervals import clopper_pearson

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
Folds = npt.NDArray[np.int64]

FMR_TARGETS = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
DEFAULT_FOLDS = 10


@dataclass(frozen=True, slots=True)
class Verification:
    """accuracy and accuracy_std: mean and standard deviation over folds, each judged by the threshold best on the other folds;
    auc: area under the ROC curve; tar and threshold: true accept rate and cosine threshold at each false match rate that the number
    of impostor pairs can show (at least one expected false match); tar_interval: the exact 95 % interval (Clopper-Pearson over the genuine
    pairs) of the true accept rate at that very threshold, which is taken as given.
    """  # fmt: skip

    accuracy: float
    accuracy_std: float
    auc: float
    tar: dict[str, float]
    tar_interval: dict[str, tuple[float, float]]
    threshold: dict[str, float]


def verification(scores: Scores, same: Labels, folds: Folds | None = None) -> Verification:
    """Compute the figures.

    scores: float64 (N,), cosine similarity of each pair; same: bool (N,), True for genuine pairs;
    folds: int (N,), or None for ten folds, dealt out in turn within genuine and within impostor pairs.
    Raises ValueError unless there are genuine and impostor pairs.
    """
    if same.all() or not same.any():
        raise ValueError("verification needs genuine and impostor pairs")
    if folds is None:
        folds = np.empty(len(scores), np.int64)
        for kind in (True, False):
            rows = np.flatnonzero(same == kind)
            folds[rows] = np.arange(len(rows)) % DEFAULT_FOLDS
    accuracies = [_fold_accuracy(scores, same, folds == fold) for fold in np.unique(folds)]
    genuine, impostor = np.sort(scores[same]), np.sort(scores[~same])
    threshold, tar, interval = {}, {}, {}
    for name, rate in FMR_TARGETS.items():
        if rate * len(impostor) >= 1:
            threshold[name] = threshold_at(impostor, rate)
            accepted = int(np.sum(genuine >= threshold[name]))
            tar[name] = accepted / len(genuine)
            interval[name] = clopper_pearson(accepted, len(genuine))
    return Verification(
        accuracy=float(np.mean(accuracies)),
        accuracy_std=float(np.std(accuracies)),
        auc=_auc(genuine, impostor),
        tar=tar,
        tar_interval=interval,
        threshold=threshold,
    )


def threshold_at(impostor_sorted: Scores, rate: float) -> float:
    """Lowest threshold whose false match rate (share of impostor scores at or above it) is at most `rate`; scores ascending."""
    allowed = int(rate * len(impostor_sorted))
    return float(np.nextafter(impostor_sorted[len(impostor_sorted) - 1 - allowed], np.inf))


def _fold_accuracy(scores: Scores, same: Labels, held_out: Labels) -> float:
    training = held_out if held_out.all() else ~held_out  # a single fold has nothing else to train on
    threshold = _best_threshold(scores[training], same[training])
    return float(np.mean((scores[held_out] >= threshold) == same[held_out]))


def _best_threshold(scores: Scores, same: Labels) -> float:
    """The threshold with the highest accuracy; of equals the middle of the first gap."""
    order = np.argsort(scores, kind="stable")
    ascending, label = scores[order], same[order]
    # accepting everything from position k on: correct are the impostors below it and the genuine pairs from it on
    correct = np.concatenate([[0], np.cumsum(~label)]) + np.concatenate([np.cumsum(label[::-1])[::-1], [0]])
    edges = np.concatenate([[ascending[0] - 1e-6], (ascending[1:] + ascending[:-1]) / 2, [ascending[-1] + 1e-6]])
    return float(edges[int(np.argmax(correct))])


def _auc(genuine: Scores, impostor: Scores) -> float:
    """Probability that a genuine pair scores above an impostor pair, ties counting half (Mann-Whitney)."""
    below = np.searchsorted(impostor, genuine, side="left")
    not_above = np.searchsorted(impostor, genuine, side="right")
    return float((below + not_above).sum() / 2 / (len(genuine) * len(impostor)))
