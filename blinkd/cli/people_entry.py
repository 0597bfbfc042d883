"""The verbs people add, pin and badge: for people whom the camera cannot do."""

import getpass
from typing import Annotated

import typer

from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.cli.whole_file import write_whole
from blinkd.crypto.pins import check_pin, code_digest, hash_pin, new_code
from blinkd.entry.picture import picture_of
from blinkd.errors import PinRefused
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.replica import Kind

PersonId = Annotated[str, typer.Argument(metavar="ID", help="The person's id.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="WHO", help="Who decides this; it stays in the book (default: your account's name).")
]


def add(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The person's name.")],
    person_id: Annotated[str, typer.Option("--id", metavar="ID", help="Their staff number; on a keypad its digits are typed.")],
    as_json: bool = JsonFlag,
) -> None:
    """Add a person without a picture, who then punches by PIN or badge only."""
    with Parts(context.obj).open_store() as store:
        person = store.people.enrol(person_id, name, [])
    if as_json:
        print_json({"id": person.id, "name": person.name})
    else:
        console().print(f"added {person.name} as {person.id}, without a face; now: blinkd people pin {person.id}", markup=False)


def pin(
    context: typer.Context,
    person_id: PersonId,
    clear: Annotated[bool, typer.Option("--clear", help="Take the PIN away.")] = False,
    by: By = None,
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Set a person's PIN, in the place of the one there was. It is asked for, or read from a file descriptor, never an argument."""
    parts = Parts(context.obj)
    if clear:
        _take_away(parts, person_id, "pin", by, as_json=as_json)
        return
    with parts.open_store(read_only=True) as store:
        store.people.get(person_id)  # before anybody types
    asked = Passwords(password_fd)
    chosen = asked.existing(f"new PIN of {person_id}")
    check_pin(chosen, parts.settings.entry.pin_digits, person_id)
    if password_fd is None and asked.existing("the same once more") != chosen:
        raise PinRefused("the two PINs differ; nothing was changed")
    with parts.open_store() as store:
        store.credentials.set_pin(person_id, hash_pin(chosen), by or getpass.getuser(), parts.clock.now())
    _say(person_id, "pin", "set", parts.settings, as_json=as_json)


def badge(
    context: typer.Context,
    person_id: PersonId,
    out: Annotated[str | None, typer.Option("--out", metavar="F.png", help="Make a new badge, and write its QR code there.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Take a card that the person has: its number is asked for, unseen.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take all badges and cards away.")] = False,
    more: Annotated[bool, typer.Option("--add", help="Those that there were go on working.")] = False,
    by: By = None,
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Give a person a badge (a QR code), or take it away. A new one takes the place of the old, which then opens nothing any more.

    The code is nowhere but in the picture. Who photographs a badge has it, and many cards can be copied: see entry.enabled.
    """
    if [out is not None, card, revoke].count(True) != 1:
        raise typer.BadParameter("give one of --out, --card and --revoke")
    parts = Parts(context.obj)
    if revoke:
        _take_away(parts, person_id, "badge", by, as_json=as_json)
        return
    with parts.open_store(read_only=True) as store:
        store.people.get(person_id)
    code = (
        new_code()
        if out is not None
        else Passwords(password_fd).existing(f"hold the card of {person_id} to the reader, or type its number")
    )
    digest = code_digest(code)
    if out is not None:
        write_whole(out, picture_of(code))  # first: a badge that is known and was never written would be nobody's
    with parts.open_store() as store:
        store.credentials.add_badge(person_id, digest, by or getpass.getuser(), parts.clock.now(), replace=not more)
    _say(person_id, "badge", "given" if out is None else f"written to {out}", parts.settings, as_json=as_json)


def _take_away(parts: Parts, person_id: str, kind: Kind, by: str | None, *, as_json: bool) -> None:
    with parts.open_store() as store:
        gone = store.credentials.take_away(person_id, kind, by or getpass.getuser(), parts.clock.now())
    if as_json:
        print_json({"id": person_id, "taken_away": gone})
    else:
        console().print(f"{person_id}: {gone} {kind}(s) taken away", markup=False)


def _say(person_id: str, kind: Kind, done: str, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": person_id, kind: done})
    else:
        console().print(f"{person_id}: {kind} {done}", markup=False)
    if not settings.entry.enabled:
        notes().print("this terminal takes no PINs and badges: set enabled = true in [entry]", markup=False)
