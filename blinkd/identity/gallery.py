"""All templates in memory, as one contiguous float32 matrix, so that 1:N search is one matrix product."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blinkd.identity.numbering import Numbering
from blinkd.vision.face import Embedding

FIRST_ROWS = 64
GROWTH = 32  # grown by 1/32 of itself: appending stays cheap on average, and at most about 3 % of the memory is ever unused
BELOW_ALL = -2.0  # lower than any cosine


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the highest cosine similarity, -1..1, of any of their templates with the probe."""

    person_id: str
    similarity: float


class Gallery:
    """Templates of many people, several each. Adding and removing touch single rows; the matrix is never rebuilt for them.

    Every search is exact: one product of the whole matrix with the probe, bound by how fast memory can be read.
    """

    def __init__(self, dimension: int, templates: Iterable[tuple[str, Embedding]] = ()) -> None:
        self._matrix = np.zeros((FIRST_ROWS, dimension), np.float32)
        self._owners = np.zeros(FIRST_ROWS, np.int32)  # number of each row's person
        self._scores = np.zeros(FIRST_ROWS, np.float32)  # of the search at hand: a fresh array each time costs page faults
        self._people = Numbering()
        self._count = 0
        known: dict[str, int] = {}  # only while many are taken in at once
        for person_id, embedding in templates:
            if person_id not in known:
                known[person_id] = self._people.add(person_id)
            self._append(known[person_id], embedding)

    def __len__(self) -> int:
        """Number of templates."""
        return self._count

    @property
    def people(self) -> int:
        """Number of people with at least one template."""
        return len(self._people)

    @property
    def dimension(self) -> int:
        """D of the embeddings."""
        return int(self._matrix.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes held, at most 1.2 times the templates' own from some thousand templates on."""
        return self._matrix.nbytes + self._owners.nbytes + self._scores.nbytes + self._people.nbytes

    def replace(self, templates: Iterable[tuple[str, Embedding]]) -> None:
        """Hold these templates and no others; if reading them fails, what was held stays."""
        fresh = Gallery(self.dimension, templates)
        self._matrix, self._owners, self._scores = fresh._matrix, fresh._owners, fresh._scores
        self._people, self._count = fresh._people, fresh._count

    def add(self, person_id: str, embedding: Embedding) -> None:
        """Add one template, float32 (D,). Raises ValueError when its shape is another or it is not of unit length."""
        self._check(embedding)
        number = self._people.number_of(person_id)
        self._append(self._people.add(person_id) if number is None else number, embedding)

    def remove(self, person_id: str) -> int:
        """Remove all templates of a person; returns how many there were."""
        number = self._people.number_of(person_id)
        if number is None:
            return 0
        rows = np.flatnonzero(self._owners[: self._count] == number)
        for row in rows[::-1]:
            last = self._count - 1
            self._matrix[row], self._owners[row] = self._matrix[last], self._owners[last]
            self._matrix[last] = 0  # nothing biometric stays behind in memory
            self._count = last
        moved = self._people.remove(number)
        owners = self._owners[: self._count]
        owners[owners == moved] = number
        if len(self._matrix) > self._count + 2 * self._step():
            self._resize(self._count + self._step())
        return len(rows)

    def similarity(self, person_id: str, probe: Embedding) -> float | None:
        """Highest cosine similarity of a probe, float32 (D,), with a person's own templates; None when there are none."""
        number = self._people.number_of(person_id)
        if number is None:
            return None
        return float((self._matrix[np.flatnonzero(self._owners[: self._count] == number)] @ probe).max())

    def search(self, probe: Embedding) -> tuple[Candidate | None, Candidate | None]:
        """Return the best person and the best other person, or None where there is none; probe is float32 (D,), unit length."""
        if self._count == 0:
            return None, None
        owners, scores = self._owners[: self._count], self._scores[: self._count]
        np.matmul(self._matrix[: self._count], probe, out=scores)
        best = int(np.argmax(scores))
        first = Candidate(self._people.id_of(owners[best]), float(scores[best]))
        scores[owners == owners[best]] = BELOW_ALL  # the runner-up must be another person
        second = int(np.argmax(scores))
        if scores[second] == BELOW_ALL:
            return first, None
        return first, Candidate(self._people.id_of(owners[second]), float(scores[second]))

    def _check(self, embedding: Embedding) -> None:
        if embedding.shape != (self.dimension,):
            raise ValueError(f"embedding of shape {embedding.shape} in a gallery of dimension {self.dimension}")
        if not abs(float(np.linalg.norm(embedding)) - 1) < 1e-3:
            raise ValueError("embedding is not L2-normalised")

    def _append(self, number: int, embedding: Embedding) -> None:
        self._check(embedding)
        if self._count == len(self._matrix):
            self._resize(self._count + self._step())
        self._matrix[self._count], self._owners[self._count] = embedding, number
        self._count += 1

    def _step(self) -> int:
        return max(FIRST_ROWS, self._count // GROWTH)

    def _resize(self, rows: int) -> None:
        """In place, where the allocator can: no moment at which two matrices stand in memory. No view of them ever leaves this class."""
        self._matrix.resize((rows, self.dimension), refcheck=False)
        self._owners.resize(rows, refcheck=False)
        self._scores.resize(rows, refcheck=False)
