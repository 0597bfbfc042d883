"""The steps of the first run after the first operator, each of which can be left and taken up again."""

import json
from dataclasses import dataclass
from typing import Literal

from blinkd.store.database import Store
from blinkd.store.operators import Role

SETUP = "/admin/setup"
KEPT_AS = "web_setup_steps"  # the preference that holds what was done

Standing = Literal["open", "done", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
    """name: of its address; roles: who may do it."""

    name: str
    title: str
    roles: tuple[Role, ...]

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{SETUP}/{self.name}"


STEPS = (
    Step("organisation", "Organisation", ("supervisor",)),
    Step("terminal", "Name and time zone", ("technician",)),
    Step("camera", "Camera", ("technician",)),
    Step("test", "Test punch", ("supervisor",)),
)


def standings(store: Store) -> dict[str, Standing]:
    """How each step stands."""
    try:
        kept = json.loads(store.preferences.get(KEPT_AS) or "{}")
    except ValueError:
        kept = {}
    return {step.name: kept[step.name] if kept.get(step.name) in ("done", "skipped") else "open" for step in STEPS}


def set_standing(store: Store, name: str, standing: Standing) -> None:
    """A step was done, or left out."""
    with store.transaction():
        store.preferences.set(KEPT_AS, json.dumps({**standings(store), name: standing}))


def after(name: str) -> str:
    """Where one goes from a step."""
    names = [step.name for step in STEPS]
    place = names.index(name) + 1
    return STEPS[place].path if place < len(STEPS) else SETUP
