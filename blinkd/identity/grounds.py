"""Why templates were taken in, kept with them for whoever asks later."""

from dataclasses import dataclass
from typing import Literal

Decision = Literal["none_needed", "same_person", "allowed"]
"""same_person: the operator said whose face it is, and it looks like that person. allowed: it looked like somebody else, or unlike the
person, and the operator took it all the same. none_needed: nothing stood against it."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """consent: how it was given, in the operator's words. own_similarity: lowest cosine of a new template with those that the person had,
    None when there was nothing to compare. lookalike_id, lookalike_similarity: the other person whom the face looks like, if any.
    """

    consent: str | None = None
    own_similarity: float | None = None
    lookalike_id: str | None = None
    lookalike_similarity: float | None = None
    decision: Decision = "none_needed"
