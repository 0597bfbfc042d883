"""Verbs that add people: enroll one, import many."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from blinkd.capture.factory import open_source, source_for
from blinkd.capture.pictures import read_picture
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.daemon import Parts
from blinkd.errors import EnrolmentRefused, MediaError
from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.register import Register
from blinkd.identity.roster import Applicant, read_roster
from blinkd.settings import Settings

CAMERA_SECONDS = 5.0  # how long --camera looks


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("enroll")(enroll)
    app.command("import")(import_)


def enroll(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="As it shall be greeted and printed.")] = "",
    person_id: Annotated[str | None, typer.Option("--id", help="Staff number or the like; made up when not given.")] = None,
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture of the person; may be given several times.")] = None,
    video: Annotated[Path | None, typer.Option("--video", help="A recording of the person.")] = None,
    camera: Annotated[bool, typer.Option("--camera", help="Look with the camera of the settings for five seconds.")] = False,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[IMAGE]...", help="More pictures, after --image.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Add templates to the person with this --id, who exists already.")] = False,
    allow_duplicate: Annotated[
        bool, typer.Option("--allow-duplicate", help="Enrol although the face looks like another person's.")
    ] = False,
    as_json: bool = JsonFlag,
) -> None:
    """Enrol one person from pictures, a recording or the camera; all must show the same face, in good quality."""
    pictures = [*(image or []), *(more or [])]
    if sum([bool(pictures), video is not None, camera]) != 1:
        raise typer.BadParameter("give exactly one of --image, --video and --camera")
    if not add and not name.strip():
        raise typer.BadParameter("give --name")
    if add and person_id is None:
        raise typer.BadParameter("--add needs the --id of the person")
    settings: Settings = context.obj
    parts = Parts(settings)
    try:
        with parts.open_store() as store:
            book = parts.register(store)
            if not add:
                book.check_id(person_id)
            templates = _templates(parts, settings, pictures, video)
            person = (
                book.add(person_id or "", templates, allow_duplicate=allow_duplicate)
                if add
                else book.enrol(name, person_id, templates, allow_duplicate=allow_duplicate)
            )
    except EnrolmentRefused as refused:
        if as_json:
            print_json({"success": False, "reason": refused.reason, "message": str(refused)})
            raise typer.Exit(1) from None
        raise
    answer: dict[str, Any] = {
        "success": True,
        "person_id": person.id,
        "name": person.name,
        "templates": [{"source": one.source, "quality": round(one.quality, 4)} for one in templates],
        "model": parts.embedder.model_id,
        "model_precision": parts.embedder.precision,
    }
    if as_json:
        print_json(answer)
    else:
        best = max(one.quality for one in templates)
        console().print(f"enrolled {person.name} as {person.id}: {len(templates)} template(s), best quality {best:.2f}", markup=False)


def _templates(parts: Parts, settings: Settings, pictures: list[Path], video: Path | None) -> list[NewTemplate]:
    enroller = parts.enroller
    if pictures:
        templates = [enroller.from_picture(read_picture(path), str(path)) for path in pictures]
        enroller.agree(templates)
        return templates
    source = open_source(settings.camera) if video is None else source_for(video, settings.camera)
    source.open()
    with closing(source):

        def frames() -> Any:  # noqa: ANN401
            first: float | None = None
            while (frame := source.read()) is not None:
                first = frame.t if first is None else first
                if source.live and frame.t - first > CAMERA_SECONDS:
                    return
                yield frame

        if source.live:
            notes().print(f"look into the camera for {CAMERA_SECONDS:.0f} seconds")
        return enroller.from_frames(frames(), source.name)


def import_(
    context: typer.Context,
    roster: Annotated[
        Path, typer.Argument(metavar="DIR|CSV", help="A folder per person, a picture per person, or a CSV with name,image[,id].")
    ],
    allow_duplicate: Annotated[bool, typer.Option("--allow-duplicate", help="Enrol faces that look like another person's too.")] = False,
    as_json: bool = JsonFlag,
) -> None:
    """Enrol many people; who is refused is listed with the reason, and the others are enrolled all the same."""
    parts = Parts(context.obj)
    applicants = read_roster(roster)
    enrolled: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    with parts.open_store() as store, Progress(console=notes(), transient=True) as progress:
        book = parts.register(store)
        for applicant in progress.track(applicants, description="enrolling"):
            try:
                person, used = _admit(book, parts, applicant, refused, allow_duplicate=allow_duplicate)
                enrolled.append({"person_id": person, "name": applicant.name, "templates": used})
            except EnrolmentRefused as error:
                refused.append({"name": applicant.name, "path": None, "reason": error.reason, "message": str(error)})
    report = {"people": len(applicants), "enrolled": len(enrolled), "refused": refused, "persons": enrolled}
    if as_json:
        print_json(report)
    else:
        out = console()
        out.print(f"{len(enrolled)} of {len(applicants)} people enrolled, {len(refused)} refusals")
        for entry in refused:
            out.print(f"refused: {entry['name']}: {entry['reason']}: {entry['message']}", markup=False)
    if not enrolled:
        raise typer.Exit(1)


def _admit(book: Register, parts: Parts, applicant: Applicant, refused: list[dict[str, Any]], *, allow_duplicate: bool) -> tuple[str, int]:
    """Enrol one applicant from the pictures that pass; a picture that does not is reported and left out."""
    if applicant.flaw is not None:
        raise EnrolmentRefused("bad_row", applicant.flaw)
    book.check_id(applicant.person_id)
    templates: list[NewTemplate] = []
    for path in applicant.pictures:
        try:
            templates.append(parts.enroller.from_picture(read_picture(path), str(path)))
        except MediaError as error:
            refused.append({"name": applicant.name, "path": str(path), "reason": "unreadable", "message": str(error)})
        except EnrolmentRefused as error:
            refused.append({"name": applicant.name, "path": str(path), "reason": error.reason, "message": str(error)})
    if not templates:
        raise EnrolmentRefused("no_usable_picture", f"{applicant.name}: none of {len(applicant.pictures)} pictures can be used")
    parts.enroller.agree(templates)
    return book.enrol(applicant.name, applicant.person_id, templates, allow_duplicate=allow_duplicate).id, len(templates)
