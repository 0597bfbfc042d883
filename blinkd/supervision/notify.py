"""Speaks to systemd: ready, status in words, signs of life. sd_notify(3) is one datagram, so no library is needed for it."""

import contextlib
import logging
import math
import os
import socket
import time
from collections.abc import Callable, MutableMapping

FEED_SHARE = 0.25  # of the watchdog's patience: so often it is fed where there is something to feed it with
MUST_S = (
    2.0  # how long a manager that does not read is waited for with what is said once; all else it misses, for the door does not wait for it
)
MOST_WORDS = 400  # characters of the status; `systemctl status` shows one line

log = logging.getLogger(__name__)


class Notifier:
    """The socket that systemd has named; without one nothing is said to anybody."""

    def __init__(self, environ: MutableMapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        """environ: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken out of it, for they are not meant for children."""
        address = environ.pop("NOTIFY_SOCKET", "")
        patience, process = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._clock = clock
        self._socket: socket.socket | None = None
        self._words = ""
        mine = patience.isdigit() and process in ("", str(os.getpid()))
        self._feed_s = int(patience) / 1e6 * FEED_SHARE if mine else None  # None: nobody watches
        self._fed = -math.inf
        if address:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                sock.connect("\0" + address[1:] if address.startswith("@") else address)
            except OSError as error:
                sock.close()
                log.warning("systemd's socket %s does not answer: %s", address, error.strerror)
            else:
                self._socket = sock

    def ready(self) -> None:
        """Start, or reload, is over."""
        self._tell("READY=1", wait_s=MUST_S)

    def reloading(self) -> None:
        """Until `ready`."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Nothing more is to be expected."""
        self._tell("STOPPING=1")

    def more_time(self, seconds: float) -> None:
        """To start: whoever waits for `ready` shall be patient for so long from now on."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def status(self, words: str) -> None:
        """One line for `systemctl status`; said when it changes."""
        words = " ".join(words.split())[:MOST_WORDS]
        if words != self._words:
            self._words = words
            self._tell(f"STATUS={words}")

    def alive(self) -> None:
        """Work was really done. Costs nothing when the watchdog was fed a moment ago, or there is none."""
        now = self._clock()
        if self._feed_s is not None and now - self._fed >= self._feed_s:
            self._fed = now
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *lines: str, wait_s: float = 0.0) -> None:
        if self._socket is not None:
            self._socket.settimeout(wait_s)
            with contextlib.suppress(OSError):  # a full queue or a manager that restarts; signs of life and status are said again
                self._socket.send("\n".join(lines).encode())
