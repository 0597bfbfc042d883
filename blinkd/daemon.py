"""Builds the parts from the settings, and runs them: the one place where driver meets port."""

import contextlib
import json
import logging
import math
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.rules import Rules
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Rota
from blinkd.attendance.shifts.shift import Shift
from blinkd.attendance.shifts.shift_file import load_shifts
from blinkd.attendance.timekeeper import Timekeeper
from blinkd.capture.factory import open_source
from blinkd.capture.live import CameraState, LiveCapture
from blinkd.capture.motion import MotionGate
from blinkd.clock import Clock, SystemClock
from blinkd.crypto.unlocked import has_keyring
from blinkd.errors import BlinkdError, ConfigError, KeyMissing, StoreError
from blinkd.identity.enrolment import Enroller
from blinkd.identity.gallery import Gallery
from blinkd.identity.matcher import Matcher
from blinkd.identity.register import Register
from blinkd.identity.thresholds import Bands, ImpostorScores, ThresholdRule
from blinkd.liveness.bezel import BezelFinder
from blinkd.liveness.evidence import Eyes
from blinkd.liveness.texture import TextureModel
from blinkd.models.choice import Choice, choose, choose_precision
from blinkd.models.manifest import SIMULATED_PREFIX, Manifest, default_models_dir
from blinkd.models.processor import read_processor
from blinkd.models.speeds import Machine, Speeds, fitting_speeds
from blinkd.session.events import Event
from blinkd.session.machine import Desk, Recogniser, SessionMachine
from blinkd.session.terminal import Terminal
from blinkd.settings import AttendanceSettings, Settings
from blinkd.store.database import Store, make_folder
from blinkd.store.following import Following
from blinkd.store.lock import StateLock
from blinkd.sync.supervisor import SyncProcess
from blinkd.upkeep import due, keep_up
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.embedder import Embedder, open_embedder
from blinkd.vision.face import Embedding
from blinkd.vision.reader import FaceReader

log = logging.getLogger("blinkd")

T = TypeVar("T")

STATUS_FILE = "status.json"  # in the state folder, for doctor and people; replaced whole, never edited
FOLLOW_S = 1.0  # between looks whether a command has changed the people
REPLAY_SEED = 42  # of the challenges in a replay, which decides the same each time
ONLY_SHIFT = "day"  # name of the shift that the settings describe
ONLY_SHIFT_BEFORE_MIN, ONLY_SHIFT_AFTER_MIN = 240, 360  # its windows: who works one shift a day comes and goes when it suits
UPKEEP_RETRY_S = 3600.0  # after an upkeep that failed
UPKEEP_WAIT_S = 2.0  # for one that runs when the daemon is told to stop; it leaves off between two portions
FRAME_WAIT_S = 0.5  # how long the loop waits for a frame before it looks whether it shall stop


