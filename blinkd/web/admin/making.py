"""Builds what the admin's pages are made with: the one place where its parts meet."""

from collections.abc import Callable
from dataclasses import dataclass

from blinkd.clock import Clock
from blinkd.crypto.argon import Hasher
from blinkd.parts import Parts
from blinkd.web.admin.access import Access
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.drawing import Drawing
from blinkd.web.admin.kept_forms import KeptForms
from blinkd.web.admin.notices import Notices
from blinkd.web.admin.operators.signing_in import SigningIn
from blinkd.web.admin.people.register_words import told_by_display
from blinkd.web.admin.people.rights import Receipts
from blinkd.web.admin.recorder import Recorder
from blinkd.web.hub import Hub
from blinkd.web.live import Live
from blinkd.web.registration.studio import Studio
from blinkd.web.shared_store import SharedStore


@dataclass(frozen=True, slots=True)
class Desk:
    """The admin's parts, one for the process: what every page has, and what only log-in and operators need."""

    context: AdminContext
    signing_in: SigningIn
    hasher: Hasher
    kept: KeptForms
    receipts: Receipts
    studio: Studio

    def close(self) -> None:
        """The process ends."""
        self.studio.close()


def make_desk(live: Live, store: SharedStore, hub: Hub, clock: Clock, *, hasher: Hasher | None = None) -> Desk:
    """hasher: of passwords; None for one that is as slow as it should be."""
    kept, notices = KeptForms(), Notices()
    recorder = Recorder(store, clock)
    access = Access(store, clock, recorder, kept, _idle_s(live))
    passwords = hasher or Hasher()
    # with networks of its own, which it lets go of
    studio = Studio(lambda: Parts(live.settings, gallery=True), clock, hub, lambda hint: hub.announce(told_by_display(hint, clock.now())))
    context = AdminContext(live, store, hub, clock, access, recorder, notices, Drawing(lambda: live.settings, notices))
    return Desk(context, SigningIn(store, clock, passwords, recorder), passwords, kept, Receipts(clock), studio)


def _idle_s(live: Live) -> Callable[[], float]:
    return lambda: live.settings.web.session_idle_min * 60.0
