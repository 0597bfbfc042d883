"""What must hold after any fault, whoever caused it."""

from collections.abc import Sequence
from pathlib import Path

from tests.integration.durability.terminal import Kept, integrity, kept, opened


class Violation(AssertionError):
    """A promise of durability is broken; the message says which."""


def audit(folder: Path, announced: Sequence[str], doubtful: int, before: Sequence[str] = (), *, go_on: bool = False) -> Kept:
    """Open the terminal and compare it with what people were told; returns what it holds in the end. Raises Violation.

    announced: punch ids in the order of their announcement; doubtful: how many more may be there, because the fault came after the
    commit and before the announcement; before: ids that the database held from the start, without scans of ours.
    go_on: punch once more, and look again after the store was closed.
    """
    with opened(folder) as terminal:
        found = kept(terminal)
        check(found, announced, doubtful, before)
        added = [terminal.punch()] if go_on else []
    if added:
        with opened(folder) as terminal:
            expected = [*found.punches[len(before) :], *added]
            found = kept(terminal)
            check(found, expected, 0, before)
    if (said := integrity(folder)) != "ok":
        raise Violation(f"integrity_check: {said}")
    if aside := [path.name for path in folder.iterdir() if ".corrupt-" in path.name]:
        raise Violation(f"a sound database was set aside: {aside}")
    return found


def check(found: Kept, announced: Sequence[str], doubtful: int, before: Sequence[str] = ()) -> None:
    """Compare what a store holds with what people were told. Raises Violation."""
    if found.punches[: len(before)] != tuple(before):
        raise Violation(f"punches from before are gone: {before}, found {found.punches[: len(before)]}")
    punches = found.punches[len(before) :]
    held, known = set(punches), set(announced)
    if len(held) != len(punches):
        raise Violation("a punch is there twice")
    if lost := known - held:
        raise Violation(f"{len(lost)} of {len(announced)} announced punches are lost")
    if [punch for punch in punches if punch in known] != list(announced):
        raise Violation("punches are not in the order of their announcement")
    if len(held - known) > doubtful:
        raise Violation(f"{len(held - known)} punches that nobody was told of, where {doubtful} can be")
    if list(found.seqs) != list(range(len(found.seqs))):
        raise Violation(f"the sequence has a gap: {found.seqs}")
    if found.fault is not None:
        raise Violation(f"the book is not whole: {found.fault}")
    if found.accepted != punches:
        raise Violation("punches and scan log differ")
    if tuple(job for job in found.jobs if job not in before) != punches:  # of those from before, the origin had sent some
        raise Violation("punches and what waits for the relay differ")