class Parts:
    """The parts of one process, each built when first asked for: `people list` loads no network."""

    def __init__(self, settings: Settings, *, gallery: bool = False) -> None:
        """Build nothing yet; gallery: whether they serve the people of the state folder, whose number has a say in the choice of the model."""
        self.settings = settings
        self._gallery = gallery
        self._enrolled: tuple[set[str], int] | None = None  # models for which everybody is enrolled, number of templates

    @cached_property
    def manifest(self) -> Manifest:
        """The networks that are there."""
        return Manifest.load(self.settings.models_dir or default_models_dir())

    @cached_property
    def choice(self) -> Choice | None:
        """What `vision.embedder = "auto"` takes for the people of the state folder, and why; None where no gallery is served, or a model is named.

        Templates of different models never mix, so only a model is eligible for which everybody is enrolled.
        """
        vision = self.settings.vision
        if not self._gallery or vision.embedder != "auto" or vision.precision == "simulated":
            return None
        if self._enrolled is None:
            with self.open_store(read_only=True) as store:
                self.count(store)
        assert self._enrolled is not None
        complete, templates = self._enrolled[0] & set(self.manifest.models), self._enrolled[1]
        default = self.manifest.default_embedder
        if complete and default not in complete:
            name = next(name for name in self.manifest.models if name in complete)
            precision, why = choose_precision(self.manifest, name, self.speeds, read_processor())
            return Choice(name, precision, f"everybody is enrolled for {name} and not for {default}; {precision}: {why}")
        needed = self.settings.identity.fpir / templates if templates else None
        return choose(self.manifest, self.speeds, needed, vision.visit_budget_ms, complete, read_processor())

    def count(self, store: Store) -> None:
        """Look at who is enrolled, where the store is open anyway: else `choice` opens, and so checks, it once more."""
        self._enrolled = store.people.models_complete(), sum(person.templates for person in store.people.all())

    @cached_property
    def speeds(self) -> Speeds:
        """What `models bench` found on this machine; empty when it never ran or something has changed since."""
        machine = Machine.at_hand(read_processor(), self.settings.vision.threads)
        return fitting_speeds(self.settings.state_dir, self.manifest, machine)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder that the settings ask for, or that is best for the gallery."""
        return open_embedder(self.manifest, self.settings.vision, self.speeds, None if self.choice is None else self.choice.name)

    @cached_property
    def model_id(self) -> str:
        """What `embedder.model_id` will say, without loading the network. Raises ModelError for a name that is not in the manifest."""
        vision = self.settings.vision
        if self.choice is not None:
            return self.choice.name
        name = self.manifest.entry(self.manifest.default_embedder if vision.embedder == "auto" else vision.embedder).name
        return SIMULATED_PREFIX + name if vision.precision == "simulated" else name

    @cached_property
    def embedders(self) -> list[Embedder]:
        """The embedder in force and every other one whose file is there: enrolment asks all of them, so that templates outlive a change.

        A simulated one is alone, so that what it makes never stands beside what recognises people.
        """
        found, vision = [self.embedder], self.settings.vision
        if vision.precision == "simulated":
            return found
        for name, entry in self.manifest.models.items():
            there = any(self.manifest.path(name, precision).exists() for precision in entry.files)
            if entry.kind == "embedder" and there and name != self.embedder.model_id:
                # of its precisions any will do: their vectors may be compared
                found.append(open_embedder(self.manifest, vision.model_copy(update={"embedder": name, "precision": "auto"}), self.speeds))
        return found

    @cached_property
    def analyser(self) -> FaceAnalyser:
        """Detectors and mesh."""
        return FaceAnalyser(self.manifest, self.settings.vision)

    @cached_property
    def reader(self) -> FaceReader:
        """From face to embedding."""
        return FaceReader(self.embedder, self.settings.vision)

    @cached_property
    def eyes(self) -> Eyes:
        """What liveness looks with."""
        texture = TextureModel(self.manifest, self.settings.vision.threads)
        return Eyes(texture.look, BezelFinder().framed, self.analyser.blendshapes.eyes_closed)

    @cached_property
    def threshold_rule(self) -> ThresholdRule:
        """How the thresholds follow from the settings, the model and the gallery's size."""
        embedder = self.embedder
        own = self.manifest.thresholds_of(embedder.model_id)
        scores = None
        if embedder.precision != "simulated" and (table := self.manifest.entry(embedder.model_id).impostor.get(embedder.precision)):
            scores = ImpostorScores(table.fmr, table.threshold, table.lower, table.upper)
        return ThresholdRule(Bands(own.match, own.uncertain), scores, self.settings.identity)

    @cached_property
    def clock(self) -> Clock:
        """The machine's."""
        return SystemClock(trust_hardware=self.settings.terminal.trust_hardware_clock)

    @cached_property
    def shifts(self) -> dict[str, Shift]:
        """By name: those of the file, else the one that the settings describe. Raises ConfigError."""
        attendance = self.settings.attendance
        if attendance.shifts_file is None:
            return {ONLY_SHIFT: _only_shift(attendance)}
        shifts = load_shifts(attendance.shifts_file)
        if attendance.default_shift and attendance.default_shift not in shifts:
            known = ", ".join(sorted(shifts))
            raise ConfigError(f"attendance.default_shift is {attendance.default_shift!r}; {attendance.shifts_file} has {known}")
        return shifts

    @property
    def default_shift(self) -> str | None:
        """Who is not assigned works it; None: nobody is expected then."""
        return ONLY_SHIFT if self.settings.attendance.shifts_file is None else self.settings.attendance.default_shift or None

    @cached_property
    def holidays(self) -> Holidays:
        """The days on which nobody is expected. Raises ConfigError."""
        attendance = self.settings.attendance
        return Holidays.load(attendance.holidays_file, attendance.holidays_country, attendance.holidays_subdivision)

    def rota(self, store: Store, subject: int | None = None) -> Rota:
        """Who works what, as the book of a store has it now; subject: for one person only, which is quick."""
        assignments = (one.assignment for one in store.book.assignments(subject))
        return Rota(self.shifts, self.default_shift, assignments, self.holidays, self.settings.terminal.zone)

    def rules(self, store: Store) -> Rules:
        """How punches are judged, by the assignments in a store. Raises ConfigError when the shifts or holidays cannot be read."""
        _, _ = self.shifts, self.holidays  # now, not when the first person stands at the door
        fixed = self.settings.terminal.direction
        mode = self.settings.attendance.direction if fixed == "both" else fixed
        return Rules(mode, lambda subject: self.rota(store, subject))

    def matcher(self, gallery: Gallery) -> Matcher:
        """Recognition in a gallery; its thresholds follow the gallery's size."""
        return Matcher(gallery, self.threshold_rule)

    @property
    def bands(self) -> Bands:
        """Thresholds that a gallery starts with; those in force for its size are the matcher's."""
        return self.threshold_rule.at(0).bands

    @cached_property
    def enroller(self) -> Enroller:
        """The gate through which templates come in."""
        return Enroller(self.analyser, self.reader, self.embedders, self.settings.vision, self.bands)

    def open_store(self, *, read_only: bool = False, repair: bool = True) -> Store:
        """The database of the state folder; use it as a context manager."""
        return Store.open(self.settings.state_dir, self.settings.store, read_only=read_only, repair=repair)

    def gallery(self, store: Store) -> Gallery:
        """Every template that the embedder in force has made; those of other models are left out, for spaces never mix."""
        return Gallery(self.embedder.dimension, self.templates(store))

    def templates(self, store: Store) -> Iterator[tuple[str, Embedding]]:
        """Person and vector of each template of the embedder in force."""
        return ((template.person_id, template.vector) for template in store.people.templates(self.embedder.model_id))

    def register(self, store: Store) -> Register:
        """The way in for new people. Raises StoreError when so little space is free that punches must come first."""
        free_mb, wanted_mb = shutil.disk_usage(self.settings.state_dir).free // 2**20, self.settings.store.min_free_mb
        if free_mb < wanted_mb:
            raise StoreError(
                f"{self.settings.state_dir}: {free_mb} MB free, enrolment wants {wanted_mb} (store.min_free_mb); free some space"
            )
        store.changed_elsewhere()  # from here on
        gallery = self.gallery(store)

        def follow() -> None:
            if store.changed_elsewhere():
                gallery.replace(self.templates(store))

        return Register(store.people, gallery, self.matcher(gallery).bands, self.embedder.model_id, follow)

    def terminal(self, people: Store, book: Store, clock: Clock, gallery: Gallery | None = None, seed: int | None = None) -> Terminal:
        """The main line: people are known from one store, attendance is written into another (the same one, but for a preview).

        gallery: given by whoever keeps it up to date while the terminal works; else built here. seed: of the challenges, for replays.
        """
        matcher = self.matcher(self.gallery(people) if gallery is None else gallery)
        return self.main_line(matcher, self.clerk(people, book, clock), people.people.name_of, seed)

    def clerk(self, people: Store, book: Store, clock: Clock) -> Clerk:
        """Who writes into a book, by the shifts that are assigned in the store of the people."""
        return Clerk(book.book, book.scans, self.rules(people), self.settings.attendance, self.settings.terminal, clock)

    def main_line(self, recogniser: Recogniser, desk: Desk, name_of: Callable[[str], str], seed: int | None) -> Terminal:
        """Gate, tracker and session machine for whoever decides on identity and attendance. seed: of the challenges; None at a door."""
        chance = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  a replay must decide the same each time
        machine = SessionMachine(self.settings, self.reader, self.eyes, recogniser, desk, name_of, chance)
        return Terminal(MotionGate(self.settings.motion), self.analyser.tracker(), machine)


