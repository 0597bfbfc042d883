"""What a session reports, in the form that `replay --json` prints."""

from dataclasses import dataclass, field
from typing import Any, Literal

EventKind = Literal[
    "session_started", "blink", "head_turn", "challenge", "liveness", "identified", "punch", "refused", "session_ended", "registration"
]  # fmt: skip
RefusalReason = Literal[
    "unknown_face", "uncertain", "not_live", "swapped", "inactive", "poor_quality", "too_soon", "wrong_pin", "unknown_badge", "locked_out"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """t: seconds on the source's time line; session: number of the visit, from 1, and 0 for a PIN or badge, and for a
    `registration`: somebody begins (or ends, on: false) to be registered before the terminal, which decides about nobody
    meanwhile; details: members that the kind adds.
    """  # fmt: skip

    t: float
    session: int
    kind: EventKind
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The JSON object of the design, times rounded to milliseconds."""
        return {"t": round(self.t, 3), "session": self.session, "event": self.kind, **self.details}
