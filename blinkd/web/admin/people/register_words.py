"""What the person before the camera is told to do, and what the operator is told of it."""

import time
from dataclasses import dataclass
from typing import Any

from blinkd.clock import Instant
from blinkd.errors import BlinkdError, EnrolmentRefused
from blinkd.identity.guided import WANTED, Guidance, Hint
from blinkd.identity.views import View
from blinkd.web.admin.wording import plain, sentence
from blinkd.web.registration.sitting import Progress

HINTS: dict[Hint, str] = {
    "no_face": "Stand before the camera",
    "several_faces": "Only one person, please",
    "look_straight": "Look straight into the camera",
    "turn_left": "Turn your head a little to your left",
    "turn_right": "Turn your head a little to your right",
    "turn_less": "Turn back a little",
    "hold": "Good. Hold still",
    "another_face": "The face has changed: we begin again",
    "done": "Thank you, that is all",
    "too_small": "Come closer",
    "blurred": "Hold still",
    "turned_away": "Turn your head a little less",
    "bad_light": "More even light on the face, please",
    "covered": "Uncover your face",
}
STEPS: dict[Hint, str] = {  # the texts of the display that say it
    "no_face": "look_here",
    "look_straight": "look_here",
    "turn_left": "turn_left",
    "turn_right": "turn_right",
    "hold": "hold_still",
    "blurred": "hold_still",
    "too_small": "come_closer",
}
VIEWS: dict[View, str] = {"front": "From the front", "left": "A little to the left", "right": "A little to the right"}
CAMERA = {
    "off": "",
    "starting": "The camera is being asked for a picture.",
    "live": "",
    "gone": "The camera gives no picture. Check its cable; what was seen so far is kept.",
    "taken": "Somebody else is registering before the camera now. What was seen so far is kept.",
}
REASONS = {  # of EnrolmentRefused, where the command's words are about its options
    "no_face": "Nobody has been seen well enough from the front yet. Look straight into the camera, or use a picture.",
    "several_people": "The views do not all show the same person. Begin the pictures again.",
    "id_exists": "This id belongs to somebody already. Give another one, or add the views to that person.",
    "bad_name": "The name is empty, too long, or holds characters that do not show.",
    "no_consent": "Replacing the views needs the person's consent: write down how it was given.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A view that is wanted. state: done, asked, left out, or to come."""

    view: View
    words: str
    kept: int
    wanted: int
    state: str

    @property
    def may_leave_out(self) -> bool:
        """Without the front nobody is recognised."""
        return self.view != "front" and self.state in ("asked", "to come")


def told_by_display(hint: Hint, now: Instant) -> dict[str, object]:
    """As an event of the daemon, for the display before which the person stands."""
    return {
        "kind": "event",
        "event": "registration",
        "session": 0,
        "on": True,
        "step": STEPS.get(hint, "registering"),
        "t": round(time.monotonic(), 4),
        "utc": now.utc.isoformat(),
        "clock": now.confidence,
    }


def steps_of(guidance: Guidance | None) -> list[Step]:
    """Every view, in the order in which it is asked for."""
    steps: list[Step] = []
    for view, wanted in WANTED.items():
        kept = 0 if guidance is None else min(wanted, guidance.kept.get(view, 0))
        if kept >= wanted:
            state = "done"
        elif guidance is not None and view in guidance.left_out:
            state = "left out"
        else:
            state = "asked" if guidance is not None and guidance.asked == view else "to come"
        steps.append(Step(view, VIEWS[view], kept, wanted, state))
    return steps


def hint_of(progress: Progress) -> str:
    """The one sentence that stands under the picture."""
    if progress.trouble:
        return sentence(progress.trouble)
    if progress.camera in ("gone", "taken", "starting"):
        return CAMERA[progress.camera]
    return HINTS[progress.guidance.hint] if progress.guidance is not None and progress.camera == "live" else ""


def as_json(progress: Progress) -> dict[str, Any]:
    """For the page's script; words only, no face and no name."""
    guidance = progress.guidance
    return {
        "camera": progress.camera,
        "hint": hint_of(progress),
        "good": guidance is not None and guidance.hint in ("hold", "done") and progress.camera == "live",
        "steps": [{"view": one.view, "kept": one.kept, "state": one.state} for one in steps_of(guidance)],
        "anew": 0 if guidance is None else guidance.started_anew,
        "pictures": progress.pictures,
        "enough": progress.enough,
        "shown": progress.shown,
    }


def refusal(error: BlinkdError) -> str:
    """Why somebody was not enrolled."""
    if isinstance(error, EnrolmentRefused) and (words := REASONS.get(error.reason)) is not None:
        return words
    return plain(error)
