"""1:N identification on a folder per person: some pictures are enrolled, the rest are looked for, and strangers too."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Matcher, fuse
from blinkd.identity.thresholds import OperatingPoint
from blinkd.measure.collection import Collection, Subject
from blinkd.measure.intervals import Share
from blinkd.measure.portraits import Portraits
from blinkd.vision.face import Embedding

FPIR_TARGETS = {"1e-1": 1e-1, "1e-2": 1e-2, "1e-3": 1e-3}
DET_POINTS = 60  # at most; evenly spread over the logarithm of the false positives

Scores = npt.NDArray[np.float64]
Progress = Callable[[Iterable[Subject]], Iterator[Subject]]


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is enrolled (in part) and who is a stranger."""

    enrolled: tuple[Subject, ...]
    strangers: tuple[Subject, ...]


@dataclass(slots=True)
class Probes:
    """A few numbers of each probe; whoever makes the searches fills it.

    mated: for each probe of an enrolled person the highest similarity in the gallery where it is that person's, -2 where another person
    is nearer; nearest: how many were nearest to their own person; strangers: for each probe of a stranger the highest similarity.
    found, as_other, false_positives: verdicts `match` at the operating point with the right person, with another person, of a stranger.
    """

    mated: list[float]
    strangers: list[float]
    nearest: int = 0
    found: int = 0
    as_other: int = 0
    false_positives: int = 0


@dataclass(frozen=True, slots=True)
class DetPoint:
    """fpir: share of strangers' probes at or above the threshold; fnir: share of mated probes whose person is not found there."""

    threshold: float
    fpir: float
    fnir: float


@dataclass(frozen=True, slots=True)
class Identification:
    """The figures of one run.

    people: how many are enrolled; strangers: how many are not. rank1: mated probes nearest to their own person, at any similarity.
    fpir: strangers' probes taken for somebody, and fnir: mated probes not recognised as who they are, both at the operating point, margin
    and all; as_other: mated probes taken for somebody else, which fnir counts too. targets: threshold and FNIR where the strangers' scores
    themselves put the FPIR at a fixed rate (no margin). Intervals are exact (Clopper-Pearson, 95 %) and take probes as independent, which
    several pictures of one person are not quite.
    """

    people: int
    strangers: int
    point: OperatingPoint
    rank1: Share
    fpir: Share
    fnir: Share
    as_other: int
    targets: dict[str, tuple[float, Share]]
    det: tuple[DetPoint, ...]

    @property
    def fpir_shown(self) -> bool:
        """Whether the data show the wanted FPIR: the interval's upper bound does not exceed it."""
        return self.fpir.n > 0 and self.fpir.upper <= self.point.wanted


def cast_roles(collection: Collection, enrol: int, stranger_share: float, seed: int) -> Roles:
    """Decide who is a stranger: everybody with no more than `enrol` pictures, and a seeded share, 0..1, of the others."""
    enough = [person for person in collection.people if len(person.pictures) > enrol]
    chosen = np.random.default_rng(seed).permutation(len(enough))[: round(stranger_share * len(enough))]
    strange = {enough[number].name for number in chosen} | {person.name for person in collection.people} - {one.name for one in enough}
    return Roles(
        tuple(person for person in collection.people if person.name not in strange),
        tuple(person for person in collection.people if person.name in strange),
    )


