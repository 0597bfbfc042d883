"""What `auto` takes: the precision that is faster here and loses nothing that matters, and the embedder that the gallery needs.

Pure functions of the manifest, the files that are there, the processor and the verdict of `models bench`. Nothing is timed at start: a
terminal that chose by the clock could decide otherwise after each restart, and a replay would not be the same twice.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, ModelEntry, Precision
from blinkd.models.processor import Processor, int8_expected_faster
from blinkd.models.speeds import Speeds

# Of TAR at FMR 1e-3: how much INT8 may lose against FP32. One TAR near 98.4 % over LFW's 3,689 genuine pairs has a standard error of
# 0.2 points: a smaller bound would decide by chance, a larger one would pass what an uncareful quantisation loses (3 points).
INT8_MAX_TAR_LOSS = 0.003
INT8_HELD_AT_FMR = "1e-3"

# Share of looks at an enrolled person that must be recognised at the false match rate that the gallery demands. Of five looks three must
# agree: at 85 % a look that is 97 % of visits, were the looks independent.
GOOD_ENOUGH_TAR = 0.85
VISIT_EMBEDDINGS = 5  # a session wants three that agree; two more for looks that do not

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """name: of the embedder in the manifest; reason: for people, one clause a decision."""

    name: str
    precision: Precision
    reason: str


def tar_at(tar: Mapping[str, float], fmr: float) -> float:
    """True accept rate at a false match rate > 0, from a measured table keyed like "1e-3"; 0 where it says nothing.

    Between two points a straight line over log10 FMR; below the table the last segment continued; never above the nearest point beyond
    the table's ends, and never below 0.
    """
    points = sorted((float(np.log10(float(rate))), value) for rate, value in tar.items())
    wanted = float(np.log10(fmr))
    if not points:
        return 0.0
    if wanted >= points[0][0]:
        return float(np.interp(wanted, [x for x, _ in points], [y for _, y in points]))
    if len(points) == 1:
        return 0.0  # one point has no slope
    (x0, y0), (x1, y1) = points[:2]
    return float(np.clip(y0 + (y1 - y0) / (x1 - x0) * (wanted - x0), 0, y0))


def choose_precision(manifest: Manifest, name: str, speeds: Speeds, processor: Processor | None) -> tuple[Precision, str]:
    """The form of an embedder that `precision = "auto"` runs, and why; INT8 and FP32 of one model share their vectors' space.

    The faster one by the verdict, if both were timed, else by the processor's instructions; INT8 only if its measured accuracy holds. A
    missing file is passed over with a warning; when none is there, the last one is named, and opening it says how to bring it.
    Raises ModelError when the model has neither form.
    """
    entry = manifest.entry(name)
    wanted, reason = _wanted(entry, speeds, processor)
    order: tuple[Precision, ...] = ("int8", "fp32") if wanted == "int8" else ("fp32", "int8")
    known = [precision for precision in order if precision in entry.files]
    if not known:
        raise ModelError(f"model '{name}' has neither an int8 nor an fp32 form; name an embedder: blinkd models list")
    for precision in known:
        path = manifest.path(name, precision)
        if path.exists():
            return precision, reason if precision == wanted else f"{reason}, but only {precision} is here"
        if precision != known[-1]:
            log.warning("%s is missing, the next precision is used; bring it back with: blinkd models build %s", path, name)
    return known[-1], "no file is here"


def choose(
    manifest: Manifest,
    speeds: Speeds,
    needed_fmr: float | None,
    budget_ms: float,
    eligible: Collection[str],
    processor: Processor | None,
) -> Choice:
    """The embedder that `embedder = "auto"` takes.

    needed_fmr: false match rate that one comparison may have (wanted FPIR / templates); None without a gallery: the default embedder.
    budget_ms: what VISIT_EMBEDDINGS embeddings may cost together. eligible: the models for which everybody is enrolled; the manifest's
    default may always be taken, since templates of different models never mix and the default's are always made.

    The cheapest embedder that is good enough (GOOD_ENOUGH_TAR) and affordable; when none is good enough, the most accurate affordable
    one. What was never timed here is not known to be affordable, except the default.
    """
    default = manifest.default_embedder
    precision, why = choose_precision(manifest, default, speeds, processor)
    if needed_fmr is None:
        return Choice(default, precision, f"{default} is the default and no gallery asks for more; {precision}: {why}")
    candidates = [_Candidate(default, precision, why, speeds.get((default, precision)), _tar(manifest, default, precision, needed_fmr))]
    for entry in manifest.models.values():
        if entry.kind == "embedder" and entry.name in eligible and entry.name != default and _present(manifest, entry):
            form, reason = choose_precision(manifest, entry.name, speeds, processor)
            ms = speeds.get((entry.name, form))
            if ms is not None and ms * VISIT_EMBEDDINGS <= budget_ms:
                candidates.append(_Candidate(entry.name, form, reason, ms, _tar(manifest, entry.name, form, needed_fmr)))
    good = [candidate for candidate in candidates if candidate.tar >= GOOD_ENOUGH_TAR]
    if good:
        # an untimed default counts as the cheapest: it is the one made for every machine
        taken = min(good, key=lambda candidate: candidate.ms or 0.0)
        verdict = f"is the cheapest that recognises {GOOD_ENOUGH_TAR:.0%}"
    else:
        taken = max(candidates, key=lambda candidate: candidate.tar)
        verdict = f"is the most accurate within {budget_ms:g} ms a visit"
    return Choice(
        taken.name,
        taken.precision,
        f"{taken.name} {verdict} at FMR {needed_fmr:.1e} (TAR {taken.tar:.1%}); {taken.precision}: {taken.why}{_untimed(manifest, speeds, eligible)}",
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    precision: Precision
    why: str
    ms: float | None
    tar: float


def _wanted(entry: ModelEntry, speeds: Speeds, processor: Processor | None) -> tuple[Precision, str]:
    int8, fp32 = entry.measured.get("int8"), entry.measured.get("fp32")
    if int8 is None or fp32 is None or INT8_HELD_AT_FMR not in int8.tar or INT8_HELD_AT_FMR not in fp32.tar:
        return "fp32", "int8's accuracy was not measured against it"
    if fp32.tar[INT8_HELD_AT_FMR] - int8.tar[INT8_HELD_AT_FMR] > INT8_MAX_TAR_LOSS:
        return "fp32", f"int8 loses more than {INT8_MAX_TAR_LOSS:.1%} of TAR at FMR {INT8_HELD_AT_FMR}"
    fast, slow = speeds.get((entry.name, "int8")), speeds.get((entry.name, "fp32"))
    if fast is not None and slow is not None:
        faster: Precision = "int8" if fast <= slow else "fp32"
        return faster, f"faster here by models bench ({min(fast, slow):.1f} ms against {max(fast, slow):.1f})"
    expected, why = int8_expected_faster(processor)
    return ("int8" if expected else "fp32"), f"{why}, and models bench has not timed both here"


def _tar(manifest: Manifest, name: str, precision: Precision, fmr: float) -> float:
    measured = manifest.entry(name).measured.get(precision)
    return 0.0 if measured is None else tar_at(measured.tar, fmr)


def _present(manifest: Manifest, entry: ModelEntry) -> bool:
    return any(manifest.path(entry.name, precision).exists() for precision in entry.files)


def _untimed(manifest: Manifest, speeds: Speeds, eligible: Collection[str]) -> str:
    timed = {name for name, _ in speeds}
    left = [name for name in manifest.models if name in eligible and name not in timed and name != manifest.default_embedder]
    return f"; not timed here: {', '.join(left)} (run: blinkd models bench)" if left else ""
