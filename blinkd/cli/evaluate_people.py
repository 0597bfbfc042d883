"""The verbs evaluate identify and evaluate impostors: figures from a folder of pictures per person."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress

from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.errors import MediaError
from blinkd.identity.thresholds import Rate
from blinkd.measure.collection import Collection, Subject, read_collection
from blinkd.measure.identification import Identification, cast_roles, identification
from blinkd.measure.impostors import METHOD, ImpostorFigures, impostor_figures
from blinkd.measure.intervals import CONFIDENCE, Share
from blinkd.measure.plot import plot_det
from blinkd.measure.portraits import Portraits, Refused
from blinkd.parts import Parts

PeopleFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder per person, with pictures in it.")]
SameOption = Annotated[
    list[str] | None, typer.Option("--same", metavar="A=B", help="The folders A and B show one person; may be given several times.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("identify")(identify)
    app.command("impostors")(impostors)


def identify(
    context: typer.Context,
    folder: PeopleFolder,
    enrol: Annotated[int, typer.Option("--enrol", min=1, max=100, help="Pictures enrolled of each person.")] = 1,
    strangers: Annotated[
        float,
        typer.Option("--strangers", min=0, max=1, help="Share of the people who are not enrolled, beside those with too few pictures."),
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Chooses the strangers.")] = 42,
    fused: Annotated[int, typer.Option("--fuse", min=1, max=20, help="Pictures of a person that make one probe.")] = 1,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="PNG", help="Draw the detection error trade-off.")] = None,
    same: SameOption = None,
    as_json: bool = JsonFlag,
) -> None:
    """1:N identification: enrol some pictures of each person, look for the rest and for strangers at the threshold in force."""
    parts = Parts(context.obj)
    collection = read_collection(folder, _same(same))
    roles = cast_roles(collection, enrol, strangers, seed)
    if not roles.enrolled:
        raise MediaError(
            f"{folder}: nobody is left to enrol: {enrol} pictures and one to look for are needed of a person; "
            "give more pictures, or lower --enrol or --strangers"
        )
    portraits = Portraits(parts.analyser, parts.reader)
    with Progress(console=notes(), transient=True) as bar:

        def progress(people: Iterable[Subject]) -> Iterator[Subject]:
            yield from bar.track(list(people), description="looking")

        found = identification(roles, enrol, portraits, parts.matcher, progress, fused)
    refused = [*collection.refused, *portraits.refused]
    _list_left_out(collection, refused)
    if found.point.templates == 0:
        raise MediaError(f"{folder}: nobody could be enrolled, {len(refused)} pictures were refused; give pictures of one face each")
    if plot is not None:
        if not found.det:
            raise MediaError(f"{folder}: nothing to plot: pictures of enrolled people and of strangers are needed; raise --strangers")
        operating = (found.fpir.value or 0.0, found.fnir.value or 0.0)
        plot_det(found.det, operating, f"{parts.embedder.model_id} ({parts.embedder.precision}), {found.point.templates} templates", plot)
    if as_json:
        print_json(_identify_answer(found, collection, refused, parts))
    else:
        _identify_words(found, collection, refused, parts)


def impostors(context: typer.Context, folder: PeopleFolder, same: SameOption = None, as_json: bool = JsonFlag) -> None:
    """How often two different people look alike to the model: the table of thresholds that models/manifest.toml keeps."""
    parts = Parts(context.obj)
    collection = read_collection(folder, _same(same))
    portraits = Portraits(parts.analyser, parts.reader)
    vectors, owners = [], []
    with Progress(console=notes(), transient=True) as bar:
        for number, person in enumerate(bar.track(collection.people, description="embedding")):
            embedded = [embedding for path in person.pictures if (embedding := portraits.embed(path)) is not None]
            vectors += embedded
            owners += [number] * len(embedded)
    refused = [*collection.refused, *portraits.refused]
    _list_left_out(collection, refused)
    if len(set(owners)) < 2:
        raise MediaError(f"{folder}: usable pictures of two people at least are needed, found those of {len(set(owners))}")
    with Progress(console=notes(), transient=True) as bar:
        try:
            found = impostor_figures(np.stack(vectors), np.array(owners), lambda steps: iter(bar.track(steps, description="comparing")))
        except ValueError as error:
            raise MediaError(f"{folder}: {error}; add pictures of more people") from None
    embedder = parts.embedder
    if as_json:
        table = {
            "fmr": list(found.fmr),
            "threshold": list(found.threshold),
            "lower": [float(f"{bound:.2e}") for bound in found.lower],
            "upper": [float(f"{bound:.2e}") for bound in found.upper],
        }
        counts = {"people": found.people, "pictures": found.pictures, "pairs": found.pairs}
        left_out = {"refused": [entry.as_json() for entry in refused], "duplicates": _groups(collection)}
        model = {"model": embedder.model_id, "model_precision": embedder.precision}
        print_json({**counts, "method": METHOD, **table, **left_out, **model})
        return
    console().print(_toml(found, embedder.precision), markup=False)


def _same(given: list[str] | None) -> list[tuple[str, str]]:
    pairs = []
    for text in given or []:
        one, sign, other = text.partition("=")
        if not (one and sign and other):
            raise typer.BadParameter(f"--same {text}: write two folder names, as in A=B")
        pairs.append((one, other))
    return pairs


def _groups(collection: Collection) -> list[list[str]]:
    return [[str(path) for path in group] for group in collection.duplicates]


def _list_left_out(collection: Collection, refused: list[Refused]) -> None:
    err = notes()
    for entry in refused:
        err.print(f"skipped: {entry.reason}", markup=False)
    for group in collection.duplicates:
        err.print(f"the same picture: {', '.join(map(str, group))}", markup=False)


def _share(share: Share) -> dict[str, Any]:
    value = None if share.value is None else round(share.value, 6)
    return {"value": value, "lower95": round(share.lower, 6), "upper95": round(share.upper, 6), "count": share.count, "n": share.n}


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    bounds = {"value": float(f"{rate.value:.2e}"), "lower95": float(f"{rate.lower:.2e}"), "upper95": float(f"{rate.upper:.2e}")}
    return {**bounds, "extrapolated": rate.extrapolated}


def probes_needed(fpir: float) -> int:
    """How many strangers' probes, none of them taken for anybody, put the interval's upper bound at the wanted FPIR."""
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log1p(-fpir))


def _identify_answer(found: Identification, collection: Collection, refused: list[Refused], parts: Parts) -> dict[str, Any]:
    point = found.point
    return {
        "people": found.people + found.strangers,
        "enrolled": found.people,
        "strangers": found.strangers,
        "templates": point.templates,
        "probes": {"mated": found.rank1.n, "strangers": found.fpir.n},
        "rank1": _share(found.rank1),
        "threshold": round(point.bands.match, 4),
        "threshold_origin": point.origin,
        "margin": point.margin,
        "expected_fmr": _rate(point.fmr),
        "expected_fpir": _rate(point.fpir),
        "fpir": _share(found.fpir),
        "fnir": _share(found.fnir),
        "as_other": found.as_other,
        "fpir_wanted": point.wanted,
        "fpir_shown": found.fpir_shown,
        "fpir_upper95": round(found.fpir.upper, 6),
        "at_fpir": {name: {"threshold": round(at, 4), "fnir": _share(share)} for name, (at, share) in found.targets.items()},
        "det": [{"threshold": round(one.threshold, 4), "fpir": round(one.fpir, 6), "fnir": round(one.fnir, 6)} for one in found.det],
        "interval": "Clopper-Pearson, 95 %",
        "refused": [entry.as_json() for entry in refused],
        "duplicates": _groups(collection),
        "model": parts.embedder.model_id,
        "model_precision": parts.embedder.precision,
    }


def _in_words(share: Share) -> str:
    if share.value is None:
        return "no probes"
    return f"{share.value:.3%} ({share.count} of {share.n}; 95 % interval {share.lower:.3%} to {share.upper:.3%})"


def _identify_words(found: Identification, collection: Collection, refused: list[Refused], parts: Parts) -> None:
    out, point = console(), found.point
    out.print(
        f"{parts.embedder.model_id} ({parts.embedder.precision}): {found.people} people enrolled with {point.templates} templates, "
        f"{found.strangers} strangers; {len(refused)} files refused, {len(collection.duplicates)} pictures there more than once"
    )
    out.print(f"nearest is the right person: {_in_words(found.rank1)}")
    out.print(f"at the threshold in force, {point.bands.match:.4f} ({point.origin}), margin {point.margin:.2f}:")
    out.print(f"  strangers taken for somebody (FPIR): {_in_words(found.fpir)}")
    out.print(f"  enrolled people not recognised (FNIR): {_in_words(found.fnir)}; taken for somebody else: {found.as_other}")
    for name, (threshold, share) in found.targets.items():
        out.print(f"  at FPIR {name}, threshold {threshold:.4f}: FNIR {_in_words(share)}")
    if found.fpir_shown:
        out.print(f"an FPIR of {point.wanted:g} or less is shown by these strangers")
    elif found.fpir.n == 0:
        out.print("no strangers: nothing is known about the FPIR; raise --strangers")
    elif found.fpir.n < (needed := probes_needed(point.wanted)):
        out.print(
            f"the strangers are too few to show an FPIR of {point.wanted:g}: the upper bound is {found.fpir.upper:.3%}; "
            f"{needed} pictures of strangers, none of them taken for anybody, would"
        )
    else:
        out.print(f"an FPIR of {point.wanted:g} or less is not shown: the upper bound is {found.fpir.upper:.3%}")


def _toml(found: ImpostorFigures, precision: str) -> str:
    def listed(values: Iterable[float], form: str) -> str:
        return "[" + ", ".join(format(value, form) for value in values) + "]"

    return "\n".join(
        [
            f"[model.impostor.{precision}]",
            f'method = "{METHOD}"',
            'data = "…"',
            f"people = {found.people}",
            f"pictures = {found.pictures}",
            f"pairs = {found.pairs}",
            f"fmr = {listed(found.fmr, '.0e')}",
            f"threshold = {listed(found.threshold, '.4f')}",
            f"lower = {listed(found.lower, '.2e')}",
            f"upper = {listed(found.upper, '.2e')}",
        ]
    )
