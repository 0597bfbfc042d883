"""The verbs web …: the terminal's own pages."""

import os
import signal
import threading
from typing import Annotated

import typer

from blinkd.settings import Settings
from blinkd.supervision.child import die_with
from blinkd.supervision.journal import start_log

NICE = 5  # behind the camera, for which people wait

app = typer.Typer(no_args_is_help=True, help="The terminal's own pages.")


@app.callback()
def _group() -> None:
    """So that it is a group, however many verbs it has."""


@app.command("run", hidden=True)
def run(
    context: typer.Context,
    parent: Annotated[int | None, typer.Option("--parent", metavar="PID", help="End when this process, which started it, ends.")] = None,
    events: Annotated[int | None, typer.Option("--events", metavar="FD", help="Where the daemon's messages are read.")] = None,
    pictures: Annotated[int | None, typer.Option("--pictures", metavar="FD", help="Where its pictures are read.")] = None,
) -> None:
    """Serve the pages until SIGTERM; the daemon starts this by itself."""
    if parent is not None:
        die_with(parent)
    settings: Settings = context.obj
    start_log(settings.log.level, os.environ)
    from blinkd.web.process import run as work  # noqa: PLC0415  after the log has begun: it takes a second on a small machine

    os.nice(NICE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    work(settings, events, pictures, stop)
