"""The verb evaluate kit: makes attack clips for evaluate pad."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.errors import MediaError
from blinkd.measure.attacks.kit import (
    DEFAULT_PER_SPECIES,
    DEFAULT_SECONDS,
    DEFAULT_SEED,
    described,
    prepare,
    species_named,
    write_kit,
)
from blinkd.measure.attacks.sources import find_sources, survey
from blinkd.models.media import fetch_media
from blinkd.parts import Parts

MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the verb to the group `evaluate`."""
    app.command("kit")(kit)


def kit(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for bonafide/ and attack/SPECIES/.")],
    sources: Annotated[
        list[Path] | None, typer.Option("--from", metavar="DIR|FILE", help="Bona fide clips and pictures (default: the sample media).")
    ] = None,
    species: Annotated[list[str] | None, typer.Option("--species", metavar="NAME", help="Only this species; may be repeated.")] = None,
    per_species: Annotated[int, typer.Option("--per-species", min=1, max=1000, help="Clips of each species.")] = DEFAULT_PER_SPECIES,
    seconds: Annotated[float, typer.Option("--seconds", min=2.0, max=60.0, help="Length of a clip.")] = DEFAULT_SECONDS,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same kit.")] = DEFAULT_SEED,
    force: Annotated[bool, typer.Option("--force", help="Replace the kit that is in OUT.")] = False,
    as_json: bool = JsonFlag,
) -> None:
    """Make attack clips (photos, replays, swaps, injections) from bona fide clips and pictures, laid out for `evaluate pad OUT`."""
    wanted = species_named(species or [])
    paths = find_sources(sources or [fetch_media()])
    prepare(out, force, paths)
    parts = Parts(context.obj)
    with Progress(console=notes(), transient=True) as bar:

        def looking(paths: Iterable[Path]) -> Iterator[Path]:
            yield from bar.track(list(paths), description="looking at sources")

        def making(clips: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
            todo = list(clips)
            task = bar.add_task("making clips", total=len(todo))
            for name, variant in todo:
                bar.update(task, description=f"{name} {variant + 1}")
                yield name, variant
                bar.advance(task)

        stock = survey(paths, parts.analyser, parts.reader, parts.settings.liveness, looking)
        if not stock.clips and not stock.portraits:
            raise MediaError("no usable source: " + "; ".join(one.reason for one in stock.refused))
        made = write_kit(out, stock, wanted, per_species, seconds, seed, making)
    err = notes()
    for one in made.refused:
        err.print(f"refused: {one.reason}", markup=False)
    if as_json:
        print_json(described(made, out, seed, seconds))
    else:
        written = sum(one.bytes for one in made.attacks) / MEGABYTE
        console().print(
            f"{len(made.attacks)} attack clips of {len({one.species for one in made.attacks})} species ({written:.0f} MB), "
            f"{len(made.bonafide)} bona fide clips in {out}",
            markup=False,
        )
    if not made.attacks:
        raise MediaError("no attack clip could be made from these sources")
