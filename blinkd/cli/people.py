"""The verbs people …: who is enrolled, and what becomes of them."""

from typing import Annotated, Any

import typer
from rich.table import Table

from blinkd.attendance.punch import PersonStatus
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.daemon import Parts
from blinkd.store.people import Person

app = typer.Typer(no_args_is_help=True)

PersonId = Annotated[str, typer.Argument(metavar="ID", help="The person's id.")]


def _as_json(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "status": str(person.status),
        "enrolled_at": person.enrolled_at.isoformat(),
        "templates": person.templates,
    }


@app.command("list")
def list_(context: typer.Context, as_json: bool = JsonFlag) -> None:
    """Everybody, by name."""
    with Parts(context.obj).open_store(read_only=True) as store:
        people = store.people.all()
    if as_json:
        print_json([_as_json(person) for person in people])
        return
    table = Table("id", "name", "status", "enrolled", "templates")
    for person in people:
        table.add_row(person.id, person.name, str(person.status), f"{person.enrolled_at:%Y-%m-%d}", str(person.templates))
    console().print(table if people else "nobody is enrolled", markup=False)  # a name may hold square brackets


@app.command("show")
def show(context: typer.Context, person_id: PersonId, as_json: bool = JsonFlag) -> None:
    """One person."""
    with Parts(context.obj).open_store(read_only=True) as store:
        person = _as_json(store.people.get(person_id))
    if as_json:
        print_json(person)
    else:
        for key, value in person.items():
            console().print(f"{key}: {value}", markup=False)


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


@app.command("delete")
def delete(context: typer.Context, person_id: PersonId, as_json: bool = JsonFlag) -> None:
    """Erase name and templates; punches stay under the id."""
    with Parts(context.obj).open_store() as store:
        removed = store.people.delete(person_id)
    answer = {"id": person_id, "deleted": True, "templates_erased": removed}
    if as_json:
        print_json(answer)
    else:
        console().print(f"{person_id}: name and {removed} template(s) erased; punches stay under the id", markup=False)


@app.command("export")
def export(context: typer.Context, person_id: PersonId) -> None:
    """All that is held on one person, as JSON; of templates their origin, not the vector."""
    with Parts(context.obj).open_store(read_only=True) as store:
        print_json(store.people.everything(person_id))
