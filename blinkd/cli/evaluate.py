"""The verbs evaluate …: accuracy on data that the reader has."""

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from blinkd.cli.output import JsonFlag, console, notes, one_line, print_json
from blinkd.daemon import REPLAY_SEED, Parts
from blinkd.errors import MediaError
from blinkd.measure.pad import BONA_FIDE, OpenDoor, Outcome, anyone, find_clips, judge_clips, summary
from blinkd.measure.pairs import read_pairs, score_pairs
from blinkd.measure.verification import verification

app = typer.Typer(no_args_is_help=True)


@app.command("verify")
def verify(
    context: typer.Context,
    pairs_file: Annotated[Path, typer.Argument(metavar="PAIRS.csv", help="Columns path1,path2,same[,fold].")],
    as_json: bool = JsonFlag,
) -> None:
    """1:1 accuracy on labelled pairs: folds, AUC, true accept rates and their thresholds; unusable pictures are listed."""
    parts = Parts(context.obj)
    pairs = read_pairs(pairs_file)
    with Progress(console=notes(), transient=True) as bar:

        def progress(paths: Iterable[Path]) -> Iterator[Path]:
            yield from bar.track(list(paths), description="embedding")

        scored = score_pairs(pairs, parts.analyser, parts.reader, progress)
    err = notes()
    for entry in scored.refused:
        err.print(f"skipped: {entry.reason}", markup=False)
    if not scored.same.any() or scored.same.all():
        raise MediaError(f"{pairs_file}: no usable genuine and impostor pairs are left ({scored.skipped} of {len(pairs)} pairs skipped)")
    figures = verification(scored.scores, scored.same, scored.folds)
    embedder = parts.embedder
    answer = {
        "pairs": len(pairs),
        "skipped": scored.skipped,
        "accuracy": round(figures.accuracy, 6),
        "accuracy_std": round(figures.accuracy_std, 6),
        "auc": round(figures.auc, 6),
        "tar": {rate: round(value, 6) for rate, value in figures.tar.items()},
        "threshold": {rate: round(value, 4) for rate, value in figures.threshold.items()},
        "model": embedder.model_id,
        "model_precision": embedder.precision,
    }
    if as_json:
        print_json(answer)
        return
    out = console()
    out.print(f"{embedder.model_id} ({embedder.precision}): {len(pairs)} pairs, {scored.skipped} skipped")
    out.print(f"accuracy {figures.accuracy:.2%} (standard deviation over folds {figures.accuracy_std:.2%}), AUC {figures.auc:.4f}")
    for rate, value in figures.tar.items():
        out.print(f"true accept rate {value:.2%} at false match rate {rate}, threshold {figures.threshold[rate]:.3f}")


@app.command("pad")
def pad(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="DIR/bonafide/CLIP and DIR/attack/SPECIES/CLIP; a clip is a video or a folder.")
    ],
    as_json: bool = JsonFlag,
) -> None:
    """Presentation attacks: how many of each species pass (APCER) and how many real people do not (BPCER), with 95 % upper bounds."""
    parts = Parts(context.obj)
    clips, unusable = find_clips(folder)
    outcomes: list[Outcome] = []
    with Progress(console=notes(), transient=True) as bar:
        terminal = functools.partial(parts.main_line, anyone, OpenDoor(), str, REPLAY_SEED)
        for result in bar.track(judge_clips(clips, parts.settings.camera, terminal), total=len(clips), description="watching"):
            (outcomes if isinstance(result, Outcome) else unusable).append(result)  # type: ignore[arg-type]
    err = notes()
    for entry in unusable:
        err.print(f"skipped: {entry.reason}", markup=False)
    if not outcomes:
        raise MediaError(f"{folder}: none of {len(clips)} clips can be read")
    found = summary(outcomes)
    if as_json:
        listed = [
            {
                "path": str(outcome.clip.path),
                "species": outcome.clip.species,
                "accepted": outcome.accepted,
                "reason": outcome.reason,
                "elapsed_s": outcome.elapsed_s,
                **outcome.details,
            }
            for outcome in outcomes
        ]
        skipped = [{"path": str(entry.path), "reason": entry.reason} for entry in unusable]
        print_json({**found, "policy": parts.settings.liveness.policy, "clips": listed, "skipped": skipped})
        return
    out = console()
    out.print(f"policy {parts.settings.liveness.policy}: {len(outcomes)} clips, {len(unusable)} skipped")
    table = Table("species", "clips", "accepted", "rate", "95 % upper bound")
    real = found["bonafide"]
    if real["n"]:
        table.add_row(BONA_FIDE, str(real["n"]), str(real["n"] - real["rejected"]), f"BPCER {real['bpcer']:.1%}", f"{real['upper95']:.1%}")
    for species, entry in found["attack"].items():
        table.add_row(species, str(entry["n"]), str(entry["accepted"]), f"APCER {entry['apcer']:.1%}", f"{entry['upper95']:.1%}")
    out.print(table)
    if real["decision_s"]:
        out.print(
            f"time to decision of bona fide clips: median {real['decision_s']['p50']:.1f} s, 95th percentile {real['decision_s']['p95']:.1f} s"
        )
    for outcome in outcomes:
        if outcome.accepted == (outcome.clip.species is not None):
            said = "accepted" if outcome.accepted else f"rejected: {outcome.reason}"
            out.print(f"{outcome.clip.path}: {said}  {one_line(outcome.details)}", markup=False)