class Daemon:
    """The terminal at work: frames from the camera, decisions into the book, events into the log."""

    def __init__(self, settings: Settings, config: Path | None = None) -> None:
        """config: the file that the settings came from, for processes of its own."""
        if settings.vision.precision == "simulated":
            raise ConfigError("vision.precision is 'simulated', which recognises nobody; run refuses it: set it to auto")
        if settings.liveness.policy == "none":
            raise ConfigError("liveness.policy is 'none', which lets a photo in; run refuses it: set it to standard")
        self._settings = settings
        self._parts = Parts(settings, gallery=True)
        self._sync = SyncProcess(config) if settings.sync.broker else None
        self._behind = False  # somebody has written, and what it was has not been looked at yet
        self._trouble = ""  # the store's last complaint
        self._upkeep: threading.Thread | None = None
        self._upkeep_tried = -math.inf  # monotonic seconds

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises StateBusy, StoreError, ModelError or ConfigError when it cannot begin."""
        settings = self._settings
        make_folder(settings.state_dir)
        with StateLock(settings.state_dir), self._parts.open_store() as store:
            self._parts.count(store)
            embedder = self._parts.embedder
            following = Following(store.people, embedder.model_id)
            gallery = self._parts.gallery(store)
            clock = self._parts.clock
            store.book.begin()
            terminal, timekeeper = self._parts.terminal(store, store, clock, gallery), Timekeeper(store.book, clock)
            log.info("started: %s (%s), %d people", embedder.model_id, embedder.precision, len(store.people.all()))
            if self._parts.choice is not None:
                log.info("model: %s", self._parts.choice.reason)
            capture = LiveCapture(lambda: open_source(settings.camera), settings.camera, self._camera_changed)
            with contextlib.closing(capture):
                capture.start()
                self._loop(capture, terminal, stop, gallery, lambda held: self._follow(store, held, following, timekeeper, stop))
            if self._sync is not None:
                self._sync.stop()
            if self._upkeep is not None:
                self._upkeep.join(UPKEEP_WAIT_S)
            log.info("stopped")

    def _loop(
        self, capture: LiveCapture, terminal: Terminal, stop: threading.Event, gallery: Gallery, follow: Callable[[Gallery], None]
    ) -> None:
        after, last_t, looked = -1, 0.0, 0.0
        while not stop.is_set():
            frame = capture.latest(after, FRAME_WAIT_S)
            if time.monotonic() - looked >= FOLLOW_S:
                if terminal.idle:
                    self._carefully(follow, gallery)
                if self._sync is not None and has_keyring(self._settings.state_dir):
                    self._sync.look()
                looked = time.monotonic()
            if frame is not None:
                after, last_t = frame.index, frame.t
                self._carefully(lambda taken: self._report(terminal.process(taken)), frame)
            elif capture.state.status == "lost":
                self._carefully(lambda t: self._report(terminal.interrupt(t)), last_t)
        self._carefully(lambda t: self._report(terminal.interrupt(t)), last_t)

    def _carefully(self, work: Callable[[T], None], given: T) -> None:
        """A store that does not take a record lets nobody in, but must not end the daemon: it may have room again in a minute.

        The session stays open meanwhile, so the next frame tries again. Said once for each new reason.
        """
        try:
            work(given)
        except (StoreError, KeyMissing) as error:
            if str(error) != self._trouble:
                log.error("%s", error)
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _follow(self, store: Store, gallery: Gallery, following: Following, timekeeper: Timekeeper, stop: threading.Event) -> None:
        """Take over what has changed: the clock has become right, or commands have enrolled or deleted people while the daemon works."""
        timekeeper.look()
        self._behind = store.changed_elsewhere() or self._behind
        if self._behind:
            if following.update(gallery):
                log.info("people changed: %d templates", len(gallery))
            self._behind = False
        if time.monotonic() - self._upkeep_tried >= UPKEEP_RETRY_S and due(store, self._parts.clock.now().utc):
            self._upkeep_tried = time.monotonic()
            self._upkeep = threading.Thread(target=self._keep_up, args=(stop,), name="upkeep", daemon=True)
            self._upkeep.start()

    def _keep_up(self, stop: threading.Event) -> None:
        """In a thread and by a connection of its own, so that no frame waits for it."""
        parts = self._parts
        try:
            with parts.open_store(repair=False) as store:
                done = keep_up(store, self._settings.privacy, parts.clock.now(), parts.rota(store), lambda: not stop.is_set())
        except BlinkdError as error:
            log.error("upkeep: %s", error)
        else:
            log.info(
                "upkeep: erased %d scans and %d punches; %s", done.scans, done.punches, "; ".join(done.notes) or "the database is sound"
            )

    def _report(self, events: list[Event]) -> None:
        for event in events:
            # the journal knows people by id only
            shown = {key: value for key, value in event.details.items() if key != "name"}
            log.info("session %d: %s %s", event.session, event.kind, json.dumps(shown))

    def _camera_changed(self, state: CameraState) -> None:
        log.log(logging.WARNING if state.status == "lost" else logging.INFO, "camera %s: %s", state.status, state.reason)
        write_status(
            self._settings.state_dir,
            {"pid": os.getpid(), "camera": {"status": state.status, "reason": state.reason, "attempts": state.attempts}},
        )


def _only_shift(attendance: AttendanceSettings) -> Shift:
    return Shift(
        ONLY_SHIFT,
        attendance.shift_start,
        attendance.shift_end,
        late_grace_min=attendance.grace_min,
        early_grace_min=attendance.grace_min,
        overtime_after_min=attendance.grace_min,
        check_in_before_min=ONLY_SHIFT_BEFORE_MIN,
        check_out_after_min=ONLY_SHIFT_AFTER_MIN,
    )


def write_status(state_dir: Path, status: dict[str, Any]) -> None:
    """Replace the status file; a full disk must not stop the door, so a failure is only logged."""
    partial = state_dir / f".{STATUS_FILE}"
    try:
        partial.write_text(json.dumps(status), encoding="utf-8")
        partial.replace(state_dir / STATUS_FILE)
    except OSError as error:
        log.warning("%s: cannot be written: %s", state_dir / STATUS_FILE, error.strerror)
