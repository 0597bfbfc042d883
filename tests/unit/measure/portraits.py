"""Portraits without networks: a file's text says who is in it, and the embedding points there."""

import zlib
from pathlib import Path

import numpy as np

from blinkd.measure.portraits import Refused

DIMENSION = 32


def direction(name: str) -> np.ndarray:
    vector = np.random.default_rng(zlib.crc32(name.encode())).normal(size=DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakePortraits:
    """A file `ann 3` shows Ann; one that begins with `-` shows nobody. Counts how often each was opened."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []
        self.opened: list[str] = []
        self.dimension = DIMENSION

    def embed(self, path: Path) -> np.ndarray | None:
        self.opened.append(path.name)
        text = path.read_text(encoding="utf-8") if path.exists() else "-"
        if text.startswith("-"):
            self.refused.append(Refused(path, f"{path}: no face found"))
            return None
        who, _, variant = text.partition(" ")
        noisy = direction(who) + 0.1 * direction(f"{who}{variant}")
        return (noisy / np.linalg.norm(noisy)).astype(np.float32)


def folder_of(root: Path, **people: list[str]) -> Path:
    """A folder per person; each text is one picture."""
    for name, texts in people.items():
        (root / name).mkdir(parents=True)
        for number, text in enumerate(texts):
            (root / name / f"{name}{number}.jpg").write_text(text, encoding="utf-8")
    return root
