"""Logs: punches and scan attempts, searched and filtered, a page at a time."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from blinkd.attendance.punch import Direction, SyncState
from blinkd.errors import RequestRefused
from blinkd.store.database import Store
from blinkd.store.punch_pages import WantedPunches
from blinkd.store.scans import WantedScans
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.logs.filters import link, number_of, span_of, text_of, word_of
from blinkd.web.admin.logs.lines import REASON_WORDS, STATE_MARKS, STATUS_WORDS, SYNC_MARKS, attempt_of, line_of
from blinkd.web.admin.signed import Signed

MOST_PEOPLE = 200  # of whom a search may find punches at once; a search that fits more people is too wide to be one
ANYTHING = ("", "any")


class Standing(StrEnum):
    """How a punch stands."""

    valid = "valid"
    amended = "amended"
    added = "added"
    disowned = "disowned"
    voided = "voided"


class Outcome(StrEnum):
    """Of a scan attempt."""

    accepted = "accepted"
    refused = "refused"


def logs_router(context: AdminContext) -> APIRouter:
    """The routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/admin/logs")
    def punches(request: Request, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> HTMLResponse:
        query = request.query_params
        since, until = span_of(query, context.settings.terminal.zone)
        status, sync, state = word_of(query, "status", Direction), word_of(query, "sync", SyncState), word_of(query, "state", Standing)
        with context.store() as store:
            wanted = WantedPunches(
                subjects=_subjects(store, query),
                since=since,
                until=until,
                status=status,
                sync=sync,
                state=None if state is None else state.value,
                before=number_of(query, "before"),
            )
            page = store.punch_pages.page(wanted, context.settings.terminal.id)
        return context.render(
            request,
            "admin/logs.html",
            signed,
            lines=[line_of(line) for line in page.lines],
            query=_asked(query, "q", "from", "to", "status", "sync", "state"),
            statuses=[ANYTHING, *STATUS_WORDS.items()],
            syncs=[ANYTHING, *((one, words) for one, (words, _) in SYNC_MARKS.items())],
            states=[ANYTHING, *((one, words) for one, (words, _) in STATE_MARKS.items())],
            newest=None if query.get("before") is None else link("/admin/logs", query, before=None),
            older=None if page.older is None else link("/admin/logs", query, before=page.older),
        )

    @router.get("/admin/logs/scans")
    def scans(request: Request, signed: Annotated[Signed, context.access.requires("supervisor", "hr")]) -> HTMLResponse:
        query = request.query_params
        since, until = span_of(query, context.settings.terminal.zone)
        outcome, reason = word_of(query, "outcome", Outcome), query.get("reason", "")
        if reason and reason not in REASON_WORDS:
            raise RequestRefused(422, "filter", f"reason: there is no {reason[:40]!r}; choose one of the list")
        with context.store() as store:
            wanted = WantedScans(
                subjects=_subjects(store, query),
                since=since,
                until=until,
                outcome=None if outcome is None else outcome.value,
                reason=reason or None,
                before=number_of(query, "before"),
            )
            found, older = store.scans.page(wanted)
        return context.render(
            request,
            "admin/scans.html",
            signed,
            attempts=[attempt_of(one) for one in found],
            query=_asked(query, "q", "from", "to", "outcome", "reason"),
            outcomes=[ANYTHING, ("accepted", "let in"), ("refused", "refused")],
            reasons=[ANYTHING, *REASON_WORDS.items()],
            newest=None if query.get("before") is None else link("/admin/logs/scans", query, before=None),
            older=None if older is None else link("/admin/logs/scans", query, before=older),
        )

    return router


def _subjects(store: Store, query: Mapping[str, str]) -> tuple[int, ...] | None:
    """Whom a search is about: by name, by id, and by the id or pseudonym of somebody who is gone. None for everybody."""
    text = text_of(query, "q")
    if not text:
        return None
    return tuple({*store.directory.subjects(text, MOST_PEOPLE), *store.book.subjects_of(text)})


def _asked(query: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: query.get(name, "")[:MOST_PEOPLE] for name in names}
