"""Fewer rounds for passwords and codes: what these tests prove does not depend on their number."""

import os
from pathlib import Path

import pytest

from blinkd.crypto import wrapping
from tests.unit.fleet.site import Door, Site

QUICK = 1000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "ITERATIONS", QUICK)
    monkeypatch.setattr(wrapping, "MOST_ITERATIONS", 9 * QUICK)
    for name in [name for name in os.environ if name.startswith("BLINKD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.begun(tmp_path / "ca")


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door.new(tmp_path / "door")
