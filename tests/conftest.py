"""What tests of several folders share."""

from pathlib import Path

import pytest
from hypothesis import settings

from blinkd.models.media import fetch_media

settings.register_profile("blinkd", deadline=None)  # how long an example takes says more about what else the machine does
settings.load_profile("blinkd")


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of pinned clips and pictures; fetched once into BLINKD_CACHE_DIR (or the user's cache) and checked."""
    return fetch_media()
