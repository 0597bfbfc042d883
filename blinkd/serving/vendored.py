"""Files of other projects in `static/`, unchanged: a terminal or relay without internet must be able to serve them.

A test marked `sources` fetches each package and compares every byte.
"""

from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Vendored:
    """One file of `static/`. member: its path in the package; archive: sha256 of the package's archive, sha256 that of the file."""

    file: str
    package: str
    version: str
    member: str
    archive: str
    sha256: str
    licence: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return STATIC / self.file


CHART_JS = ("chart.js", "4.6.1", "9345dacdf4bb4c5d40321f4b9aafab6fe676d37a534fc0bc2d17c4c4e29c4f00")  # npm

VENDORED = (
    Vendored(
        "chart.umd.js",
        CHART_JS[0],
        CHART_JS[1],
        "dist/chart.umd.js",
        CHART_JS[2],
        "338399fb5bafe598d21cfc471b0590b61ceb321a985fade4f68499b151f67fbf",
        "MIT",
    ),
    Vendored(
        "chart.umd.LICENSE.md",
        CHART_JS[0],
        CHART_JS[1],
        "LICENSE.md",
        CHART_JS[2],
        "41a84aa2caba645f966a18d9c2056b73e6d3a81d80bc0046bc0011a2634d4cce",
        "MIT",
    ),
)
