"""Networks loaded once, and a small stock of sources that is looked through once."""

from pathlib import Path

import pytest

from blinkd.measure.attacks.sources import Stock, survey
from blinkd.parts import Parts
from blinkd.settings import Settings

MAN, WOMAN, PORTRAITS = "single_face.mp4", "WolfgangLanger_Pexels.mp4", ("obama.jpg", "0-f1-su-ph.jpg")


@pytest.fixture(scope="session")
def networks() -> Parts:
    """Parts whose networks every test may use; nobody opens its state folder."""
    return Parts(Settings(state_dir=Path("/nonexistent/blinkd")))


@pytest.fixture(scope="session")
def stock(media: Path, networks: Parts) -> Stock:
    """Two people who blink, and portraits of two others."""
    paths = [media / name for name in (MAN, WOMAN, *PORTRAITS)]
    return survey(paths, networks.analyser, networks.reader, networks.settings.liveness)


@pytest.fixture(scope="session")
def one_clip(stock: Stock) -> Stock:
    """One person who blinks, and the portraits."""
    return Stock(stock.clips[:1], stock.portraits, ())
