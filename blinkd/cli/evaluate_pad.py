"""The verb evaluate pad: presentation attacks on clips that the reader has."""

import functools
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from blinkd.cli.output import JsonFlag, console, notes, one_line, print_json
from blinkd.errors import MediaError
from blinkd.measure.pad import BONA_FIDE, Anyone, OpenDoor, Outcome, find_clips, judge_clips, summary
from blinkd.parts import REPLAY_SEED, Parts


def register(app: typer.Typer) -> None:
    """Add the verb to the group."""
    app.command("pad")(pad)


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
        terminal = functools.partial(parts.main_line, Anyone(), OpenDoor(), str, REPLAY_SEED)
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
