"""How the terminal is, in words for `systemctl status` and in JSON, and what the board says of its heat."""

import os
from pathlib import Path
from typing import Any

from blinkd.outputs.port import Health, PartHealth

THERMAL = Path("/sys/class/thermal")


def words_of(health: Health) -> str:
    """One line."""
    if starting := [part for part in health.parts if part.state == "starting"]:
        return "starting; " + "; ".join(map(_said, starting))
    at_work = f"{health.people} people, {health.fps:.1f} frames/s"
    waiting = f"; {health.pending} wait for the relay" if health.pending else ""
    if problems := health.problems:
        return f"degraded; {'; '.join(map(_said, problems))}; {at_work}{waiting}"
    return f"working; {at_work}{waiting}"


def content_of(health: Health) -> dict[str, Any]:
    """For the status file: {"pid", "parts": [{"name", "state", "words"}], "people", "templates"}; what changes all the time is left out, for it
    is written to a card.
    """  # fmt: skip
    parts = [{"name": part.name, "state": part.state, "words": part.words} for part in health.parts]
    return {"pid": os.getpid(), "parts": parts, "people": health.people, "templates": health.templates}


def read_temperature_c(thermal: Path = THERMAL) -> float | None:
    """Of the hottest part of the processor that the kernel knows; None where it knows none."""
    found = []
    for zone in thermal.glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a sensor that is asleep
    return max(found, default=None)


def _said(part: PartHealth) -> str:
    return f"{part.name}: {part.words or part.state}"
