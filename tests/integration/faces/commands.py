"""The command `blinkd`, called as a person calls it: in this process for speed, or as a process of its own."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from blinkd.cli.main import main

START = "from blinkd.cli.main import main; main()"
OWN_VARIABLES = ("BLINKD_CACHE_DIR",)  # of the tests' own set-up; every other BLINKD_* would change what is tested


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value of standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The NDJSON of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Lines of one kind of event."""
        return [line for line in self.lines if line["event"] == kind]


def variables(state: Path, **more: str) -> dict[str, str]:
    """The environment of a command on its own state folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLINKD_") or name in OWN_VARIABLES}
    # a port of its own is opened by those tests only that are about the pages
    return {**kept, "BLINKD_STATE_DIR": str(state), "BLINKD_WEB__ENABLED": "false", **more}


def blinkd(*arguments: str | Path, state: Path, **more: str) -> Answer:
    """Run a command in this process; `more` are further variables."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, variables(state, **more), clear=True),
        mock.patch.object(sys, "argv", ["blinkd", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Answer(code, out.getvalue(), err.getvalue())


def blinkd_process(*arguments: str | Path, state: Path, **more: str) -> Answer:
    """Run a command as a process of its own and wait for its end."""
    done = subprocess.run(
        [sys.executable, "-c", START, *map(str, arguments)],
        env=variables(state, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
