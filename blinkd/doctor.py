"""What a technician would check, each with what to do about it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from blinkd.capture.factory import open_source
from blinkd.clock import Clock
from blinkd.errors import BlinkdError, CameraLost
from blinkd.identity.thresholds import Rate
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import DATABASE_FILE
from blinkd.upkeep import last_run

UPKEEP_LATE = timedelta(days=3)

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and the remedy (empty when all is well)."""

    name: str
    status: Status
    detail: str
    fix: str


def examine(settings: Settings) -> Iterator[Check]:
    """Yield the checks one by one; a check that fails never stops the others."""
    parts = Parts(settings, gallery=True)
    looks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("state", lambda: _state(settings)),
        ("store", lambda: _store(parts)),
        ("models", lambda: _models(parts)),
        ("embedder", lambda: _embedder(parts)),
        ("threshold", lambda: _threshold(parts)),
        ("camera", lambda: _camera(settings)),
        ("upkeep", lambda: _upkeep(parts)),
        ("clock", lambda: _clock(parts.clock)),
    )
    for name, look in looks:
        try:
            yield look()
        except BlinkdError as error:
            yield Check(name, "fail", str(error), str(error).rsplit("; ", 1)[-1])


def _state(settings: Settings) -> Check:
    folder = settings.state_dir
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), Path("/"))
    free = shutil.disk_usage(there).free // 2**20
    wanted = settings.store.min_free_mb
    if free < wanted:
        return Check("state", "warn", f"{folder}: {free} MB free", f"free some space: at least {wanted} MB are wanted")
    return Check("state", "ok", f"{folder}: {free} MB free", "")


def _store(parts: Parts) -> Check:
    if not (parts.settings.state_dir / DATABASE_FILE).exists():
        return Check("store", "warn", "no database yet", "enrol somebody, or start the daemon")
    with parts.open_store(read_only=True) as store:
        parts.gallery(store)  # every template opens
        people, lacking = len(store.people.all()), len(store.people.lacking(parts.model_id))
    if lacking:
        detail = f"{people} people, of whom {lacking} have no template of {parts.model_id}, the model in force"
        return Check("store", "warn", detail, "enrol them again: blinkd people list says whom")
    return Check("store", "ok", f"integrity checked, {people} people", "")


def _upkeep(parts: Parts) -> Check:
    if not (parts.settings.state_dir / DATABASE_FILE).exists():
        return Check("upkeep", "ok", "nothing to keep up yet", "")
    with parts.open_store(read_only=True) as store:
        last, begun = last_run(store), store.book.head() is not None
    fix = "run blinkd upkeep, or let the daemon run, which does it once a day"
    if last is None:
        return Check("upkeep", "warn", "has never run", fix) if begun else Check("upkeep", "ok", "nothing to keep up yet", "")
    detail = f"last run {last:%Y-%m-%d %H:%M} UTC"
    late = not timedelta(0) <= parts.clock.now().utc - last <= UPKEEP_LATE
    return Check("upkeep", "warn", detail, fix) if late else Check("upkeep", "ok", detail, "")


def _models(parts: Parts) -> Check:
    manifest = parts.manifest
    checked = []
    for name, entry in manifest.models.items():
        for precision, file in entry.files.items():
            if file.committed:
                manifest.verified(name, precision)
                checked.append(f"{name} ({precision})")
    return Check("models", "ok", f"hashes agree: {', '.join(checked)}", "")


def _embedder(parts: Parts) -> Check:
    embedder = parts.embedder
    detail = f"{embedder.model_id} ({embedder.precision}), {embedder.dimension}-D"
    if parts.choice is not None:
        detail += f"; auto: {parts.choice.reason}"
    if embedder.precision == "simulated":
        return Check("embedder", "fail", f"{detail}: recognises nobody", "set vision.precision to auto")
    return Check("embedder", "ok", detail, "")


def _threshold(parts: Parts) -> Check:
    """The threshold in force for what is enrolled, and what it stands for."""
    templates = 0
    if (parts.settings.state_dir / DATABASE_FILE).exists():
        with parts.open_store(read_only=True) as store:
            templates = len(parts.gallery(store))
    point = parts.threshold_rule.at(templates)
    origin = {"model": "the model's own", "gallery": "raised for the gallery's size", "settings": "set in the settings"}[point.origin]
    detail = (
        f"match from {point.bands.match:.4f} ({origin}), uncertain from {point.bands.uncertain:.4f}, margin {point.margin:.2f}; "
        f"{templates} templates"
    )
    if point.fmr is None or point.fpir is None:
        unknown = f"{detail}; the false match rate of {parts.embedder.model_id} ({parts.embedder.precision}) is unknown"
        return Check("threshold", "warn", unknown, "measure it on pictures of many people: blinkd evaluate impostors DIR")
    detail += f"; false match rate {_rate(point.fmr)} per comparison, FPIR {_rate(point.fpir)} per look, wanted at most {point.wanted:g}"
    if point.origin == "settings" and point.fpir.value > point.wanted:
        advised = parts.threshold_rule.without_override(templates)
        return Check("threshold", "warn", detail, f"remove identity.match_threshold, or raise it to {advised:.4f}")
    return Check("threshold", "ok", detail, "")


def _rate(rate: Rate) -> str:
    return f"{rate.value:.1e} (95 % {rate.lower:.1e} to {rate.upper:.1e}{', extrapolated' if rate.extrapolated else ''})"


def _camera(settings: Settings) -> Check:
    source = open_source(settings.camera)
    try:
        source.open()
        frame = source.read()
        if frame is None:
            raise CameraLost(f"{source.name}: no frame; check the cable")
        height, width = frame.image.shape[:2]
        return Check("camera", "ok", f"{source.name}: {width}x{height}", "")
    finally:
        source.close()


def _clock(clock: Clock) -> Check:
    now = clock.now()
    detail = f"{now.utc:%Y-%m-%d %H:%M:%S} UTC, {now.confidence}"
    if now.confidence == "unsynced":
        return Check(
            "clock",
            "warn",
            detail,
            "connect to a network with NTP, or fit a clock with a battery, keep it right and set terminal.trust_hardware_clock; times are marked uncertain until then",
        )
    return Check("clock", "ok", detail, "")
