"""The verbs relay …: the cloud side."""

import contextlib
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from blinkd.cli import relay_tokens
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.crypto.certificates import CertificateChecker
from blinkd.errors import ConfigError
from blinkd.relay.connections import OpenConnections
from blinkd.relay.core import Core
from blinkd.relay.migrate import migrate
from blinkd.relay.opening import once_there, open_connections
from blinkd.relay.verification import Checker, NoAuthority
from blinkd.settings import RelaySettings, Settings
from blinkd.supervision.journal import start_log
from blinkd.supervision.notify import Notifier

ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,255}")
ALIVE_S = 1.0  # between signs of life where only the HTTP API is served

app = typer.Typer(
    no_args_is_help=True, help="The cloud side, which can read nothing of what it keeps: run, migrate, check, status, dashboard, token."
)
app.add_typer(relay_tokens.app, name="token", help="Who may use the HTTP API: add, list, revoke.")


@contextlib.contextmanager
def _database() -> Iterator[OpenConnections]:
    with contextlib.closing(open_connections()) as connections:
        yield connections


@app.command("run")
def run(
    context: typer.Context,
    http: Annotated[bool, typer.Option("--http/--no-http", help="Serve the HTTP API beside the broker's work.")] = True,
) -> None:
    """Take in what the terminals send, until SIGTERM. Any number of relays work on one database.

    The database is named by DATABASE_URL; without it, it is the file cloud_blink.db in the working directory. Its tables are made or brought up
    to date first.
    """
    settings: Settings = context.obj
    start_log(settings.log.level, os.environ)
    stop = threading.Event()

    def stop_on(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_on)
    with contextlib.closing(Notifier(os.environ)) as notifier, _database() as connections:
        checker = _checker(settings.relay)
        core = Core(connections, checker)

        def prepare() -> str:
            migrate(connections)
            return core.group()

        if (group := once_there(prepare, stop)) is None:
            return

        def stopped() -> bool:
            notifier.alive()
            return stop.is_set()

        with _served(settings, connections, checker, wanted=http):
            if not settings.relay.broker and not http:
                raise ConfigError("relay.broker names no broker and the HTTP API is off, so there is nothing to do; set relay.broker")
            notifier.ready()
            if settings.relay.broker:
                _consume(settings.relay, core, group, stopped)
            while not stopped():
                stop.wait(ALIVE_S)
            notifier.stopping()


@app.command("migrate")
def migrate_(as_json: bool = JsonFlag) -> None:
    """Make the tables, or bring them up to date."""
    with _database() as connections:
        before, after = migrate(connections)
        if as_json:
            print_json({"database": connections.name, "before": before, "after": after})
        else:
            typer.echo(f"{connections.name}: schema {after}" + ("" if before == after else f" (was {before})"))


