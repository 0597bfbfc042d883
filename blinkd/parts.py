"""Builds the parts from the settings: the one place where driver meets port."""

import random
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.rules import Rules
from blinkd.attendance.shifts.holidays import Holidays
from blinkd.attendance.shifts.rota import Rota
from blinkd.attendance.shifts.shift import Shift
from blinkd.attendance.shifts.shift_file import load_shifts
from blinkd.capture.motion import MotionGate
from blinkd.clock import Clock, SystemClock
from blinkd.errors import ConfigError, StoreError
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
from blinkd.session.machine import Desk, Recogniser, SessionMachine
from blinkd.session.terminal import Terminal
from blinkd.settings import AttendanceSettings, Settings
from blinkd.store.database import Store
from blinkd.timing import NO_TIMING, Timing
from blinkd.vision.analysis import FaceAnalyser
from blinkd.vision.embedder import Embedder, open_embedder
from blinkd.vision.face import Embedding
from blinkd.vision.reader import FaceReader

REPLAY_SEED = 42  # of the challenges in a replay, which decides the same each time
ONLY_SHIFT = "day"  # name of the shift that the settings describe
ONLY_SHIFT_BEFORE_MIN, ONLY_SHIFT_AFTER_MIN = 240, 360  # its windows: who works one shift a day comes and goes when it suits
NETWORKS = frozenset({"embedder", "embedders", "analyser", "reader", "eyes"})
KEPT = frozenset({"manifest", "choice", "speeds", "model_id", "clock"})  # by a reload of the settings, beside the networks


class Parts:
    """The parts of one process, each built when first asked for: `people list` loads no network."""

    def __init__(self, settings: Settings, *, gallery: bool = False, timing: Timing = NO_TIMING) -> None:
        """Build nothing yet.

        gallery: whether they serve the people of the state folder, whose number has a say in the choice of the model; timing: is told how long
        each stage of a frame takes.
        """
        self.settings = settings
        self._timing = timing
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

    def open_store(self, *, read_only: bool = False, repair: bool = True, threads: bool = False) -> Store:
        """The database of the state folder; use it as a context manager. threads: see `Store.open`."""
        return Store.open(self.settings.state_dir, self.settings.store, read_only=read_only, repair=repair, threads=threads)

    def gallery(self, store: Store) -> Gallery:
        """Every template that the embedder in force has made; those of other models are left out, for spaces never mix."""
        return Gallery(self.embedder.dimension, self.templates(store))

    def templates(self, store: Store) -> Iterator[tuple[str, Embedding]]:
        """Person and vector of each template of the embedder in force."""
        return ((template.person_id, template.vector) for template in store.people.templates(self.embedder.model_id))

    def reloaded(self, settings: Settings) -> "Parts":
        """By settings of which nothing has changed that needs a restart; the networks, and what was chosen at the start, stay."""
        new = Parts(settings, gallery=self._gallery, timing=self._timing)
        new._enrolled = self._enrolled
        new.__dict__.update({name: value for name, value in self.__dict__.items() if name in KEPT | NETWORKS})
        return new

    def forget_networks(self) -> None:
        """They are loaded anew when they are next asked for."""
        for name in NETWORKS:
            self.__dict__.pop(name, None)

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
        timing = self._timing
        machine = SessionMachine(self.settings, self.reader, self.eyes, recogniser, desk, name_of, chance, timing)
        return Terminal(MotionGate(self.settings.motion), self.analyser.tracker(timing), machine, timing)


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
