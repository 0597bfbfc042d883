"""The one place in front of the camera: one registration at a time, looked at by one thread, which sleeps while there is none."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import cv2
import numpy as np

from blinkd.capture.frame import Frame
from blinkd.clock import Clock
from blinkd.errors import BlinkdError, EnrolmentRefused, RequestRefused, StoreError
from blinkd.identity.guided import Hint
from blinkd.identity.register import Person
from blinkd.identity.views import View
from blinkd.outputs.channel import Picture
from blinkd.parts import Parts
from blinkd.web.registration.eyes import Eyes, Record
from blinkd.web.registration.sitting import Draft, Lookalike, Owner, Progress, Sitting

PICTURE_S = 0.25  # the longest wait for a picture: so long may whoever asks for something else have to wait
GONE_S = 3.0  # without a picture, the camera is said to be gone
RENEW_S = 10.0  # between two renewals of the lease, which holds three times as long
WATCHED_S = 15.0  # without a page that asks, nobody is before the camera any more, and the door works again
KEPT_S = 15 * 60.0  # what was seen and typed is kept for so long without a page that asks: time to log in anew
IDLE_S = 5 * 60.0  # networks and database are kept for so long after the last use
LOOK_S = 1.0  # between two looks whether there is something to let go of
MOST_SITTINGS = 8  # at once: one has the camera, the others pictures
CLOSE_WAIT_S = 0.5  # the daemon waits 2.5 s for the whole process; a lease that is not given back in time ends by itself
ANSWER_S = 60.0  # for a network to be loaded on a small machine, and a gallery to be read

T = TypeVar("T")
log = logging.getLogger(__name__)


class Pictures(Protocol):
    """What the camera sees; `web.hub.Hub` behaves so."""

    def picture(self) -> Future[Picture]:
        """The next picture, taken after this call."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture for the page. jpeg: a whole file; mirrored: whether it is as a mirror shows it."""

    jpeg: bytes
    mirrored: bool


