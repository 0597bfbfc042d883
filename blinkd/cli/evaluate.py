"""The verbs evaluate …: accuracy on data that the reader has."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from blinkd.cli import attack_kit
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.daemon import Parts
from blinkd.errors import MediaError
from blinkd.measure.pairs import read_pairs, score_pairs
from blinkd.measure.verification import verification

app = typer.Typer(no_args_is_help=True)
attack_kit.register(app)


@app.callback()
def _group() -> None:
    """Keep `verify` a verb of its own."""


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
