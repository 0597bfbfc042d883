import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from peewee import SqliteDatabase

from blinkd.supervision.journal import Journal, Lines, set_level, start_log


def record(message: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("blinkd", level, "daemon.py", 7, message, (), None, "report")
    made.fields = fields
    return made


def test_a_plain_line_holds_the_fields_and_each_of_its_lines_its_priority() -> None:
    assert (
        Lines(prefixed=False).format(record("session 3: punch", SESSION=3, PERSON="E-1")) == "INFO session 3: punch [SESSION=3 PERSON=E-1]"
    )
    said = Lines(prefixed=True).format(record("vision has failed\nTraceback\nZeroDivisionError", logging.ERROR, PART="vision"))
    assert said == "<3>vision has failed [PART=vision]\n<3>Traceback\n<3>ZeroDivisionError"


@pytest.mark.parametrize(("level", "number"), [(50, 2), (40, 3), (30, 4), (20, 6), (10, 7), (5, 7), (35, 4)])
def test_levels_become_syslogs_numbers(level: int, number: int) -> None:
    assert Lines(prefixed=True).format(record("x", level)) == f"<{number}>x"


def test_the_journal_gets_the_fields_as_fields_and_what_it_does_not_take_is_not_lost() -> None:
    sent: list[dict[str, Any]] = []

    def send(message: str, *, CODE_LINE: int, **fields: str) -> None:  # noqa: N803  systemd.journal.send has it so
        if sent:
            raise OSError("no space")
        sent.append({"MESSAGE": message, "CODE_LINE": f"{CODE_LINE:d}", **fields})

    otherwise = io.StringIO()
    plain = logging.StreamHandler(otherwise)
    plain.setFormatter(Lines(prefixed=True))
    journal = Journal(send, plain)
    journal.handle(record("session 3: punch", SESSION=3, PERSON="E-1", EVENT="punch"))
    journal.handle(record("session 4: refused", SESSION=4, REASON="too_soon"))
    (entry,) = sent
    assert entry["MESSAGE"] == "session 3: punch"
    assert (entry["SESSION"], entry["PERSON"], entry["EVENT"], entry["PRIORITY"], entry["CODE_LINE"]) == ("3", "E-1", "punch", "6", "7")
    assert otherwise.getvalue() == "<6>session 4: refused [SESSION=4 REASON=too_soon]\n"


@contextmanager
def no_other_handlers() -> Iterator[logging.Logger]:
    """The root logger as a program finds it; what is added to it goes afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("blinkd")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers.clear()
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


def test_a_message_in_the_journal_is_the_message_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    sent: list[str] = []
    stand_in = SimpleNamespace(send=lambda message, **_: sent.append(message))
    monkeypatch.setitem(sys.modules, "systemd", SimpleNamespace(journal=stand_in))
    monkeypatch.setitem(sys.modules, "systemd.journal", stand_in)
    with (tmp_path / "err").open("w") as err, no_other_handlers():
        found = os.fstat(err.fileno())
        monkeypatch.setattr(sys, "stderr", err)
        start_log("INFO", {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        logging.getLogger("blinkd").warning("camera lost", extra={"fields": {"PART": "camera"}})
    assert sent == ["camera lost"]


@pytest.mark.parametrize("later", [False, True])
def test_at_debug_no_library_writes_what_goes_through_it(monkeypatch: pytest.MonkeyPatch, later: bool) -> None:
    """The database's statements hold names and hashes, the display's messages hold names."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with no_other_handlers():
        start_log("WARNING" if later else "DEBUG", {})
        set_level("DEBUG")  # as when the settings are read again
        database = SqliteDatabase(":memory:")
        database.execute_sql("SELECT ?", ("Ann Secret",)).fetchall()
        database.close()
        logging.getLogger("uvicorn.error").debug("> TEXT Ann Secret")
        logging.getLogger("blinkd.session").debug("ours")
        logging.getLogger("uvicorn.error").warning("told")
    assert said.getvalue() == "DEBUG ours\nWARNING told\n"


@pytest.mark.parametrize("ours", [True, False])
def test_standard_error_is_written_with_priorities_only_where_it_is_the_journals(
    ours: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with (tmp_path / "err").open("w+") as err:
        found = os.fstat(err.fileno())
        monkeypatch.setattr(sys, "stderr", err)
        monkeypatch.setitem(sys.modules, "systemd", None)  # as where it could not be built
        with no_other_handlers():
            start_log("INFO", {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino if ours else 1}"})
            logging.getLogger("blinkd").warning("camera lost", extra={"fields": {"PART": "camera"}})
        err.flush()
        err.seek(0)
        assert err.read() == ("<4>" if ours else "WARNING ") + "camera lost [PART=camera]\n"
