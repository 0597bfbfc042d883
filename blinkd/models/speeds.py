"""The verdict of `blinkd models bench`: what each form of each embedder costs on this machine, kept in the state folder.

It counts only for what was timed: another file, processor, release of onnxruntime or number of threads, and it is as if there were none.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, Precision
from blinkd.models.packages import write_atomically
from blinkd.models.processor import Processor
from blinkd.models.runtime import import_onnxruntime

SPEED_FILE = "embedder_speed.json"
UNKNOWN_PROCESSOR = "unknown"

Speeds = Mapping[tuple[str, Precision], float]
"""Milliseconds for one embedding, by model and precision; empty when nothing that fits was timed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a time depends on, but for the network's file: processor's name, onnxruntime's version, threads."""

    processor: str
    onnxruntime: str
    threads: int

    @staticmethod
    def at_hand(processor: Processor | None, threads: int) -> "Machine":
        """This machine."""
        return Machine(UNKNOWN_PROCESSOR if processor is None else processor.name, str(import_onnxruntime().__version__), threads)


@dataclass(frozen=True, slots=True)
class Speed:
    """Median milliseconds of one embedding by the file of that sha256."""

    model: str
    precision: Precision
    ms: float
    sha256: str


def write_verdict(state_dir: Path, machine: Machine, speeds: Sequence[Speed]) -> Path:
    """Replace the verdict atomically and return its path. Raises ModelError naming the file when the folder cannot be written."""
    path = state_dir / SPEED_FILE
    text = json.dumps({**asdict(machine), "speeds": [asdict(speed) for speed in speeds]}, indent=1) + "\n"
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}; set BLINKD_STATE_DIR to a folder that can") from error
    return path


def fitting_speeds(state_dir: Path, manifest: Manifest, machine: Machine) -> Speeds:
    """What the verdict says of the manifest's files on this machine; a damaged verdict is passed over with a warning."""
    path = state_dir / SPEED_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = Machine(str(data["processor"]), str(data["onnxruntime"]), int(data["threads"]))
        rows = [Speed(str(row["model"]), row["precision"], float(row["ms"]), str(row["sha256"])) for row in data["speeds"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: not a verdict of models bench (%s); run it again: blinkd models bench", path, error)
        return {}
    if found != machine:
        return {}
    return {(row.model, row.precision): row.ms for row in rows if row.ms > 0 and _is_current(manifest, row)}


def _is_current(manifest: Manifest, row: Speed) -> bool:
    entry = manifest.models.get(row.model)
    if entry is None or row.precision not in get_args(Precision) or row.precision not in entry.files:
        return False
    return entry.files[row.precision].sha256 == row.sha256
