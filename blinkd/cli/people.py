"""The verbs people …: who is enrolled, and what becomes of them."""

import getpass
import json
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from blinkd.attendance.punch import PersonStatus
from blinkd.attendance.receipt import read
from blinkd.cli.moments import day
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.cli.people_adopt import adopt
from blinkd.cli.people_entry import add, badge, pin
from blinkd.cli.whole_file import STANDARD_OUTPUT, write_whole
from blinkd.identity.views import ADVICE
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.dossier import dossier
from blinkd.store.people import Person

app = typer.Typer(
    no_args_is_help=True, help="People: list, show, set, deactivate, activate, add, pin, badge, consent, delete, receipt, export, adopt."
)


class Hours(StrEnum):
    """What becomes of a deleted person's punches."""

    id = "id"
    pseudonym = "pseudonym"
    erase = "erase"


PersonId = Annotated[str, typer.Argument(metavar="ID", help="The person's id.")]


def _valid(person: Person) -> str:
    if person.valid_from is None and person.valid_until is None:
        return ""
    return f"{person.valid_from or ''} to {person.valid_until or ''}".strip()


def _as_json(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "status": str(person.status),
        "enrolled_at": person.enrolled_at.isoformat(),
        "templates": person.templates,
        "valid_from": None if person.valid_from is None else person.valid_from.isoformat(),
        "valid_until": None if person.valid_until is None else person.valid_until.isoformat(),
        "groups": list(person.groups),
    }


app.command("adopt")(adopt)
app.command("add")(add)
app.command("pin")(pin)
app.command("badge")(badge)