class Studio:
    """Used by any thread. What needs the networks is done by its own, one after the other."""

    def __init__(
        self,
        parts: Callable[[], Parts],
        clock: Clock,
        pictures: Pictures,
        announce: Callable[[Hint], None] = lambda _hint: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """parts: for this use alone, made when somebody registers; announce: is told what whoever stands there shall do, for the display, each
        time that it is something else; monotonic: seconds.
        """  # fmt: skip
        self._make = parts
        self._clock = clock
        self._pictures = pictures
        self._announce = announce
        self._now = monotonic
        self._lock = threading.Lock()
        self._sittings: dict[int, Sitting] = {}  # by operator
        self._holder: int | None = None  # the operator whose registration has the camera
        self._jobs: queue.Queue[tuple[Callable[[], object], Future[object]] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._index = 0
        # of its thread
        self._eyes: Eyes | None = None
        self._used_s = self._renewed_s = float("-inf")
        self._held = False

    # --- for pages -------------------------------------------------------------------------------------------------

    def begin(self, owner: Owner, draft: Draft, *, camera: bool) -> None:
        """Begin anew. Raises RequestRefused (409) while somebody else has the camera, (503) while very many have begun."""
        with self._lock:
            if camera and (other := self._other(owner.id)) is not None:
                raise RequestRefused(409, "taken", f"{other} is registering somebody at this terminal; wait, or use pictures instead")
            if owner.id not in self._sittings and len(self._sittings) >= MOST_SITTINGS:
                raise RequestRefused(503, "busy", f"{MOST_SITTINGS} registrations are open; end one of them")
            now = self._now()
            self._sittings[owner.id] = Sitting(owner, draft, camera, now, "starting" if camera else "off", seen_s=now)
        self._wake()

    def watch(self, owner: int) -> Progress | None:
        """How it stands, for the page of whoever began it; None where there is none of theirs. Keeps it."""
        with self._lock:
            sitting = self._of(owner)
            if sitting is None:
                return None
            sitting.watched_s = self._now()
            progress = sitting.progress
            if sitting.wants_camera and self._other(owner) is not None:
                progress = replace(progress, camera="taken")
        self._wake()
        return progress

    def taken_by(self, owner: int) -> str | None:
        """Who else is before the camera with somebody."""
        with self._lock:
            return self._other(owner)

    def picture(self, owner: int) -> Shown | None:
        """The newest picture, in memory only."""
        with self._lock:
            sitting = self._of(owner)
            return Shown(sitting.picture, sitting.mirrored) if sitting is not None and sitting.picture else None

    def note(self, owner: int, draft: Draft) -> None:
        """What is typed so far."""
        with self._lock:
            sitting = self._of(owner)
            if sitting is not None:
                if sitting.draft.person_id != draft.person_id or sitting.draft.mode != draft.mode:
                    sitting.lookalike = None
                sitting.draft = draft

    def leave_out(self, owner: int, view: View) -> None:
        """Go on without a view."""

        def work() -> None:
            sitting = self._mine(owner)
            if sitting.guided is not None:
                sitting.guided.leave_out(view)
                sitting.guidance = sitting.guided.guidance

        self._ask(work)

    def use_camera(self, owner: int) -> None:
        """From now on; what was uploaded stays."""

        def work() -> None:
            sitting = self._mine(owner)
            if not sitting.wants_camera:
                sitting.wants_camera, sitting.camera, sitting.seen_s, sitting.trouble = True, "starting", self._now(), ""

        self._ask(work)

    def anew(self, owner: int) -> None:
        """Throw away what was seen; what was typed stays."""

        def work() -> None:
            sitting = self._mine(owner)
            sitting.guided = sitting.guidance = sitting.lookalike = None
            sitting.uploaded = []

        self._ask(work)

    def upload(self, owner: int, content: bytes) -> None:
        """One picture more. Raises EnrolmentRefused, MediaError, ModelError, RequestRefused (410) where the registration is over."""

        def work() -> None:
            sitting = self._mine(owner)
            source = f"uploaded picture {len(sitting.uploaded) + 1}"
            sitting.uploaded.append(self._see().look_at(content, source, sitting.templates))

        self._ask(work)

    def enrol(self, owner: Owner, draft: Draft, record: Record, *, allow_duplicate: bool) -> Person:
        """Finish. Raises EnrolmentRefused, UnknownPerson, StoreError, KeyMissing; then everything is kept for another try."""

        def work() -> Person:
            sitting = self._mine(owner.id)
            sitting.draft = draft
            if not sitting.progress.enough:
                raise EnrolmentRefused("no_face", "nobody has been seen from the front yet; look straight into the camera")
            try:
                person = self._see().enrol(draft, sitting.templates, record, allow_duplicate=allow_duplicate)
            except EnrolmentRefused as refused:
                sitting.lookalike = Lookalike.of(refused.details)
                raise
            with self._lock:
                self._sittings.pop(owner.id, None)
            self._open_door()
            return person

        return self._ask(work)

    def end(self, owner: int) -> None:
        """Throw everything away."""
        with self._lock:
            self._sittings.pop(owner, None)
        self._wake()

    def close(self) -> None:
        """The process ends."""
        with self._lock:
            self._closing = True
            self._sittings.clear()
            thread = self._thread
        self._jobs.put(None)
        if thread is not None:
            thread.join(CLOSE_WAIT_S)

    def _of(self, owner: int) -> Sitting | None:
        for number in [number for number, one in self._sittings.items() if self._now() - one.watched_s > KEPT_S]:
            del self._sittings[number]
        return self._sittings.get(owner)

    def _other(self, owner: int) -> str | None:
        holder = self._before_the_camera()
        return None if holder is None or holder.owner.id == owner else holder.owner.name

    def _before_the_camera(self) -> Sitting | None:
        """Whose page is looked at and wants the camera; whoever has it keeps it while that is so."""
        there = {number: one for number, one in self._sittings.items() if one.wants_camera and self._now() - one.watched_s <= WATCHED_S}
        if self._holder not in there:
            self._holder = next(iter(there), None)
            if self._holder is not None:
                there[self._holder].seen_s = self._now()
        return None if self._holder is None else there[self._holder]

    def _mine(self, owner: int) -> Sitting:
        with self._lock:
            sitting = self._of(owner)
        if sitting is None:
            raise RequestRefused(410, "over", "this registration is over; begin it again")
        return sitting

    # --- its thread ------------------------------------------------------------------------------------------------

    def _wake(self, job: tuple[Callable[[], object], Future[object]] | None = None) -> None:
        with self._lock:
            if self._closing:
                if job is not None:
                    job[1].set_exception(
                        RequestRefused(503, "ending", "the terminal's pages are being begun anew; try again in a minute", 60)
                    )
                return
            if job is not None or self._jobs.empty():
                self._jobs.put(job or (lambda: None, Future()))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="blinkd-studio", daemon=True)
                self._thread.start()

    def _ask(self, work: Callable[[], T]) -> T:
        answer: Future[object] = Future()
        self._wake((work, answer))
        try:
            return answer.result(ANSWER_S)  # type: ignore[return-value]
        except Late:
            raise RequestRefused(503, "busy", "the terminal is busy; try again in a minute", 60) from None

    def _run(self) -> None:
        while True:
            with self._lock:
                sitting = self._before_the_camera()
                if sitting is None and self._eyes is None and self._jobs.empty():
                    self._thread = None  # another is begun when there is something to do
                    return
            try:
                job = self._jobs.get(block=sitting is None, timeout=LOOK_S)
            except queue.Empty:
                pass
            else:
                if job is None or self._closing:
                    self._rest()
                    return
                _answer(*job)
                continue
            try:
                if sitting is not None:
                    self._look(sitting)
                else:
                    self._open_door()
                    if self._eyes is not None and self._now() - self._used_s > IDLE_S:
                        self._rest()
            except Exception as error:  # the one place of this thread: what breaks here must not take the pages with it
                log.exception("registration has failed")
                if sitting is not None:
                    sitting.wants_camera, sitting.camera = False, "off"
                    sitting.trouble = str(error) if isinstance(error, BlinkdError) else "looking at the picture has failed; see the log"
                self._rest()

    def _look(self, sitting: Sitting) -> None:
        """One picture, if one comes."""
        self._hold_door()
        asked = self._pictures.picture()
        try:
            picture = asked.result(PICTURE_S)
        except (Late, CancelledError):
            asked.cancel()
            if self._now() - sitting.seen_s > GONE_S:
                sitting.camera = "gone"
            return
        image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            return
        sitting.seen_s, sitting.camera = self._now(), "live"
        sitting.picture, sitting.mirrored = picture.jpeg, picture.info.mirrored
        sitting.shown += 1
        self._index += 1
        if sitting.guided is None:
            sitting.guided = self._see().guided(mirrored=picture.info.mirrored)
        sitting.guided.see(Frame(np.asarray(image, np.uint8), picture.info.t, self._index))
        before, sitting.guidance = sitting.guidance, sitting.guided.guidance
        if before is None or before.hint != sitting.guidance.hint:
            self._announce(sitting.guidance.hint)
        self._used_s = self._now()

    def _see(self) -> Eyes:
        if self._eyes is None:
            self._eyes = Eyes(self._make(), self._clock)
        self._used_s = self._now()
        return self._eyes

    def _hold_door(self) -> None:
        if not self._held or self._now() - self._renewed_s >= RENEW_S:
            self._see().hold()
            self._held, self._renewed_s = True, self._now()

    def _open_door(self) -> None:
        if self._held:
            self._see().let_go()
            self._held = False

    def _rest(self) -> None:
        """Let go of the door, the networks and the database."""
        try:
            self._open_door()
        except StoreError as error:
            log.error("the door stays shut for faces until the lease is over: %s", error)
            self._held = False
        if self._eyes is not None:
            self._eyes.close()
            self._eyes = None


def _answer(work: Callable[[], object], answer: Future[object]) -> None:
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(work())
    except Exception as error:  # noqa: BLE001  whoever waits for the answer raises it
        answer.set_exception(error)


def same_person(draft: Draft, lookalike: Lookalike) -> Draft:
    """The operator says that the face is that person's: the views go to them."""
    return replace(draft, mode="add", person_id=lookalike.person_id)
