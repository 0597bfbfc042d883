"""Waits for processes that work at their own pace."""

import time
from collections.abc import Callable

PATIENCE_S, LOOK_S = 60.0, 0.1


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Fails when it does not come to that. what: in words."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(LOOK_S)
