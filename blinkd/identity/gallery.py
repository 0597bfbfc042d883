"""All templates in memory, as rows of a few large float32 blocks, so that 1:N search is a matrix product."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from blinkd.identity.numbering import Numbering
from blinkd.vision.face import Embedding

BLOCK_ROWS = 8192  # 4 to 6 MB: large enough for huge pages, which a matrix grown in place loses; at 100,000 templates at most 8 % is unused
BELOW_ALL = -2.0  # lower than any cosine

Block = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the highest cosine similarity, -1..1, of any of their templates with the probe."""

    person_id: str
    similarity: float


class Gallery:
    """Templates of many people, several each. Adding and removing touch single rows; nothing is rebuilt or copied for them.

    Every search is exact: one product of all rows with the probe, bound by how fast memory can be read. A first pass over a smaller
    representation was tried and left out. Its rows would stand beside the float32 ones, which the exact second look needs: 1.25 times the
    memory for int8, 1.5 times for float16, where 1.2 is allowed. And numpy multiplies neither by BLAS: over 100,000 templates of 192-D
    (one thread of an x86 core) float32 took 8.8 ms, int8 19.7 ms and float16 52 ms in the same run.
    """

    def __init__(self, dimension: int, templates: Iterable[tuple[str, Embedding]] = ()) -> None:
        self._dimension = dimension
        self._blocks: list[Block] = []
        self._owners = np.zeros(0, np.int32)  # number of each row's person
        self._scores = np.zeros(0, np.float32)  # of the search at hand: a fresh array each time costs page faults
        self._people = Numbering()
        self._count = 0
        self._blas = ThreadpoolController().select(user_api="blas")
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
        return self._dimension

    @property
    def nbytes(self) -> int:
        """Bytes held; at 100,000 templates at most 1.2 times those of their vectors, even with a person for each."""
        return sum(block.nbytes for block in self._blocks) + self._owners.nbytes + self._scores.nbytes + self._people.nbytes

    @property
    def blocks(self) -> list[Block]:
        """The vectors as they lie in memory, float32 (n, D) each, not to be written: for measuring how fast they can be read."""
        return [
            block[: self._count - BLOCK_ROWS * number] for number, block in enumerate(self._blocks) if self._count > BLOCK_ROWS * number
        ]

    def replace(self, templates: Iterable[tuple[str, Embedding]]) -> None:
        """Hold these templates and no others; if reading them fails, what was held stays."""
        fresh = Gallery(self.dimension, templates)
        self._blocks, self._owners, self._scores = fresh._blocks, fresh._owners, fresh._scores
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
        for row in reversed(rows.tolist()):
            last = self._count - 1
            self._row(row)[:], self._owners[row] = self._row(last), self._owners[last]
            self._row(last)[:] = 0  # nothing biometric stays behind in memory
            self._count = last
        moved = self._people.remove(number)
        owners = self._owners[: self._count]
        owners[owners == moved] = number
        while self._count <= BLOCK_ROWS * (len(self._blocks) - 2):  # one empty block is kept, or adding and removing one would thrash
            self._blocks.pop()
            self._fit()
        return len(rows)

    def similarity(self, person_id: str, probe: Embedding) -> float | None:
        """Highest cosine similarity of a probe, float32 (D,), with a person's own templates; None when there are none."""
        number = self._people.number_of(person_id)
        if number is None:
            return None
        return max(float(self._row(row) @ probe) for row in np.flatnonzero(self._owners[: self._count] == number).tolist())

    def search(self, probe: Embedding) -> tuple[Candidate | None, Candidate | None]:
        """Return the best person and the best other person, or None where there is none; probe is float32 (D,), unit length."""
        if self._count == 0:
            return None, None
        owners, scores = self._owners[: self._count], self._scores[: self._count]
        # one thread reads memory about as fast as several, and never waits for a helper on a core that camera and networks keep busy
        with self._blas.limit(limits=1):
            for begin in range(0, self._count, BLOCK_ROWS):
                part = scores[begin : begin + BLOCK_ROWS]
                np.matmul(self._blocks[begin // BLOCK_ROWS][: len(part)], probe, out=part)
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
        if self._count == len(self._owners):
            self._blocks.append(np.zeros((BLOCK_ROWS, self._dimension), np.float32))
            self._fit()
        self._row(self._count)[:] = embedding
        self._owners[self._count] = number
        self._count += 1

    def _row(self, row: int) -> Embedding:
        """A view of one template."""
        view: Embedding = self._blocks[row // BLOCK_ROWS][row % BLOCK_ROWS]
        return view

    def _fit(self) -> None:
        """As many owners and scores as rows. In place, for no view of them ever leaves this class."""
        rows = BLOCK_ROWS * len(self._blocks)
        self._owners.resize(rows, refcheck=False)
        self._scores.resize(rows, refcheck=False)
