"""The policies that join the cues. A deny of any cue overrides everything; what else is asked differs."""

from dataclasses import dataclass
from typing import Literal

from blinkd.liveness.finding import Finding

MOTION_S = 2.0  # a blink is over in a moment; movement alone must go on for as long as the other cues need to make sure
Answer = Literal["live", "wait", "challenge", "denied"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy as data.

    motion_counts: a head that moves as only a solid one does, for MOTION_S, is a sign of life beside the blink.
    waits_for: passive cues that must have made up their mind first.
    on_doubt: steps of the challenge when a passive cue doubts (0: doubts are let pass).
    always: steps of the challenge that everybody is asked.
    """

    name: str  # as the settings have it; README says what each stops
    motion_counts: bool
    waits_for: tuple[str, ...]
    on_doubt: int
    always: int


POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(
            "fast",
            motion_counts=False,
            waits_for=("continuity", "texture", "bezel", "background"),
            on_doubt=0,
            always=0,
        ),
        Policy(
            "standard",
            motion_counts=True,
            waits_for=("continuity", "texture", "bezel", "background", "depth"),
            on_doubt=2,
            always=0,
        ),
        Policy(
            "strict",
            motion_counts=True,
            waits_for=("continuity", "texture", "bezel", "background", "depth"),
            on_doubt=3,
            always=3,
        ),
        Policy("none", motion_counts=True, waits_for=(), on_doubt=0, always=0),  # for tests only: nothing is stopped
    )
}


def decide(policy: Policy, blinks: int, seen_s: float, findings: tuple[Finding, ...], *, challenge_passed: bool) -> Answer:
    """Join the cues of one unbroken track.

    blinks: natural ones between the first and the last embedding; seen_s: seconds between these two.
    """
    if policy.name == "none":
        return "live"
    verdicts = {finding.cue: finding.verdict for finding in findings}
    if "deny" in verdicts.values():
        return "denied"
    if challenge_passed:  # who has turned the head is no stiff plane any more
        return "wait" if verdicts.get("depth") in ("unsure", "doubt") or verdicts.get("continuity") == "unsure" else "live"
    solid = verdicts.get("depth") == "clear"
    # a face that fills the picture, so that nothing shows what it is on, must both blink and be seen to be solid
    near = verdicts.get("view") == "doubt"
    moved = policy.motion_counts and solid and seen_s >= MOTION_S and not near
    alive = blinks > 0 or moved
    waits = [cue for cue, verdict in verdicts.items() if verdict == "unsure" and cue in policy.waits_for]
    if not alive or waits:
        return "wait"
    doubted = any(verdict == "doubt" and not (cue == "view" and solid) for cue, verdict in verdicts.items())
    if policy.always or (doubted and policy.on_doubt):
        return "challenge"
    return "live"
