"""The verbs web …: the terminal's own pages, and who may use them."""

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from blinkd.cli import web_operators
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.clock import SystemClock
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.supervision.child import die_with, go_first
from blinkd.supervision.journal import start_log
from blinkd.web.admin.setup.code import VALID_S, make_setup_code

NICE = 5  # behind the camera, for which people wait
MOST_ACTS = 100_000

app = typer.Typer(no_args_is_help=True, help="The terminal's own pages: setup-code, operators, audit.")
app.add_typer(web_operators.app, name="operators")


@app.command("run", hidden=True)
def run(
    context: typer.Context,
    parent: Annotated[int | None, typer.Option("--parent", metavar="PID", help="End when this process, which started it, ends.")] = None,
    events: Annotated[int | None, typer.Option("--events", metavar="FD", help="Where the daemon's messages are read.")] = None,
    pictures: Annotated[int | None, typer.Option("--pictures", metavar="FD", help="Where its pictures are read.")] = None,
) -> None:
    """Serve the pages until SIGTERM; the daemon starts this by itself. SIGHUP: read the settings again."""
    stop, reload = threading.Event(), threading.Event()
    signal.signal(signal.SIGHUP, lambda _number, _frame: reload.set())
    if parent is not None:
        die_with(parent)
        go_first()
    settings: Settings = context.obj
    start_log(settings.log.level, os.environ)
    from blinkd.web.process import run as work  # noqa: PLC0415  after the log has begun: it takes a second on a small machine

    os.nice(NICE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    config: Path | None = context.find_root().params.get("config")
    work(settings, config, parent, events, pictures, stop, reload)


@app.command("setup-code")
def setup_code(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Print a one-time code, by which the first operator sets the terminal up at /admin/setup."""
    settings: Settings = context.obj
    with Parts(settings).open_store(repair=False) as store, store.transaction():
        now = SystemClock().now()
        code = make_setup_code(store, now)
        store.audit.append(now, None, (), "setup.code", reason=web_operators.by_command())
    if as_json:
        print_json({"code": code, "valid_s": VALID_S})
        return
    console().print(code, markup=False)
    notes().print(f"valid once, for {VALID_S / 60:.0f} minutes; type it at /admin/setup of the terminal's pages")


@app.command("audit")
def audit(
    context: typer.Context,
    most: Annotated[int, typer.Option("--most", min=1, max=MOST_ACTS, metavar="N", help="The newest N.")] = 200,
    as_json: bool = JsonFlag,
) -> None:
    """What was done and refused by the terminal's pages, oldest first.

    The JSON, one line each: {"seq", "utc", "clock", "operator", "name", "roles", "action", "target", "outcome", "reason"}
    """
    with Parts(context.obj).open_store(read_only=True) as store:
        acts = list(reversed(store.audit.newest(most)))
    out = console()
    for act in acts:
        if as_json:
            print_json(
                {
                    "seq": act.seq,
                    "utc": act.utc.isoformat(timespec="microseconds"),
                    "clock": act.clock,
                    "operator": act.operator,
                    "name": act.name,
                    "roles": list(act.roles),
                    "action": act.action,
                    "target": act.target,
                    "outcome": act.outcome,
                    "reason": act.reason,
                }
            )
            continue
        who = "nobody" if act.operator is None else f"{act.name} (operator {act.operator})"
        rest = "  ".join(part for part in (act.target, act.outcome, act.reason) if part)
        out.print(f"{act.utc:%Y-%m-%d %H:%M:%S} UTC{'' if act.clock == 'synced' else ' ?'}  {who}  {act.action}  {rest}", markup=False)