@app.command("list")
def list_(
    context: typer.Context,
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only its members.")] = None,
    status: Annotated[PersonStatus | None, typer.Option("--status", help="Only these.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Everybody, by name, and who must be enrolled again because no template of theirs is of the model in force."""
    parts = Parts(context.obj, gallery=True)
    with parts.open_store(read_only=True) as store:
        everybody, lacking = store.people.all(), store.people.lacking(parts.model_id)
    people = [one for one in everybody if (group is None or group in one.groups) and (status is None or one.status is status)]
    lacking &= {one.id for one in people}
    if as_json:
        print_json([_as_json(person) | {"needs_enrolment": person.id in lacking} for person in people])
        return
    table = Table("id", "name", "status", "enrolled", "templates", "valid", "groups")
    for person in people:
        templates = f"{person.templates} (enrol again)" if person.id in lacking else str(person.templates)
        table.add_row(
            person.id,
            person.name,
            str(person.status),
            f"{person.enrolled_at:%Y-%m-%d}",
            templates,
            _valid(person),
            ", ".join(person.groups),
        )
    out = console()
    out.print(table if people else "nobody is enrolled", markup=False)  # a name may hold square brackets
    if lacking:
        out.print(f"{len(lacking)} must be enrolled again: no template of theirs was made by {parts.model_id}, the model in force")


@app.command("show")
def show(context: typer.Context, person_id: PersonId, as_json: bool = JsonFlag) -> None:
    """One person: the views and labels of the templates, and each enrolment with consent and what was decided."""
    parts = Parts(context.obj, gallery=True)
    with parts.open_store(read_only=True) as store:
        person = _as_json(store.people.get(person_id))
        needs, moments = person_id in store.people.lacking(parts.model_id), store.people.moments(person_id)
        enrolments, credentials = store.people.enrolments(person_id), store.credentials.kept(person_id)
    lacking = [view for view in ADVICE if view not in {moment.view for moment in moments}]
    if as_json:
        views = [{**asdict(moment), "models": list(moment.models)} for moment in moments]
        print_json(
            person
            | {"needs_enrolment": needs, "views": views, "missing_views": lacking, "enrolments": enrolments, "credentials": credentials}
        )
        return
    out = console()
    for key, value in person.items():
        out.print(f"{key}: {value}", markup=False)
    if needs:
        out.print(f"must be enrolled again: no template was made by {parts.model_id}, the model in force")
    for one in credentials:
        out.print(f"{one['kind']}: since {one['at'][:16]}")
    for moment in moments:
        label = f" ({moment.label})" if moment.label else ""
        out.print(
            f"template: {moment.view}{label}, quality {moment.quality:.2f}, from {moment.source}, by {', '.join(moment.models)}",
            markup=False,
        )
    if lacking:
        out.print(f"views still missing: {', '.join(lacking)}")
    for enrolment in enrolments:
        out.print(_in_words(enrolment), markup=False)


def _in_words(enrolment: dict[str, Any]) -> str:
    text = f"{enrolment['kind']} {enrolment['at'][:16]}: {enrolment['moments']} template(s)"
    if enrolment["replaced"]:
        text += f" in place of {enrolment['replaced']}"
    if enrolment["own_similarity"] is not None:
        text += f", similarity with the earlier ones {enrolment['own_similarity']:.2f}"
    if (other := enrolment["lookalike"]) is not None:
        whom = "somebody who was deleted" if other["person_id"] is None else f"{other['name']} ({other['person_id']})"
        text += f", looks like {whom}, similarity {other['similarity']:.2f}"
    if enrolment["decision"] == "allowed":
        text += ", taken all the same by --allow-duplicate"
    return f"{text}; consent: {enrolment['consent'] or 'not recorded'}"


def _set(context: typer.Context, person_id: str, status: PersonStatus, as_json: bool) -> None:
    with Parts(context.obj).open_store() as store:
        store.people.set_status(person_id, status)
        person = store.people.get(person_id)
    if as_json:
        print_json(_as_json(person))
    else:
        console().print(f"{person.name} ({person.id}) is {person.status}", markup=False)


@app.command("deactivate")
def deactivate(context: typer.Context, person_id: PersonId, as_json: bool = JsonFlag) -> None:
    """From now on this person is recognised but not checked in."""
    _set(context, person_id, PersonStatus.DEACTIVATED, as_json)


@app.command("activate")
def activate(context: typer.Context, person_id: PersonId, as_json: bool = JsonFlag) -> None:
    """Undo deactivate."""
    _set(context, person_id, PersonStatus.ACTIVE, as_json)


@app.command("set")
def set_(
    context: typer.Context,
    person_id: PersonId,
    name: Annotated[str | None, typer.Option("--name", help="The person's name from now on.")] = None,
    first: Annotated[
        date | None, typer.Option("--valid-from", metavar="DATE", parser=day, help="First day on which they may punch.")
    ] = None,
    last: Annotated[date | None, typer.Option("--valid-until", metavar="DATE", parser=day, help="Last day on which they may.")] = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Take the dates away.")] = False,
    join: Annotated[list[str] | None, typer.Option("--group", metavar="GROUP", help="Join it; may be given several times.")] = None,
    leave: Annotated[list[str] | None, typer.Option("--no-group", metavar="GROUP", help="Leave it.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Change a person's name, the dates within which they may punch, and their groups."""
    if no_limit and (first or last):
        raise typer.BadParameter("give dates or --no-limit, not both")
    if name is None and not (first or last or no_limit or join or leave):
        raise typer.BadParameter("nothing to change: give --name, --valid-from, --valid-until, --no-limit, --group or --no-group")
    with Parts(context.obj).open_store() as store:
        before = store.people.get(person_id)
        valid = None
        if first or last or no_limit:
            valid = (None, None) if no_limit else (first or before.valid_from, last or before.valid_until)
        person = store.people.change(person_id, name=name, valid=valid, join=join or (), leave=leave or ())
    if as_json:
        print_json(_as_json(person))
        return
    for key, value in _as_json(person).items():
        console().print(f"{key}: {value}", markup=False)


@app.command("consent")
def consent(
    context: typer.Context,
    person_id: PersonId,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="The person no longer consents.")] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who records this (default: your account's name).")] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="How it was said; it stays in the book.")] = "on request",
    as_json: bool = JsonFlag,
) -> None:
    """What is on record of a person's consent; --withdrawn erases the templates and switches the person off."""
    parts = Parts(context.obj)
    if not withdrawn:
        with parts.open_store(read_only=True) as store:
            store.people.get(person_id)
            given = [{key: one[key] for key in ("at", "kind", "consent")} for one in store.people.enrolments(person_id)]
        if as_json:
            print_json({"id": person_id, "enrolments": given})
            return
        for one in given:
            console().print(f"{one['kind']} {one['at'][:16]}: {one['consent'] or 'not recorded'}", markup=False)
        return
    with parts.open_store() as store:
        erased = store.erasure.withdraw(person_id, by or getpass.getuser(), why, parts.clock.now())
    if as_json:
        print_json({"id": person_id, "withdrawn": True, "templates_erased": erased})
    else:
        console().print(f"{person_id}: {erased} template(s) erased, switched off; enrol again with consent to undo", markup=False)


@app.command("delete")
def delete(
    context: typer.Context,
    person_id: PersonId,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who decides this (default: your account's name).")] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, without name or id; it stays in the book.")] = "on request",
    hours: Annotated[Hours | None, typer.Option("--hours", help="What becomes of the punches (default: privacy.deleted_hours).")] = None,
    receipt: Annotated[Path | None, typer.Option("--receipt", metavar="FILE", help="Write the signed receipt there too.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Erase name and templates everywhere on this terminal, and print a signed receipt.

    Punches stay under a pseudonym, under the id, or are erased too, as the policy says. The receipt is what HR keeps: only it tells which
    pseudonym was whose.
    """
    parts = Parts(context.obj)
    policy = parts.settings.privacy.deleted_hours if hours is None else hours.value
    with parts.open_store() as store:
        made = store.erasure.delete(person_id, policy, by or getpass.getuser(), why, parts.clock.now()).as_json()
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    answer = {"id": person_id, "deleted": True, "templates_erased": made["erased"]["templates"], "hours": policy, "receipt": made}
    if as_json:
        print_json(answer)
    else:
        stays = {"id": "stay under the id", "pseudonym": f"stay as those of {made['pseudonym']}", "erase": "are erased"}[policy]
        console().print(f"{person_id}: name and {made['erased']['templates']} template(s) erased; punches {stays}", markup=False)
        console().print(text, markup=False, end="")
    if receipt is not None:
        write_whole(str(receipt), text.encode())


@app.command("receipt")
def receipt_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A receipt that people delete wrote.")],
    as_json: bool = JsonFlag,
) -> None:
    """Check a deletion receipt: its signature, and where the book is at hand, that the deletion stands in it."""
    found = read(file)
    parts = Parts(context.obj)
    with parts.open_store(read_only=True) as store:
        held = store.erasure.holds(found)
    ok = held is not False
    if as_json:
        print_json(
            {"ok": ok, "signature": True, "in_this_book": held, "person_id": found.content["person_id"], "entry": found.content["entry"]}
        )
    else:
        words = {
            True: "and the book holds the deletion",
            False: "but the book does NOT hold the deletion",
            None: "of another book than this one",
        }
        console().print(f"signed by {found.public.hex()}, {words[held]}", markup=False)
    if not ok:
        raise typer.Exit(1)


@app.command("export")
def export(
    context: typer.Context,
    person_id: PersonId,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Write there instead of standard output.")] = STANDARD_OUTPUT,
    templates: Annotated[bool, typer.Option("--templates", help="The face templates themselves too, decrypted.")] = False,
) -> None:
    """All that is held on one person, as JSON, for that person; of templates the origin, and the vector only when asked for."""
    settings: Settings = context.obj
    with Parts(settings).open_store(read_only=True) as store:
        held = dossier(store, person_id, settings.terminal.id, vectors=templates)
    write_whole(out, (json.dumps(held, ensure_ascii=False, allow_nan=False) + "\n").encode())
