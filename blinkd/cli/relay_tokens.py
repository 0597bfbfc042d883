"""The verbs relay token …: who may use the relay's HTTP API."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.table import Column, Table

from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.clock import SystemClock
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope, Token, new_token
from blinkd.sync.topics import is_name

DEFAULT_DAYS = 365  # a client that nobody remembers loses its access by itself
MOST_DAYS = 3650
LONGEST_LABEL = 80

app = typer.Typer(no_args_is_help=True)


@contextlib.contextmanager
def _storage() -> Iterator[ApiStorage]:
    from blinkd.relay.opening import open_connections  # noqa: PLC0415  brings the database's driver, which other verbs do without

    with contextlib.closing(open_connections()) as connections:
        yield ApiStorage(connections)


def _checked(valid: Callable[[str], bool], words: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not valid(value):
            raise typer.BadParameter(words)
        return value

    return check


@app.command("add")
def add(
    org: Annotated[
        str,
        typer.Argument(metavar="ORG", callback=_checked(is_name, "letters, digits, dots, hyphens, underscores"), help="The organisation."),
    ],
    label: Annotated[
        str,
        typer.Argument(
            callback=_checked(lambda value: 0 < len(value) <= LONGEST_LABEL and value.isprintable(), f"1 to {LONGEST_LABEL} letters"),
            help="Which client will hold it, for `list`.",
        ),
    ],
    scope: Annotated[list[Scope], typer.Option("--scope", help="What it may do; give it once for each.")],
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="How long it is valid.")] = DEFAULT_DAYS,
    as_json: bool = JsonFlag,
) -> None:
    """Make a token and show it, this once: the relay keeps only its digest."""
    now = SystemClock().now().utc
    token, text = new_token(org, label, frozenset(scope), now, now + timedelta(days=days))
    with _storage() as storage:
        storage.add_token(token)
    if as_json:
        print_json(_members(token, now) | {"token": text})
        return
    out = console()
    out.print(text, markup=False)
    out.print(f"Write it down now: it can't be shown again. Id {token.id}, valid until {token.expires_at:%Y-%m-%d}.", markup=False)


@app.command("list")
def list_(
    org: Annotated[str | None, typer.Option("--org", help="Only those of this organisation.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """All tokens by their ids; the tokens themselves are not kept."""
    now = SystemClock().now().utc
    with _storage() as storage:
        tokens = storage.tokens(org)
    if as_json:
        print_json([_members(token, now) for token in tokens])
        return
    table = Table(Column("id", no_wrap=True), "organisation", "label", "scopes", "state", "until", "last used")
    for token in tokens:
        until = "-" if token.expires_at is None else f"{token.expires_at:%Y-%m-%d}"
        scopes = " ".join(sorted(token.scopes))
        table.add_row(token.id, token.org, token.label, scopes, token.state(now), until, token.used_on or "never")
    console().print(table, markup=False)


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    as_json: bool = JsonFlag,
) -> None:
    """Make a token useless, at once and for good."""
    now = SystemClock().now().utc
    with _storage() as storage:
        token = storage.revoke(token_id, now)
    if as_json:
        print_json(_members(token, now))
    else:
        console().print(f"{token.id} ({token.label}) is revoked", markup=False)


def _members(token: Token, now: datetime) -> dict[str, object]:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else moment.isoformat(timespec="seconds")

    return {
        "id": token.id,
        "organisation": token.org,
        "label": token.label,
        "scopes": sorted(token.scopes),
        "state": token.state(now),
        "created_at": text(token.created_at),
        "expires_at": text(token.expires_at),
        "revoked_at": text(token.revoked_at),
        "used_on": token.used_on,
    }
