"""The policies that join the cues. A deny of any cue overrides everything; what else is asked differs."""

from dataclasses import dataclass
from typing import Literal

from blinkd.liveness.finding import Finding

Name = Literal["fast", "standard", "strict", "none"]
Answer = Literal["live", "wait", "challenge", "denied"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy as data.

    turn_counts: a head turn is a sign of life beside the blink, where the depth cue has found the face solid.
    wants_passive: nobody is live before the texture model has said something.
    on_doubt: steps of the challenge when a passive cue doubts (0: doubts are let pass).
    always: steps of the challenge that everybody is asked.
    """

    name: Name
    turn_counts: bool
    wants_passive: bool
    on_doubt: int
    always: int
    stops: str


POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(
            "fast",
            turn_counts=False,
            wants_passive=True,
            on_doubt=0,
            always=0,
            stops="prints, photos on a screen, and replays that the passive cues see through; no challenge, so doubt lets pass",
        ),
        Policy(
            "standard",
            turn_counts=True,
            wants_passive=True,
            on_doubt=1,
            always=0,
            stops="as fast, and whatever a passive cue only doubts unless a random step is followed",
        ),
        Policy(
            "strict",
            turn_counts=True,
            wants_passive=True,
            on_doubt=2,
            always=2,
            stops="as standard, and every recording made before the steps were drawn, however good its picture",
        ),
        Policy("none", turn_counts=True, wants_passive=False, on_doubt=0, always=0, stops="nothing: for tests only"),
    )
}


def decide(policy: Policy, blinks: int, turns: int, findings: tuple[Finding, ...], *, challenge_passed: bool) -> Answer:
    """Join the cues of one unbroken track.

    blinks, turns: natural ones between the first and the last embedding.
    """
    if policy.name == "none":
        return "live"
    verdicts = {finding.cue: finding.verdict for finding in findings}
    if "deny" in verdicts.values():
        return "denied"
    if challenge_passed:
        return "live"
    solid = verdicts.get("depth") == "clear"
    alive = blinks > 0 or (policy.turn_counts and turns > 0 and solid)
    if not alive or (policy.wants_passive and verdicts.get("texture", "open") == "open"):
        return "wait"
    doubted = "doubt" in verdicts.values()
    if policy.always or (doubted and policy.on_doubt):
        return "challenge"
    return "live"
