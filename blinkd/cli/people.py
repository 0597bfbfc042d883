"""The verbs people …: who is enrolled, and what becomes of them."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from blinkd.attendance.punch import PersonStatus
from blinkd.cli.output import JsonFlag, console, print_json
from blinkd.daemon import Parts
from blinkd.identity.views import ADVICE
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
    """Everybody, by name, and who must be enrolled again because no template of theirs is of the model in force."""
    parts = Parts(context.obj, gallery=True)
    with parts.open_store(read_only=True) as store:
        people, lacking = store.people.all(), store.people.lacking(parts.model_id)
    if as_json:
        print_json([_as_json(person) | {"needs_enrolment": person.id in lacking} for person in people])
        return
    table = Table("id", "name", "status", "enrolled", "templates")
    for person in people:
        templates = f"{person.templates} (enrol again)" if person.id in lacking else str(person.templates)
        table.add_row(person.id, person.name, str(person.status), f"{person.enrolled_at:%Y-%m-%d}", templates)
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
        enrolments = store.people.enrolments(person_id)
    lacking = [view for view in ADVICE if view not in {moment.view for moment in moments}]
    if as_json:
        views = [{**asdict(moment), "models": list(moment.models)} for moment in moments]
        print_json(person | {"needs_enrolment": needs, "views": views, "missing_views": lacking, "enrolments": enrolments})
        return
    out = console()
    for key, value in person.items():
        out.print(f"{key}: {value}", markup=False)
    if needs:
        out.print(f"must be enrolled again: no template was made by {parts.model_id}, the model in force")
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
        text += f", looks like {other['name']} ({other['person_id']}), similarity {other['similarity']:.2f}"
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
    """All that is held on one person, as JSON; of templates their origin, view and label, not the vector."""
    with Parts(context.obj).open_store(read_only=True) as store:
        print_json(store.people.everything(person_id))
