"""Presentation attack detection, measured: bona fide clips and attack clips through the very main line that works at the door.

Everybody counts as recognised here, so that what is measured is liveness and continuity alone: a clip is accepted when a session in it
would end in a punch. Terms and rates follow ISO/IEC 30107-3: APCER for each attack species, BPCER for bona fide clips.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from blinkd.attendance.punch import Direction, Punch, Punctuality, SyncState
from blinkd.capture.factory import source_for
from blinkd.errors import CameraLost, MediaError
from blinkd.identity.matcher import Identity
from blinkd.measure.intervals import upper_bound
from blinkd.session.events import Event
from blinkd.session.terminal import Terminal
from blinkd.settings import CameraSettings
from blinkd.vision.face import Embedding

BONA_FIDE, ATTACK = "bonafide", "attack"
ANYONE = "anyone"
NO_SESSION = "no_session"  # why a clip was not accepted in which nobody was ever looked at


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or a folder of pictures. species: None for a bona fide one."""

    path: Path
    species: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the terminal decided. reason: of the last refusal, or why there was none; elapsed_s: of the decision, from its session's start."""

    clip: Clip
    accepted: bool
    reason: str | None
    elapsed_s: float | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unusable:
    """Something in the folder that is no clip, and why."""

    path: Path
    reason: str


class OpenDoor:
    """A desk that turns nobody away and keeps nothing: liveness alone decides."""

    def attend(self, person_id: str, similarity: float, evidence: dict[str, Any]) -> Punch:  # noqa: ARG002  a desk's
        """A punch that stands in no book."""
        never = datetime.fromtimestamp(0, UTC)
        kept = SyncState.PENDING
        status, punctuality = Direction.CHECK_IN, Punctuality.ON_TIME
        return Punch("", 0, 0, person_id, never, 0.0, "", "replay", status, punctuality, 0, None, "", similarity, kept)

    def refuse(self, reason: str, person_id: str | None, similarity: float | None, evidence: dict[str, Any]) -> None:
        """Keep nothing."""


class Anyone:
    """Recognises everybody."""

    def identify(self, probe: Embedding) -> Identity:  # noqa: ARG002  a recogniser's
        """A match, whoever it is."""
        return Identity("match", ANYONE, 1.0, 0.0, 0.0)


def find_clips(folder: Path) -> tuple[list[Clip], list[Unusable]]:
    """Read DIR/bonafide/* and DIR/attack/SPECIES/*, each entry a video file or a folder of pictures; hidden files are left out.

    Returns the clips in a stable order and what is none. Raises MediaError when the folder is not laid out so or holds no clip.
    """
    layout = f"lay it out as {BONA_FIDE}/CLIP and {ATTACK}/SPECIES/CLIP"
    if not folder.is_dir():
        raise MediaError(f"{folder}: no such folder; {layout}")
    clips, unusable = [], []
    for entry in _entries(folder / BONA_FIDE):
        clips.append(Clip(entry, None))
    for species in _entries(folder / ATTACK):
        if not species.is_dir():
            unusable.append(Unusable(species, f"{species}: no folder of a species; {layout}"))
            continue
        found = _entries(species)
        clips += [Clip(entry, species.name) for entry in found]
        if not found:
            unusable.append(Unusable(species, f"{species}: empty"))
    if not clips:
        raise MediaError(f"{folder}: no clips in it; {layout}")
    return clips, unusable


def judge_clips(clips: Iterable[Clip], camera: CameraSettings, terminal: Callable[[], Terminal]) -> Iterator[Outcome | Unusable]:
    """Show each clip to a terminal of its own; yields as it goes, so that memory holds one clip's frames at most."""
    for clip in clips:
        try:
            yield _watch(clip, camera, terminal())
        except (MediaError, CameraLost) as error:
            yield Unusable(clip.path, str(error))


def summary(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The rates of the design: bona fide and each attack species, with one-sided exact 95 % upper bounds, and the times to decision."""
    by_species: dict[str | None, list[Outcome]] = {None: []}
    for outcome in outcomes:
        by_species.setdefault(outcome.clip.species, []).append(outcome)
    real = by_species.pop(None)
    rejected = sum(not outcome.accepted for outcome in real)
    times = [outcome.elapsed_s for outcome in real if outcome.accepted and outcome.elapsed_s is not None]
    attack: dict[str, dict[str, Any]] = {}
    for species in sorted(name for name in by_species if name is not None):
        shown = by_species[species]
        accepted = sum(outcome.accepted for outcome in shown)
        attack[species] = {"n": len(shown), "accepted": accepted, **_rate("apcer", accepted, len(shown))}
    passed = sum(outcome.accepted for species in by_species.values() for outcome in species)
    tried = sum(len(species) for species in by_species.values())
    decided = {"p50": round(float(np.median(times)), 3), "p95": round(float(np.percentile(times, 95)), 3)} if times else None
    return {
        "bonafide": {"n": len(real), "rejected": rejected, **_rate("bpcer", rejected, len(real)), "decision_s": decided},
        "attack": attack,
        "all_attacks": {"n": tried, "accepted": passed, **_rate("apcer", passed, tried)},
    }


def _rate(name: str, hits: int, trials: int) -> dict[str, float | None]:
    return {name: round(hits / trials, 6) if trials else None, "upper95": round(upper_bound(hits, trials), 6) if trials else None}


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".")) if folder.is_dir() else []


def _watch(clip: Clip, camera: CameraSettings, terminal: Terminal) -> Outcome:
    source = source_for(clip.path, camera)
    source.open()
    events: list[Event] = []
    t = 0.0
    with closing(source):
        while (frame := source.read()) is not None:
            t = frame.t
            events += terminal.process(frame)
            if any(event.kind == "punch" for event in events):
                break  # accepted: what comes after does not take it back
    events += terminal.interrupt(t)
    liveness = [event.details for event in events if event.kind == "liveness"]
    details = liveness[-1] if liveness else {}
    for event in events:
        if event.kind == "punch":
            return Outcome(clip, True, None, event.details["elapsed_s"], details)
    refusals = [event for event in events if event.kind == "refused"]
    if not refusals:
        return Outcome(clip, False, NO_SESSION, None, details)
    return Outcome(clip, False, refusals[-1].details["reason"], refusals[-1].details["elapsed_s"], details)
