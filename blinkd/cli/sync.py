"""The verbs sync …: what waits for the relay, and the connection to it."""

import contextlib
import os
import signal
import threading
import time
from types import FrameType
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.clock import SystemClock
from blinkd.errors import ConfigError, StateBusy
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.store.lock import StateLock, daemon_of
from blinkd.supervision.child import die_with
from blinkd.supervision.journal import start_log
from blinkd.sync.runner import LOCK_FILE, Runner
from blinkd.sync.standing import standing

NICE = 10  # behind the camera, for which people wait
LOOK_S = 0.2

app = typer.Typer(no_args_is_help=True, help="The way to the relay: status, now, run.")


@app.command("run")
def run(
    context: typer.Context,
    parent: Annotated[int | None, typer.Option("--parent", metavar="PID", help="End when this process, which started it, ends.")] = None,
) -> None:
    """Send and receive until SIGTERM; the daemon starts this by itself. SIGUSR1: look and connect at once."""
    if parent is not None:
        die_with(parent)
    settings: Settings = context.obj
    start_log(settings.log.level, os.environ)
    _wanted(settings)
    os.nice(NICE)
    stop = threading.Event()
    _work(settings, stop.is_set, stop)


@app.command("now")
def now(
    context: typer.Context,
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=86_400, metavar="SECONDS", help="For how long to wait until all is sent.")
    ] = 60,
    as_json: bool = JsonFlag,
) -> None:
    """Send everything that waits, and fetch what is new; by the running sync process where there is one."""
    settings: Settings = context.obj
    _wanted(settings)
    until = time.monotonic() + wait
    stop = threading.Event()
    done = threading.Event()
    reason = ""  # of the process that works here; the state that it leaves says only that it has ended

    def finished(runner: Runner) -> bool:
        nonlocal reason
        reason = runner.reason
        if runner.drained():
            done.set()
        return done.is_set() or stop.is_set() or time.monotonic() >= until

    try:
        _work(settings, finished, stop)
    except StateBusy:
        _ask_running(settings)
        while time.monotonic() < until and not (_nothing_waits(settings)):
            time.sleep(LOOK_S)
        if _nothing_waits(settings):
            done.set()
    answer = _status(settings)
    answer["reason"] = "" if done.is_set() else reason or answer["reason"]
    if as_json:
        print_json(answer | {"done": done.is_set()})
    else:
        typer.echo("the relay has everything" if done.is_set() else f"still waiting: {answer['reason'] or 'no receipt yet'}")
    if not done.is_set():
        raise typer.Exit(1)


@app.command("status")
def status(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """What waits, what was set aside and why, and how the connection is.

    The JSON: {"organisation", "terminal", "broker", "connected", "reason", "attendance": {"pending", "failed", "upto", "chain"}, "people":
    {"pending", "synced", "failed"}, "registry": {"version", "head"}, "set_aside": [{"seq", "reason", "words"}], "refused": [{"record", "type",
    "id", "reason"}], "quarantined": [{"record", "version", "reason", "words"}], "conflicts": [{"at", "record", "person_id", "winner"}]}
    """
    answer = _status(context.obj)
    if as_json:
        print_json(answer)
        return
    out = console()
    where = (
        f"connected to {answer['broker']}" + (f"; {answer['reason']}" if answer["reason"] else "")
        if answer["connected"]
        else f"not connected: {answer['reason']}"
    )
    out.print(f"{answer['organisation'] or 'no organisation'}/{answer['terminal']}: {where}", markup=False)
    attendance, people, registry = answer["attendance"], answer["people"], answer["registry"]
    out.print(
        f"attendance: {attendance['pending']} PENDING, {attendance['failed']} FAILED; the relay has entries up to {attendance['upto']}"
    )
    if attendance["chain"] is not None and attendance["chain"]["state"] != "ok":
        out.print(
            f"the relay sees a {attendance['chain']['state']} in the chain: {attendance['chain']['detail']}; run blinkd log verify",
            markup=False,
        )
    out.print(
        f"people: {people['pending']} PENDING, {people['synced']} SYNCED, {people['failed']} FAILED; registry version {registry['version']}"
    )
    tables = {
        "set_aside": "set aside",
        "refused": "people that the relay does not take",
        "quarantined": "in quarantine",
        "conflicts": "conflicts",
    }
    for name, title in tables.items():
        rows = answer[name]
        if rows:
            table = Table(*(Column(name, overflow="fold") for name in rows[0]), title=title, title_justify="left", box=None)
            for row in rows:
                table.add_row(*("" if value is None else str(value) for value in row.values()))
            out.print(table)


def _status(settings: Settings) -> dict[str, Any]:
    with Store.open(settings.state_dir, settings.store, read_only=True) as store:
        return standing(settings, store)


def _work(settings: Settings, finished: Any, stop: threading.Event) -> None:  # noqa: ANN401  with or without the runner as argument
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # `sync now` finds the lock taken before there is anything to hurry, and must not end it
    with StateLock(settings.state_dir, LOCK_FILE), Store.open(settings.state_dir, settings.store, repair=False) as store:
        store.book.begin()
        runner = Runner(settings, store, SystemClock(trust_hardware=settings.terminal.trust_hardware_clock))

        def stop_on(_: int, __: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop_on)
        signal.signal(signal.SIGUSR1, lambda _, __: runner.hurry())
        runner.run(runner.link(), finished if finished == stop.is_set else lambda: finished(runner))


def _ask_running(settings: Settings) -> None:
    if pid := daemon_of(settings.state_dir, LOCK_FILE):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def _nothing_waits(settings: Settings) -> bool:
    with Store.open(settings.state_dir, settings.store, read_only=True) as store:
        return store.outbox.first() == store.outbox.end() and store.registry.counts()["PENDING"] == 0


def _wanted(settings: Settings) -> None:
    if not settings.sync.broker:
        raise ConfigError("sync.broker names no broker; set it to the broker's name, or leave this terminal alone: it works without")
