"""What tests of several folders share."""

from pathlib import Path

import pytest

from blinkd.models.media import fetch_media


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of pinned clips and pictures; fetched once into BLINKD_CACHE_DIR (or the user's cache) and checked."""
    return fetch_media()