@app.command("check")
def check(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Which database is reached, without credentials, and in which state it is; makes the tables. Also what else a relay needs to start."""
    settings: Settings = context.obj
    with _database() as connections:
        before, after = migrate(connections)
        problems = _problems(settings.relay)
        broker = f"{settings.relay.broker}:{settings.relay.port}" if settings.relay.broker else None
        answer = {"ok": not problems, "database": connections.name, "schema": after, "was": before, "broker": broker, "problems": problems}
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"{answer['database']}: reached; schema {after}" + ("" if before == after else f", made now (was {before})"))
        if broker is None:
            typer.echo("relay.broker names no broker: only the HTTP API is served")
        for problem in problems:
            typer.echo(problem)
    if problems:
        raise typer.Exit(1)


@app.command("dashboard")
def dashboard(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, for a web server that you trust.")],
    relay: Annotated[
        str, typer.Option("--relay", metavar="URL", help="Address of the relay's HTTP API, as in https://relay.example.org.")
    ] = "",
) -> None:
    """Write the dashboard's pages out, with their hashes, to serve them from another place than the relay, whose operator then cannot change them.

    The relay must allow that place: relay.dashboard_origins. Without --relay the files are those that a relay of this version serves: print the
    hashes and compare.
    """
    from blinkd.relay.dashboard.pages import Pages  # noqa: PLC0415  reads the files

    if relay and ORIGIN.fullmatch(relay) is None:
        raise typer.BadParameter(f"{relay!r} is no origin; write it like https://relay.example.org, without a path", param_hint="--relay")
    pages = Pages.read(relay)
    pages.write(folder)
    typer.echo(pages.sums(), nl=False)


@app.command("status")
def status(as_json: bool = JsonFlag) -> None:
    """Every terminal as the relay sees it: whether it is online, how far its chain is stored, and what is wrong with it."""
    with _database() as connections:
        migrate(connections)
        with connections.transaction(reading=True) as cursor:
            cursor.execute(
                "SELECT t.org, t.terminal, t.online, t.seen_on, t.status, b.book, b.head_seq, b.stored_seq, b.state, b.detail FROM terminals t "
                "LEFT JOIN books b ON b.org = t.org AND b.terminal = t.terminal ORDER BY t.org, t.terminal, b.id"
            )
            rows = cursor.fetchall()
    found = [_terminal(row) for row in rows]
    if as_json:
        print_json(found)
        return
    table = Table("terminal", "online", "seen on", "stored up to", "chain", Column("detail", overflow="fold"), box=None)
    for one in found:
        chain = one["chain"] or "-"
        upto = "-" if one["upto"] is None else str(one["upto"])
        table.add_row(f"{one['org']}/{one['terminal']}", "yes" if one["online"] else "no", one["seen_on"], upto, chain, one["detail"] or "")
    console().print(table if found else "no terminal has sent anything yet", markup=False)


def _terminal(row: Any) -> dict[str, Any]:  # noqa: ANN401  a row of the database
    org, terminal, online, seen_on, text, book, head, stored, state, detail = row
    said = json.loads(text)
    return {
        "org": org,
        "terminal": terminal,
        "online": bool(online),
        "seen_on": seen_on,
        "version": said.get("version"),
        "health": said.get("health"),
        "book": book,
        "upto": None if head is None else int(head),
        "stored": None if stored is None else int(stored),
        "chain": state,
        "detail": detail,
    }


@contextlib.contextmanager
def _served(settings: Settings, connections: OpenConnections, checker: Checker, *, wanted: bool) -> Iterator[None]:
    """The HTTP API, in a thread of its own."""
    if not wanted:
        yield
        return
    from blinkd.relay.api.app import create_app  # noqa: PLC0415  half a second that --no-http does without
    from blinkd.relay.api.server import ApiServer, listen_at  # noqa: PLC0415

    core = Core(connections, checker)
    server = ApiServer(create_app(connections, core, settings), listen_at(settings.relay))
    server.start()
    try:
        yield
    finally:
        server.stop()


def _consume(settings: RelaySettings, core: Core, group: str, stopped: Callable[[], bool]) -> None:
    from blinkd.relay.service import Service, relay_broker, relay_link  # noqa: PLC0415

    service = Service(core, gather_s=settings.gather_ms / 1000, most=settings.gather_most, stopped=stopped)
    service.run(relay_link(service, relay_broker(settings), settings.name, group if settings.share else None))


def _checker(settings: RelaySettings) -> Checker:
    if not settings.broker and not settings.ca_file.exists():
        return NoAuthority()
    crl = None if settings.crl_file is None else _read(settings.crl_file)
    return CertificateChecker(_read(settings.ca_file), crl)


def _problems(settings: RelaySettings) -> list[str]:
    """What would keep a relay from starting."""
    made = "`blinkd fleet init` and `blinkd fleet issue-relay` make it; this user must be able to read it"
    http = "the HTTP API needs it for TLS; this user must be able to read it"
    needed: list[tuple[Path | None, str]] = [(settings.crl_file, made), (settings.http_certificate, http), (settings.http_key, http)]
    if settings.broker:
        needed += [(path, made) for path in (settings.ca_file, settings.certificate_file, settings.key_file)]
    return [f"{path}: {why}; {remedy}" for path, remedy in needed if path is not None and (why := _unreadable(path))]


def _unreadable(path: Path) -> str | None:
    try:
        path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; `blinkd fleet init` and `blinkd fleet issue-relay` make what a relay needs"
        ) from None
