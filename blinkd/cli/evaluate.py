"""The verbs evaluate …: accuracy on data that the reader has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from blinkd.cli import evaluate_kit, evaluate_pad, evaluate_people
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.errors import MediaError
from blinkd.measure.pairs import Integers, read_pairs, score_pairs
from blinkd.measure.portraits import Portraits
from blinkd.measure.verification import verification
from blinkd.parts import Parts

app = typer.Typer(no_args_is_help=True, help="Accuracy on labelled data.")


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

        def progress(order: Integers) -> Iterator[int]:
            yield from bar.track(order.tolist(), description="comparing")

        scored = score_pairs(pairs, Portraits(parts.analyser, parts.reader), progress)
    err = notes()
    for entry in scored.refused:
        err.print(f"skipped: {entry.reason}", markup=False)
    for group in scored.duplicates:
        err.print(f"the same picture: {', '.join(map(str, group))}", markup=False)
    if not scored.same.any() or scored.same.all():
        raise MediaError(
            f"{pairs_file}: no usable genuine and impostor pairs are left ({scored.skipped} of {len(pairs)} pairs skipped); add some of each"
        )
    figures = verification(scored.scores, scored.same, scored.folds)
    embedder = parts.embedder
    answer = {
        "pairs": len(pairs),
        "skipped": scored.skipped,
        "accuracy": round(figures.accuracy, 6),
        "accuracy_std": round(figures.accuracy_std, 6),
        "auc": round(figures.auc, 6),
        "tar": {rate: round(value, 6) for rate, value in figures.tar.items()},
        "tar_interval": {rate: [round(bound, 6) for bound in bounds] for rate, bounds in figures.tar_interval.items()},
        "threshold": {rate: round(value, 4) for rate, value in figures.threshold.items()},
        "genuine": int(scored.same.sum()),
        "impostor": int((~scored.same).sum()),
        "refused": [entry.as_json() for entry in scored.refused],
        "duplicates": {"pairs": scored.equal_pairs, "files": [[str(path) for path in group] for group in scored.duplicates]},
        "model": embedder.model_id,
        "model_precision": embedder.precision,
    }
    if as_json:
        print_json(answer)
        return
    out = console()
    out.print(f"{embedder.model_id} ({embedder.precision}): {len(pairs)} pairs, {scored.skipped} skipped")
    if scored.equal_pairs:
        out.print(f"{scored.equal_pairs} of them are labelled as different and hold the same picture twice: left out")
    out.print(f"accuracy {figures.accuracy:.2%} (standard deviation over folds {figures.accuracy_std:.2%}), AUC {figures.auc:.4f}")
    for rate, value in figures.tar.items():
        lower, upper = figures.tar_interval[rate]
        out.print(
            f"true accept rate {value:.2%} (95 % interval {lower:.2%} to {upper:.2%}) at false match rate {rate}, "
            f"threshold {figures.threshold[rate]:.3f}"
        )


evaluate_people.register(app)
evaluate_pad.register(app)
evaluate_kit.register(app)
