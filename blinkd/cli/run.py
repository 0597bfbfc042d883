"""The verb run: the daemon."""

import logging
import os
import signal
import threading
from types import FrameType

import typer

from blinkd.daemon import Daemon
from blinkd.settings import Settings
from blinkd.supervision.journal import start_log


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("run")(run)


def run(context: typer.Context) -> None:
    """The daemon: camera, recognition, attendance, until SIGTERM. SIGHUP: read the settings again."""
    settings: Settings = context.obj
    start_log(settings.log.level, os.environ)
    stop, reload = threading.Event(), threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        logging.getLogger("blinkd").info("signal %s: stopping", signal.Signals(number).name)
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, lambda _number, _frame: reload.set())
    Daemon(settings, context.find_root().params.get("config")).run(stop, reload)
