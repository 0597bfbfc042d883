"""Builds what the admin's pages are made with: the one place where its parts meet."""

from collections.abc import Callable
from dataclasses import dataclass

from blinkd.clock import Clock
from blinkd.crypto.argon import Hasher
from blinkd.web.admin.access import Access
from blinkd.web.admin.context import AdminContext, Live
from blinkd.web.admin.kept_forms import KeptForms
from blinkd.web.admin.notices import Notices
from blinkd.web.admin.pages import Pages
from blinkd.web.admin.recorder import Recorder
from blinkd.web.admin.signing_in import SigningIn
from blinkd.web.shared_store import SharedStore


@dataclass(frozen=True, slots=True)
class Desk:
    """The admin's parts: what every page has, and what only log-in and operators need."""

    context: AdminContext
    signing_in: SigningIn
    hasher: Hasher
    kept: KeptForms


def make_desk(
    live: Live, store: SharedStore, clock: Clock, *, secure: bool, idle_s: Callable[[], float], hasher: Hasher | None = None
) -> Desk:
    """secure: whether browsers come by TLS; idle_s: seconds without a request after which a session ends."""
    kept, notices = KeptForms(), Notices()
    recorder = Recorder(store, clock)
    access = Access(store, clock, recorder, kept, idle_s, secure=secure)
    pages = Pages(lambda: live.settings, notices)
    passwords = hasher or Hasher()
    context = AdminContext(live, store, clock, access, recorder, notices, pages)
    return Desk(context, SigningIn(store, clock, passwords, recorder), passwords, kept)
