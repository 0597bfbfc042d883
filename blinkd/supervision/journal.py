"""Where log lines go: to the journal with fields of their own where systemd-python is there, else to standard error, which loses nothing.

A line carries fields by `extra={"fields": {"SESSION": 3, "PERSON": "E-1001"}}`: the number of the visit, a person's id (never a name), the reason.
`journalctl SESSION=3` finds them in the journal; on standard error they stand at the end of the line.
"""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

IDENTIFIER = "blinkd"
OURS = "blinkd"  # the logger above all of this program's
# syslog's numbers, as sd-daemon(3) has them at the beginning of a line
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))

Send = Callable[..., object]


def start_log(level: str, environ: Mapping[str, str]) -> None:
    """Begin the log of a long-running verb. level: by name; environ: JOURNAL_STREAM, which systemd sets for what it has started."""
    under_systemd = _is_journal(environ.get("JOURNAL_STREAM", ""))
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(Lines(prefixed=under_systemd))
    send = _journal_send() if under_systemd else None
    handler = plain if send is None else Journal(send, plain)
    logging.basicConfig(handlers=[handler])
    set_level(level)


def set_level(level: str) -> None:
    """From now on. By name.

    Libraries tell at DEBUG what goes through them, which is names, hashes of passwords and of sessions, and whole messages of the display: of
    them nothing below INFO is written.
    """
    logging.getLogger().setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level]))
    logging.getLogger(OURS).setLevel(level)


class Lines(logging.Formatter):
    """A line, its fields at the end; under systemd each line begins with its priority, which the journal takes off."""

    def __init__(self, *, prefixed: bool) -> None:
        super().__init__("%(message)s" if prefixed else "%(levelname)s %(message)s")
        self._prefixed = prefixed

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record, in several lines where it has a traceback."""
        head, *rest = super().format(record).splitlines() or [""]
        if fields := _fields(record):
            head += " [" + " ".join(f"{name}={value}" for name, value in fields.items()) + "]"
        before = f"<{_priority(record)}>" if self._prefixed else ""
        return "\n".join(before + line for line in [head, *rest])


class Journal(logging.Handler):
    """Each record as one entry of the journal."""

    def __init__(self, send: Send, otherwise: logging.Handler) -> None:
        """send: systemd.journal.send; otherwise: takes what the journal does not."""
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))  # level and logger are fields, and logging would write them before each line
        self._send = send
        self._otherwise = otherwise

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        more = {name: str(value) for name, value in _fields(record).items()}
        try:
            self._send(
                self.format(record),
                PRIORITY=str(_priority(record)),
                SYSLOG_IDENTIFIER=IDENTIFIER,
                LOGGER=record.name,
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                **more,
            )
        except OSError:  # it restarts, or its disk is full
            self._otherwise.handle(record)


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, Mapping) else {}


def _priority(record: logging.LogRecord) -> int:
    return next(number for level, number in PRIORITIES if record.levelno >= level)


def _is_journal(stream: str) -> bool:
    """Whether standard error is what systemd has connected with the journal. stream: device:inode."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def _journal_send() -> Send | None:
    try:
        send: Send = importlib.import_module("systemd.journal").send  # optional: it must be built
    except ImportError:
        return None
    return send