def identification(
    roles: Roles, enrol: int, portraits: Portraits, matcher_of: Callable[[Gallery], Matcher], progress: Progress, fused: int = 1
) -> Identification:
    """Enrol the first `enrol` usable pictures of each person, then search for all others.

    matcher_of: recognition in a gallery, as the terminal does it; progress: wraps the people, twice, and yields them one by one. Somebody
    of whom too few pictures are usable becomes a stranger. fused: so many pictures of one person make one probe, as looks along a track
    do at the door; what is left over is not used. Memory is the gallery and one number a probe.
    """
    gallery = Gallery(portraits.dimension)
    rest: list[Subject] = []
    turned: list[Embedding] = []
    turned_people = 0
    for person in progress(roles.enrolled):
        taken, left = _first_usable(person, enrol, portraits)
        if len(taken) == enrol:
            for embedding in taken:
                gallery.add(person.name, embedding)
            rest.append(left)
        else:
            turned += taken
            turned_people += 1
    matcher = matcher_of(gallery)
    probes = Probes([], [])
    for embedding in turned:
        _stranger(embedding, gallery, matcher, probes)
    enrolled = {person.name for person in rest}
    for person in progress((*rest, *roles.strangers)):
        for probe in _probes(person, portraits, fused):
            if person.name in enrolled:
                _mated(person.name, probe, gallery, matcher, probes)
            else:
                _stranger(probe, gallery, matcher, probes)
    return _figures(len(rest), len(roles.strangers) + turned_people, matcher.point, probes)


def _probes(person: Subject, portraits: Portraits, fused: int) -> Iterator[Embedding]:
    held: list[Embedding] = []
    for path in person.pictures:
        embedding = portraits.embed(path)
        if embedding is not None:
            held.append(embedding)
        if len(held) == fused:
            yield fuse(held)
            held = []


def _first_usable(person: Subject, enrol: int, portraits: Portraits) -> tuple[list[Embedding], Subject]:
    taken: list[Embedding] = []
    for number, path in enumerate(person.pictures):
        if len(taken) == enrol:
            return taken, Subject(person.name, person.pictures[number:])
        embedding = portraits.embed(path)
        if embedding is not None:
            taken.append(embedding)
    return taken, Subject(person.name, ())


def _mated(name: str, probe: Embedding, gallery: Gallery, matcher: Matcher, probes: Probes) -> None:
    best, _ = gallery.search(probe)
    own = best is not None and best.person_id == name
    probes.nearest += own
    probes.mated.append(best.similarity if best is not None and own else -2.0)
    found = matcher.identify(probe)
    if found.verdict == "match":
        probes.found += found.person_id == name
        probes.as_other += found.person_id != name


def _stranger(probe: Embedding, gallery: Gallery, matcher: Matcher, probes: Probes) -> None:
    best, _ = gallery.search(probe)
    probes.strangers.append(best.similarity if best is not None else -2.0)
    probes.false_positives += matcher.identify(probe).verdict == "match"


def _figures(people: int, strangers: int, point: OperatingPoint, probes: Probes) -> Identification:
    mated, strange = np.sort(np.array(probes.mated)), np.sort(np.array(probes.strangers))
    targets = {}
    for name, rate in FPIR_TARGETS.items():
        if rate * len(strange) >= 1 and len(mated):
            threshold = _above(strange, int(rate * len(strange)))
            targets[name] = (threshold, Share.of(int(np.searchsorted(mated, threshold)), len(mated)))
    return Identification(
        people=people,
        strangers=strangers,
        point=point,
        rank1=Share.of(probes.nearest, len(mated)),
        fpir=Share.of(probes.false_positives, len(strange)),
        fnir=Share.of(len(mated) - probes.found, len(mated)),
        as_other=probes.as_other,
        targets=targets,
        det=_det(mated, strange),
    )


def _above(ascending: Scores, allowed: int) -> float:
    """The lowest threshold that no more than `allowed` (fewer than all) of the scores reach."""
    return float(np.nextafter(ascending[len(ascending) - 1 - allowed], np.inf))


def _det(mated: Scores, strange: Scores) -> tuple[DetPoint, ...]:
    """The detection error trade-off, FPIR rising; empty without mated probes or strangers."""
    if not len(mated) or not len(strange):
        return ()
    last = len(strange) - 1
    counts = {0} | {int(count) for count in np.geomspace(1, max(1, last), DET_POINTS - 1).round() if count <= last}
    points = []
    for allowed in sorted(counts):
        threshold = _above(strange, allowed)
        false_positives = len(strange) - int(np.searchsorted(strange, threshold))
        missed = int(np.searchsorted(mated, threshold))
        points.append(DetPoint(threshold, false_positives / len(strange), missed / len(mated)))
    return tuple(points)
