"""`blinkd models bench`: times, measured accuracy beside them, the verdict on disk, and what `auto` makes of it."""

from typing import Any

from rich.table import Column, Table

from blinkd.cli.output import console, notes
from blinkd.errors import ModelError
from blinkd.models.bench import TIMED, Timing, time_forms
from blinkd.models.choice import choose, choose_precision
from blinkd.models.manifest import Manifest, ModelEntry
from blinkd.models.processor import Processor, read_processor
from blinkd.models.speeds import Machine, Speed, Speeds, write_verdict
from blinkd.settings import Settings

SHOWN_FMRS = ("1e-3", "1e-5")
WANTED_FPIR = 1e-3  # one stranger in a thousand, for the example below
GALLERIES = (10, 100, 1_000, 10_000)  # templates; what auto takes for as many


def run_bench(manifest: Manifest, settings: Settings, name: str | None, rounds: int) -> dict[str, Any]:
    """Time one embedder, or all that are here, and write the verdict when all were timed; returns what --json prints.

    Raises ModelError when the named one, or none at all, is here.
    """
    names = [name] if name else _present(manifest)
    if not names:
        raise ModelError(f"{manifest.models_dir}: no embedder is here; run: blinkd models build {manifest.default_embedder}")
    threads = settings.vision.threads
    with notes().status(f"timing {', '.join(names)}"):
        timings = time_forms(manifest, names, rounds, threads)
    processor = read_processor()
    machine = Machine.at_hand(processor, threads)
    speeds: Speeds = {(timing.model, timing.precision): timing.median_ms for timing in timings}
    report: dict[str, Any] = {"processor": machine.processor, "onnxruntime": machine.onnxruntime, "threads": threads, "rounds": rounds}
    report["models"] = [_model(manifest, manifest.entry(one), timings, speeds, processor) for one in names]
    if name:
        return {**report, "verdict": None, "auto": []}
    rows = [Speed(t.model, t.precision, round(t.median_ms, 3), manifest.entry(t.model).files[t.precision].sha256) for t in timings]
    verdict = None
    try:
        verdict = str(write_verdict(settings.state_dir, machine, rows))
    except ModelError as error:
        notes().print(f"the verdict is not kept, so auto goes by the processor's instructions: {error}", markup=False)
    return {**report, "verdict": verdict, "auto": _auto(manifest, settings, speeds, names, processor)}


def show(report: dict[str, Any]) -> None:
    """Print what `run_bench` returned, for people."""
    columns = ("model", "form", "ms", "95 %", "accuracy", *(f"TAR {fmr}" for fmr in SHOWN_FMRS), "int8/fp32")
    table = Table(*(Column(title, no_wrap=True) for title in columns), box=None, header_style="bold")
    for model in report["models"]:
        for precision, form in model["forms"].items():
            ratio = f"{model['int8_over_fp32']:.2f}" if precision == "int8" and model["int8_over_fp32"] else ""
            times = f"{form['median_ms']:.2f}", f"{form['p95_ms']:.2f}"
            shares = (_percent(form["accuracy"]), *(_percent(form["tar"].get(fmr)) for fmr in SHOWN_FMRS))
            table.add_row(model["model"], precision, *times, *shares, ratio)
    out = console()
    out.print(f"{report['processor']}, onnxruntime {report['onnxruntime']}, threads: {report['threads']}", markup=False)
    out.print(table)
    for model in report["models"]:
        out.print(f"precision auto, {model['model']}: {model['auto']['precision']}: {model['auto']['reason']}", markup=False)
    for row in report["auto"]:
        out.print(f"embedder auto, {row['templates']} templates: {row['reason']}", markup=False)
    if report["verdict"]:
        out.print(f"kept in {report['verdict']}", markup=False)


def _present(manifest: Manifest) -> list[str]:
    embedders = [entry for entry in manifest.models.values() if entry.kind == "embedder"]
    return [entry.name for entry in embedders if any(manifest.path(entry.name, form).exists() for form in TIMED if form in entry.files)]


def _model(manifest: Manifest, entry: ModelEntry, timings: list[Timing], speeds: Speeds, processor: Processor | None) -> dict[str, Any]:
    forms: dict[str, dict[str, Any]] = {}
    for timing in timings:
        if timing.model == entry.name:
            measured = entry.measured.get(timing.precision)
            forms[timing.precision] = {
                "median_ms": round(timing.median_ms, 3),
                "p95_ms": round(timing.p95_ms, 3),
                "accuracy": measured.accuracy if measured else None,
                "tar": {fmr: measured.tar[fmr] for fmr in SHOWN_FMRS if fmr in measured.tar} if measured else {},
            }
    ratio = round(forms["int8"]["median_ms"] / forms["fp32"]["median_ms"], 3) if len(forms) == len(TIMED) else None
    precision, reason = choose_precision(manifest, entry.name, speeds, processor)
    return {"model": entry.name, "forms": forms, "int8_over_fp32": ratio, "auto": {"precision": precision, "reason": reason}}


def _auto(manifest: Manifest, settings: Settings, speeds: Speeds, names: list[str], processor: Processor | None) -> list[dict[str, Any]]:
    rows = []
    for templates in GALLERIES:
        fmr = WANTED_FPIR / templates
        choice = choose(manifest, speeds, fmr, settings.vision.visit_budget_ms, set(names), processor)
        rows.append({"templates": templates, "fmr": fmr, "model": choice.name, "precision": choice.precision, "reason": choice.reason})
    return rows


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
