"""Register: somebody is enrolled before the terminal's camera, or from pictures; guided, and nothing half-enrolled."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from blinkd.clock import Clock
from blinkd.errors import EnrolmentRefused, MediaError, NotAllowed, RequestRefused, UnknownPerson
from blinkd.identity.views import ADVICE
from blinkd.store.database import Store
from blinkd.web.admin.access import Posted
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.forms import Fields
from blinkd.web.admin.people.people import person_of
from blinkd.web.admin.people.register_words import as_json, hint_of, refusal, steps_of
from blinkd.web.admin.signed import Signed
from blinkd.web.registration.eyes import Record, groups_of
from blinkd.web.registration.sitting import MODES, Draft, Mode, Owner
from blinkd.web.registration.studio import Studio, same_person

HOME = "/admin/register"
MOST_PICTURES = 5
PICTURE_BYTES = 10 * 1024 * 1024  # as the relay takes them: a phone's picture has 2 to 6 MB
UPLOAD_BYTES = PICTURE_BYTES + 64 * 1024  # one at a time, and the form around it
WRONG = (EnrolmentRefused, MediaError, UnknownPerson, NotAllowed)
NO_DRAFT = Draft()


def register_router(context: AdminContext, studio: Studio) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    def show(request: Request, signed: Signed, problem: str = "", draft: Draft | None = None) -> Response:
        progress = studio.watch(signed.operator.id)
        if progress is None:
            return start(request, signed, problem, draft or NO_DRAFT)
        return context.render(
            request,
            "admin/register.html",
            signed,
            422 if problem else 200,
            problem=problem,
            draft=draft or progress.draft,
            progress=progress,
            steps=steps_of(progress.guidance),
            hint=hint_of(progress),
            person=_known(context, progress.draft),
        )

    def start(request: Request, signed: Signed, problem: str, draft: Draft) -> Response:
        return context.render(
            request,
            "admin/register_start.html",
            signed,
            422 if problem else 200,
            problem=problem,
            draft=draft,
            person=_known(context, draft),
            taken=studio.taken_by(signed.operator.id),
        )

    @router.get(HOME)
    def page(request: Request, signed: Annotated[Signed, context.access.requires("supervisor")]) -> Response:
        wanted, mode = request.query_params.get("person", ""), request.query_params.get("mode", "")
        if wanted and mode in ("add", "refresh"):  # from that person's page: another registration may be under way, which stays
            with context.store() as store:
                person = person_of(store, wanted)
            return start(request, signed, "", Draft("add" if mode == "add" else "refresh", person.name, person.id))
        return show(request, signed)

    @router.post(HOME + "/begin")
    def begin(request: Request, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        signed, draft = posted.signed, _draft(posted.form)
        camera = posted.form.text("by") != "pictures"
        if draft.mode != "new":
            with context.store() as store:
                person_of(store, draft.person_id)
        try:
            studio.begin(_owner(signed), draft, camera=camera)
        except RequestRefused as error:
            return start(request, signed, refusal(error), draft)
        context.audit.done(signed, "register.begin", draft.person_id)
        return context.go(HOME)

    @router.get(HOME + "/progress")
    def progress(signed: Annotated[Signed, context.access.requires("supervisor")]) -> Response:
        found = studio.watch(signed.operator.id)
        if found is None:
            raise RequestRefused(410, "over", "this registration is over; open the page anew")
        return JSONResponse(as_json(found))

    @router.get(HOME + "/picture")
    def picture(signed: Annotated[Signed, context.access.requires("supervisor")]) -> Response:
        shown = studio.picture(signed.operator.id)
        if shown is None:
            raise RequestRefused(404, "no_picture", "there is no picture yet")
        headers = {"Cache-Control": "no-store", "X-Mirrored": "yes" if shown.mirrored else "no"}
        return Response(shown.jpeg, media_type="image/jpeg", headers=headers)

    @router.post(HOME + "/draft")
    def note(posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        studio.note(posted.signed.operator.id, _draft(posted.form))
        return context.go(HOME)

    @router.post(HOME + "/leave-out")
    def leave_out(posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        view = next((one for one in ADVICE if one == posted.form.text("view")), None)
        if view is not None:
            studio.leave_out(posted.signed.operator.id, view)
        return context.go(HOME)

    @router.post(HOME + "/anew")
    def anew(posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        studio.anew(posted.signed.operator.id)
        return context.go(HOME, posted.signed, "ok", "The pictures begin again; what was typed stays.")

    @router.post(HOME + "/camera")
    def camera(posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        studio.use_camera(posted.signed.operator.id)
        return context.go(HOME)

    @router.post(HOME + "/pictures")
    def pictures(
        request: Request, posted: Annotated[Posted, context.access.posted("supervisor", most_bytes=UPLOAD_BYTES, most_files=1)]
    ) -> Response:
        signed, files = posted.signed, posted.form.files.get("picture", ())
        taken = studio.watch(signed.operator.id)
        try:
            if not files or not files[0].content:
                raise NotAllowed("choose a picture first")
            if taken is not None and taken.pictures >= MOST_PICTURES:
                raise NotAllowed(f"{MOST_PICTURES} pictures are enough")
            studio.upload(signed.operator.id, files[0].content)
        except WRONG as error:
            return show(request, signed, refusal(error))
        return context.go(HOME, signed, "ok", "The picture was taken in; it is not kept itself.")

    @router.post(HOME + "/finish")
    def finish(request: Request, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        signed, draft, decision = posted.signed, _draft(posted.form), posted.form.text("decision")
        found = studio.watch(signed.operator.id)
        if decision == "same" and found is not None and found.lookalike is not None:
            draft = same_person(draft, found.lookalike)
        try:
            allowed = decision == "allow" and found is not None and found.lookalike is not None
            person = studio.enrol(_owner(signed), draft, _record(signed, context.clock), allow_duplicate=allowed)
        except WRONG as error:
            context.audit.refused(
                signed, f"people.{draft.mode}", draft.person_id, error.reason if isinstance(error, EnrolmentRefused) else ""
            )
            if isinstance(error, EnrolmentRefused) and error.reason == "duplicate":
                return show(request, signed, "This face is known already. Nobody was registered yet: decide below.", draft)
            return show(request, signed, refusal(error), draft)
        done = {"new": "registered", "add": "given more views", "refresh": "given new views"}[draft.mode]
        return context.go(f"/admin/people/{person.id}", signed, "ok", f"{person.name} was {done}.")

    @router.post(HOME + "/faceless")
    def faceless(request: Request, posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        signed, draft = posted.signed, _draft(posted.form)
        try:
            groups = groups_of(draft.groups)
            with context.store() as store, store.transaction():
                person = store.people.enrol(draft.person_id, draft.name, [])
                if groups:
                    store.people.change(person.id, join=groups)
                context.audit.done(signed, "people.add", person.id)
        except WRONG as error:
            return start(request, signed, refusal(error), draft)
        words = f"{person.name} was added without a face. Give them a PIN or a badge below."
        return context.go(f"/admin/people/{person.id}", signed, "ok", words)

    @router.post(HOME + "/end")
    def end(posted: Annotated[Posted, context.access.posted("supervisor")]) -> Response:
        studio.end(posted.signed.operator.id)
        context.audit.done(posted.signed, "register.end")
        return context.go(HOME, posted.signed, "ok", "The registration was ended; nothing of it is kept.")

    return router


def _owner(signed: Signed) -> Owner:
    return Owner(signed.operator.id, signed.operator.name, frozenset(signed.roles))


def _draft(form: Fields) -> Draft:
    wanted = form.text("mode")
    mode: Mode = next((one for one in MODES if one == wanted), MODES[0])
    return Draft(mode, form.text("name"), form.text("person_id"), form.text("groups"), form.text("consent"), form.text("label"))


def _record(signed: Signed, clock: Clock) -> Record:
    """The studio writes by its own connection, and so must what tells of it."""

    def record(store: Store, person_id: str, action: str) -> None:
        store.audit.append(clock.now(), signed.operator.id, signed.roles, action, person_id, "done", "")

    return record


def _known(context: AdminContext, draft: Draft) -> str:
    """The name of whom the views go to; empty for a new person."""
    if draft.mode == "new":
        return ""
    with context.store() as store:
        return store.people.name_of(draft.person_id)
