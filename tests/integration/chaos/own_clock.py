"""`python -m blinkd` for a process whose wall clock libfaketime keeps: its version 0.9.10, Debian's, fails Python's `time.sleep`."""

import runpy
import select
import time


def sleep(seconds: float) -> None:
    """The same, by a call that it leaves alone."""
    select.select([], [], [], seconds)


if __name__ == "__main__":
    time.sleep = sleep
    runpy.run_module("blinkd", run_name="__main__")
