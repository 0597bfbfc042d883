"""Fewer rounds for the password: what these tests prove does not depend on their number; test_keyring.py has one that keeps it."""

import pytest

from blinkd.crypto import wrapping

QUICK = 1000


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "ITERATIONS", QUICK)
    monkeypatch.setattr(wrapping, "MOST_ITERATIONS", 9 * QUICK)
