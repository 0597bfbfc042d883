"""A wall clock of its own for a process, which a test puts wrong and right again while the process runs.

Python and OpenSSL, which judges certificates, both ask the C library: libfaketime stands before it. Time that only goes on (monotonic, since
boot) is left alone, as a machine's is when its wall clock is set.
"""

from collections.abc import Mapping
from pathlib import Path

from blinkd.measure.servers.server import ServerFailed

LIBRARY = "lib/*/faketime/libfaketimeMT.so.1"  # below /usr


class WallClock:
    """The clock of one process. file: from which it reads how far it is off."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set_right()

    def environment(self) -> Mapping[str, str]:
        """For the process. Raises ServerFailed where libfaketime is not installed."""
        found = sorted(Path("/usr").glob(LIBRARY))
        if not found:
            raise ServerFailed("libfaketime is not installed: apt-get install libfaketime")
        return {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",  # a jump holds at once
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",  # a killed process would leave it behind
            "NO_FAKE_STAT": "1",
        }

    def jump(self, days: int) -> None:
        """Off by so many days from now on."""
        self._say(f"{days:+d}d")

    def set_right(self) -> None:
        self._say("+0")

    def _say(self, words: str) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(words + "\n", encoding="ascii")
        partial.replace(self._file)  # the process may be reading it
