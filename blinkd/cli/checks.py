"""The verbs doctor and bench."""

from pathlib import Path
from typing import Annotated, Any

import typer

from blinkd.capture.pictures import read_picture
from blinkd.cli import bench_store
from blinkd.cli.config_file import config_file
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.doctor import Check, examine
from blinkd.measure import bench as measuring
from blinkd.models.media import fetch_media
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.vision.embedder import Embedder, open_embedder

BENCH_PICTURE = "single_face.jpg"
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("doctor")(doctor)
    app.command("bench")(bench)


def doctor(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Look at everything a technician would, and say what to do; exit code 1 when something fails."""
    out = console()
    checks: list[Check] = []
    for check in examine(context.obj, config_file(context)):
        checks.append(check)
        if not as_json:
            out.print(f"{MARKS[check.status]}  {check.name}: {check.detail}", markup=False)
            if check.fix and check.fix not in check.detail:
                out.print(f"      -> {check.fix}", markup=False)
    ok = all(check.status != "fail" for check in checks)
    if as_json:
        named = [{"name": one.name, "status": one.status, "detail": one.detail, "fix": one.fix} for one in checks]
        print_json({"ok": ok, "checks": named})
    if not ok:
        raise typer.Exit(1)


def bench(
    context: typer.Context,
    image: Annotated[Path | None, typer.Option("--image", help="A picture of one face (default: a pinned sample picture).")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=5, max=10_000, help="Measurements per stage.")] = 100,
    store: Annotated[bool, typer.Option("--store", help="Time the book instead, of a large site after weeks.")] = False,
    sync: Annotated[
        bool, typer.Option("--sync", help="Time the way to the relay instead; needs mosquitto and PostgreSQL installed.")
    ] = False,
    web: Annotated[bool, typer.Option("--web", help="Time the way from a decision to the display instead.")] = False,
    people: Annotated[int, typer.Option("--people", min=1, max=99_999, help="With --store or --sync.")] = bench_store.PEOPLE,
    punches: Annotated[int | None, typer.Option("--punches", min=100, max=10_000_000, help="With --store or --sync.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Time every stage at 640x480 with one thread, both precisions in turn, and 1:N search.

    With --store what the book takes, with --sync what the way to the relay takes, with --web what the way to the display takes.
    """
    if store or sync or web:
        _bench_other(context.obj, people, punches, "sync" if sync else "web" if web else "store", as_json=as_json)
        return
    parts = Parts(context.obj)
    picture = measuring.letterboxed(read_picture(image or fetch_media() / BENCH_PICTURE))
    chosen = parts.embedder
    embedders: dict[str, Embedder] = {chosen.precision: chosen}
    for precision in ("int8", "fp32"):
        if precision in parts.manifest.entry(chosen.model_id).files and precision not in embedders:
            embedders[precision] = open_embedder(parts.manifest, parts.settings.vision.model_copy(update={"precision": precision}))
    stages = measuring.stages(picture, parts.settings, parts.analyser, parts.eyes, embedders, repeats)
    memory = measuring.resident_mb()
    stages["embed_ms"] = stages[f"embed_{chosen.precision}_ms"]
    searching = measuring.search_figures(chosen.dimension, repeats)
    answer: dict[str, Any] = {
        "stages": {name: timing.as_json() for name, timing in stages.items()},
        "frame_ms": round(sum(stages[name].p50 for name in measuring.EVERY_CUE), 3),
        "search": searching.search_ms,
        "reading": searching.reading_ms,
        "search_ratio": searching.ratio,
        "rss_mb": memory,
        "model": chosen.model_id,
        "model_precision": chosen.precision,
    }
    if "embed_int8_ms" in stages and "embed_fp32_ms" in stages:
        answer["int8_speedup"] = round(stages["embed_fp32_ms"].p50 / stages["embed_int8_ms"].p50, 2)
    if as_json:
        print_json(answer)
        return
    out = console()
    for name, timing in stages.items():
        out.print(f"{name.removesuffix('_ms'):<12} {timing.p50:8.2f} ms median {timing.p95:8.2f} ms 95th percentile")
    out.print(f"a tracked frame with every passive cue costs {answer['frame_ms']:.2f} ms; embedding comes a few times a visit")
    for size, ms in answer["search"].items():
        reading, ratio = answer["reading"][size], answer["search_ratio"][size]
        out.print(f"1:N over {int(size):,} templates: {ms:.3f} ms, {ratio:.2f} times reading them from memory once ({reading:.3f} ms)")
    out.print(f"resident memory {memory:.0f} MB before the search galleries; {chosen.model_id} ({chosen.precision})")


def _bench_other(settings: Settings, people: int, punches: int | None, what: str, *, as_json: bool) -> None:
    if what == "web":
        from blinkd.cli import bench_web  # noqa: PLC0415  needs the packages of the pages

        found, show = bench_web.figures(settings), bench_web.show
    elif what == "sync":
        from blinkd.cli import bench_sync  # noqa: PLC0415  brings the whole of sync, which no other bench needs

        found, show = bench_sync.figures(settings, people, punches or bench_sync.PUNCHES), bench_sync.show
    else:
        found, show = bench_store.figures(settings, people, punches or bench_store.PUNCHES), bench_store.show
    if as_json:
        print_json(found)
    else:
        show(found)
