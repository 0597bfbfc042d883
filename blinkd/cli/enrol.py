"""Verbs that add people: enroll one, import many."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from blinkd.capture.factory import open_source, source_for
from blinkd.capture.frame import Frame
from blinkd.capture.pictures import read_picture
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.errors import EnrolmentRefused, MediaError
from blinkd.identity.enrolment import NewTemplate
from blinkd.identity.register import Register
from blinkd.identity.roster import Applicant, read_roster, without_copies
from blinkd.identity.views import ADVICE, View, missing
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.naming import clean_consent, clean_label

CAMERA_SECONDS = 8.0  # how long --camera looks: straight, then a little to either side

AllowDuplicate = Annotated[bool, typer.Option("--allow-duplicate", help="Enrol although the face looks like another person's.")]
Consent = Annotated[
    str | None, typer.Option("--consent", metavar="HOW", help="How the person consented, as 'signed form 12'; kept with the record.")
]


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
    camera: Annotated[bool, typer.Option("--camera", help="Look with the camera of the settings for some seconds.")] = False,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[IMAGE]...", help="More pictures, after --image.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Add templates to the person with this --id, who exists already.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Replace the templates of the person with this --id; needs that person's --consent.")
    ] = False,
    label: Annotated[str, typer.Option("--label", help="How the person looks here, in a word of yours, as 'glasses'.")] = "",
    consent: Consent = None,
    allow_duplicate: AllowDuplicate = False,
    as_json: bool = JsonFlag,
) -> None:
    """Enrol one person from pictures, a recording or the camera; all must show the same face, in good quality.

    Best are a frontal view and one from slightly left and right; which are missing is said. Who wears glasses at times is enrolled with
    and without them, the second time with --add.
    """
    pictures = [*(image or []), *(more or [])]
    if sum([bool(pictures), video is not None, camera]) != 1:
        raise typer.BadParameter("give exactly one of --image, --video and --camera")
    if add and refresh:
        raise typer.BadParameter("give --add or --refresh, not both")
    if not (add or refresh) and not name.strip():
        raise typer.BadParameter("give --name")
    if (add or refresh) and person_id is None:
        raise typer.BadParameter(f"{'--add' if add else '--refresh'} needs the --id of the person")
    settings: Settings = context.obj
    parts = Parts(settings, gallery=True)
    try:
        label, consent = clean_label(label), None if consent is None else clean_consent(consent)
        with parts.open_store() as store:
            book = parts.register(store)
            if refresh:
                book.check_refresh(person_id or "", consent)
            elif not add:
                book.check_id(person_id)
            pictures, left_out = _distinct(pictures)
            templates = _templates(parts, settings, pictures, video, label)
            if refresh:
                person = book.refresh(person_id or "", templates, consent=consent, allow_duplicate=allow_duplicate)
            elif add:
                person = book.add(person_id or "", templates, consent=consent, allow_duplicate=allow_duplicate)
            else:
                person = book.enrol(name, person_id, templates, consent=consent, allow_duplicate=allow_duplicate)
            kept = store.people.moments(person.id)
    except EnrolmentRefused as refused:
        if as_json:
            print_json({"success": False, "reason": refused.reason, "message": str(refused), **refused.details})
            raise typer.Exit(1) from None
        raise
    lacking: list[View] = [view for view in ADVICE if view not in {moment.view for moment in kept}]
    answer: dict[str, Any] = {
        "success": True,
        "person_id": person.id,
        "name": person.name,
        "templates": [
            {"source": one.source, "quality": round(one.quality, 4), "view": one.view, "label": one.label, "models": list(one.vectors)}
            for one in templates
        ],
        "missing_views": [{"view": view, "advice": ADVICE[view]} for view in lacking],
        "left_out": left_out,
        "model": parts.embedder.model_id,
        "model_precision": parts.embedder.precision,
    }
    if as_json:
        print_json(answer)
        return
    out = console()
    best = max(one.quality for one in templates)
    done = "refreshed" if refresh else "enrolled"
    views = ", ".join(one.view for one in templates)
    out.print(f"{done} {person.name} as {person.id}: {len(templates)} template(s) ({views}), best quality {best:.2f}", markup=False)
    for entry in left_out:
        out.print(f"left out: {entry['message']}", markup=False)
    for view in lacking:
        out.print(f"no {view} view yet: {ADVICE[view]}, and use --add --id {person.id}", markup=False)


def _distinct(pictures: list[Path]) -> tuple[list[Path], list[dict[str, Any]]]:
    kept, copies = without_copies(pictures)
    return kept, [
        {"path": str(copy), "reason": "repeated", "message": f"{copy}: the same file as {first}; counted once"} for copy, first in copies
    ]


def _templates(parts: Parts, settings: Settings, pictures: list[Path], video: Path | None, label: str) -> list[NewTemplate]:
    enroller = parts.enroller
    if pictures:
        templates = [enroller.from_picture(read_picture(path), str(path), label) for path in pictures]
        enroller.agree(templates)
        return templates
    source = open_source(settings.camera) if video is None else source_for(video, settings.camera)
    source.open()
    with closing(source):

        def frames() -> Iterator[Frame]:
            first: float | None = None
            while (frame := source.read()) is not None:
                first = frame.t if first is None else first
                if source.live and frame.t - first > CAMERA_SECONDS:
                    return
                yield frame

        if source.live:
            notes().print(f"look into the camera for {CAMERA_SECONDS:.0f} seconds, and turn the head a little to the left and to the right")
        return enroller.from_frames(frames(), source.name, label, mirrored=settings.camera.mirror)


def import_(
    context: typer.Context,
    roster: Annotated[
        Path, typer.Argument(metavar="DIR|CSV", help="A folder per person, a picture per person, or a CSV with name,image[,id].")
    ],
    consent: Consent = None,
    allow_duplicate: AllowDuplicate = False,
    as_json: bool = JsonFlag,
) -> None:
    """Enrol many people; who is refused is listed with the reason, and the others are enrolled all the same."""
    parts = Parts(context.obj, gallery=True)
    consent = None if consent is None else clean_consent(consent)
    applicants = read_roster(roster)
    enrolled: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    with parts.open_store() as store, Progress(console=notes(), transient=True) as progress:
        book = parts.register(store)
        for applicant in progress.track(applicants, description="enrolling"):
            try:
                templates = _admissible(book, parts, applicant, refused)
                person = book.enrol(applicant.name, applicant.person_id, templates, consent=consent, allow_duplicate=allow_duplicate)
                entry = {"person_id": person.id, "name": applicant.name, "templates": len(templates)}
                enrolled.append(entry | {"missing_views": missing(one.view for one in templates)})
            except EnrolmentRefused as error:
                refused.append(_refusal(applicant, None, error.reason, error) | dict(error.details))
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


def _admissible(book: Register, parts: Parts, applicant: Applicant, refused: list[dict[str, Any]]) -> list[NewTemplate]:
    """Templates of one applicant from the pictures that pass; a picture that does not is reported and left out."""
    if applicant.flaw is not None:
        raise EnrolmentRefused("bad_row", applicant.flaw)
    book.check_id(applicant.person_id)
    pictures, copies = _distinct(list(applicant.pictures))
    refused += [{"name": applicant.name, **copy} for copy in copies]
    templates: list[NewTemplate] = []
    for path in pictures:
        try:
            templates.append(parts.enroller.from_picture(read_picture(path), str(path)))
        except MediaError as error:
            refused.append(_refusal(applicant, path, "unreadable", error))
        except EnrolmentRefused as error:
            refused.append(_refusal(applicant, path, error.reason, error))
    if not templates:
        raise EnrolmentRefused("no_usable_picture", f"{applicant.name}: none of {len(applicant.pictures)} pictures can be used")
    parts.enroller.agree(templates)
    return templates


def _refusal(applicant: Applicant, path: Path | None, reason: str, error: Exception) -> dict[str, Any]:
    return {"name": applicant.name, "path": None if path is None else str(path), "reason": reason, "message": str(error)}
