"""The verbs web operators …: who may log in at the terminal's pages."""

import getpass
import os
from typing import Annotated, cast

import typer
from rich.table import Table

from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.clock import SystemClock
from blinkd.crypto.argon import Hasher
from blinkd.crypto.passwords import OPERATOR_STAKES
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.operators import ROLES, Operator, Role

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `list` shows it.")]

app = typer.Typer(no_args_is_help=True, help="Who may log in at the terminal's pages: list, add, reset, disable.")


def _roles(given: list[str]) -> list[str]:
    if strange := set(given) - set(ROLES):
        raise typer.BadParameter(f"{', '.join(sorted(strange))}: no such role; there are {', '.join(ROLES)}")
    return given


@app.command("list")
def list_(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Everybody who may log in, or could once."""
    with Parts(context.obj).open_store(read_only=True) as store:
        operators = store.operators.all()
    if as_json:
        print_json([_members(one) for one in operators])
        return
    table = Table("operator", "name", "roles", "state", "since")
    for one in operators:
        state = "disabled" if one.disabled else "must choose a password" if one.temporary else "may log in"
        table.add_row(str(one.id), one.name, " ".join(sorted(one.roles)), state, one.created_at[:10])
    console().print(table, markup=False)


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What they log in with.")],
    role: Annotated[list[str], typer.Option("--role", callback=_roles, help=f"{', '.join(ROLES)}; give it once for each.")],
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Take somebody in, with a password that they must change when they log in for the first time."""
    settings: Settings = context.obj
    hashed = _asked(settings, name, password_fd)
    with Parts(settings).open_store(repair=False) as store, store.transaction():
        now = SystemClock().now()
        made = store.operators.add(name, cast(list[Role], role), hashed, now.utc, temporary=True)
        store.audit.append(now, None, (), "operators.add", f"operator {made.id}", reason=by_command())
    _say(made, "may log in", as_json=as_json)


@app.command("reset")
def reset(context: typer.Context, name: Name, password_fd: PasswordFd = None, as_json: bool = JsonFlag) -> None:
    """Give somebody a new password, which they must change when they log in; whoever was disabled may log in again."""
    settings: Settings = context.obj
    with Parts(settings).open_store(read_only=True) as store:
        store.operators.named(name)  # before anybody types
    hashed = _asked(settings, name, password_fd)
    with Parts(settings).open_store(repair=False) as store, store.transaction():
        found = store.operators.named(name)
        store.operators.set_password(found.id, hashed, temporary=True)
        if found.disabled:
            store.operators.set_disabled(found.id, False)
        store.audit.append(SystemClock().now(), None, (), "operators.reset", f"operator {found.id}", reason=by_command())
        found = store.operators.named(name)
    _say(found, "has a new password; every session has ended", as_json=as_json)


@app.command("disable")
def disable(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them log in again.")] = False,
    as_json: bool = JsonFlag,
) -> None:
    """Shut somebody out, at once. Nobody is ever deleted, for the audit names operators by their number."""
    with Parts(context.obj).open_store(repair=False) as store, store.transaction():
        found = store.operators.named(name)
        store.operators.set_disabled(found.id, not undo)
        action = "operators.enable" if undo else "operators.disable"
        store.audit.append(SystemClock().now(), None, (), action, f"operator {found.id}", reason=by_command())
        found = store.operators.named(name)
    _say(found, "may log in again" if undo else "is shut out; every session has ended", as_json=as_json)


def by_command() -> str:
    """Who runs the command, for the audit."""
    return f"by command, user {os.environ.get('SUDO_USER') or getpass.getuser()}"


def _asked(settings: Settings, name: str, password_fd: int | None) -> str:
    about = [name, settings.terminal.id]
    return Hasher().hash(Passwords(password_fd).new(f"first password of {name}", about, OPERATOR_STAKES))


def _say(one: Operator, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_members(one))
    else:
        console().print(f"{one.name} (operator {one.id}) {words}", markup=False)


def _members(one: Operator) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "roles": sorted(one.roles),
        "temporary": one.temporary,
        "disabled": one.disabled,
        "created_at": one.created_at,
    }
