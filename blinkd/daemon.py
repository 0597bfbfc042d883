"""The terminal at work: builds the parts, supervises them and speaks to systemd."""

import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING

from blinkd.attendance.shifts.rota import Rota
from blinkd.attendance.timekeeper import Timekeeper
from blinkd.capture.factory import open_source
from blinkd.capture.frame import Frame
from blinkd.capture.live import CameraState, LiveCapture
from blinkd.crypto.unlocked import has_keyring
from blinkd.entry.entry import open_entry
from blinkd.errors import BlinkdError, ConfigError, VisionFailed
from blinkd.fleet.expiry import expiry_of
from blinkd.identity.gallery import Gallery
from blinkd.outputs.port import Health, Output, PartHealth
from blinkd.outputs.screen import Screen
from blinkd.outputs.wired import open_wired
from blinkd.parts import Parts
from blinkd.session.events import Event
from blinkd.session.terminal import Terminal
from blinkd.settings import Settings
from blinkd.settings_file import load_settings
from blinkd.status_file import write_status
from blinkd.store.database import Store, make_folder
from blinkd.store.following import Following
from blinkd.store.lease import RegistrationLease
from blinkd.store.lock import StateLock
from blinkd.supervision.aside import StandAside
from blinkd.supervision.children import sync_process
from blinkd.supervision.daily import Daily
from blinkd.supervision.journal import set_level
from blinkd.supervision.loop import Loop
from blinkd.supervision.notify import Notifier
from blinkd.supervision.pages import Pages
from blinkd.supervision.reload import Reload, merge
from blinkd.supervision.status import content_of, read_temperature_c, words_of
from blinkd.supervision.vision import Vision
from blinkd.sync.runner import read_state
from blinkd.timing import NO_TIMING
from blinkd.upkeep import Done, due, keep_up

if TYPE_CHECKING:
    from blinkd.outputs.metrics import Metrics

START_S = 60.0  # what systemd is asked to wait from now on, while the camera does not answer
LEAVE_S = 2.5  # from being told to stop until nothing is waited for any more; systemd and people wait 3 s
COUNT_S = 10.0  # between two counts of what waits for the relay, and two looks at the certificate

log = logging.getLogger("blinkd")


class Daemon:
    """One terminal."""

    def __init__(self, settings: Settings, config: Path | None = None, environ: MutableMapping[str, str] | None = None) -> None:
        """config: the file that the settings came from, for reloading and for processes of its own. Raises ConfigError."""
        refuse_unsafe(settings)
        self._settings = settings
        self._config = config
        self._notifier = Notifier(os.environ if environ is None else environ)

    def run(self, stop: Flag, reload: Flag) -> None:
        """Work until `stop` is set; `reload`: read the settings again. Raises StateBusy, StoreError, ModelError or ConfigError when it cannot
        begin, VisionFailed.
        """  # fmt: skip
        settings, notifier = self._settings, self._notifier
        notifier.status("starting: database and models")
        make_folder(settings.state_dir)
        with contextlib.closing(notifier), StateLock(settings.state_dir), Parts(settings, gallery=True).open_store() as store:
            with contextlib.closing(Duty(settings, self._config, store, notifier, reload)) as duty:
                duty.run(stop)
            log.info("stopped")


class Duty:
    """The parts of a terminal at work, and what a change of the settings replaces of them."""

    def __init__(self, settings: Settings, config: Path | None, store: Store, notifier: Notifier, reload: Flag) -> None:
        """Build everything but the camera's picture. Raises StoreError, ModelError, ConfigError, KeyMissing."""
        self._settings = settings
        self._config = config
        self._store = store
        self._notifier = notifier
        self._reload = reload
        metrics = _metrics(settings)
        self._parts = parts = Parts(settings, gallery=True, timing=NO_TIMING if metrics is None else metrics.timing)
        parts.count(store)
        embedder = parts.embedder
        self._following = Following(store.people, embedder.model_id)
        self._gallery: Gallery = parts.gallery(store)
        store.book.begin()
        self._timekeeper = Timekeeper(store.book, parts.clock)
        self._vision = Vision(self._main_line, self._forget_networks)
        self._sync = sync_process(config) if settings.sync.broker else None
        self._daily = Daily(self._keep_up)
        self._entry = open_entry(settings, store, parts.clerk(store, store, parts.clock), parts.clock)
        self._screen = Screen(settings.kiosk, parts.clock) if settings.web.enabled else None
        self._pages = None if self._screen is None else Pages(self._screen, config)
        # the door first, then the display: somebody waits before both
        shown = () if self._screen is None else (self._screen,)
        self._outputs: list[Output] = [*open_wired(settings, store.book, parts.clock), *shown, *self._others()]
        if metrics is not None:
            self._outputs.append(metrics)
        lease = RegistrationLease(store.preferences)
        self._aside = StandAside(lambda: lease.in_force(parts.clock.now()))
        self._capture = LiveCapture(lambda: open_source(self._settings.camera), settings.camera, _camera_changed)
        self._loop = Loop(
            self._capture, self._vision, self._entry, self._report, self._look, self._ready, notifier, self._show, lambda: self._aside.now
        )
        self._is_ready = self._behind = self._renew = False  # _behind: somebody has written, and what it was has not been looked at yet
        self._told: tuple[PartHealth, ...] = ()
        self._people = len(store.people.all())
        self._counts, self._counted = (0, 0), float("-inf")
        self._certificate = self._certificate_part()
        log.info("started: %s (%s), %d people", embedder.model_id, embedder.precision, self._people)
        if parts.choice is not None:
            log.info("model: %s", parts.choice.reason)

    def run(self, stop: Flag) -> None:
        """Work until told to stop. Raises VisionFailed."""
        self._capture.start()
        try:
            self._loop.run(stop)
        except VisionFailed:
            self._tell(self.health())  # the door hears of it before the process ends
            raise

    def close(self) -> None:
        """Leave in time: everybody is asked first, then waited for together."""
        until = time.monotonic() + LEAVE_S
        self._notifier.stopping()
        self._daily.ask_to_end()
        for process in (self._sync, self._pages):
            if process is not None:
                process.ask_to_end()
        for output in self._outputs:
            output.close()
        if self._entry is not None:
            self._entry.close()
        self._capture.close()
        self._daily.join(until - time.monotonic())
        for process in (self._sync, self._pages):
            if process is not None:
                process.stop(until - time.monotonic())

    def health(self) -> Health:
        """Of every part, now."""
        parts = [self._camera_part(), self._vision_part(), self._store_part(), self._clock_part(), self._sync_part(), self._certificate]
        parts += [part for output in self._outputs if (part := output.part()) is not None]
        parts.append(PartHealth("web", "off") if self._pages is None else self._pages.part())
        if self._entry is not None:
            parts.append(self._entry.part())
        pending, failed = self._counts
        return Health(tuple(parts), self._capture.state.fps, self._people, len(self._gallery), pending, failed, read_temperature_c())

    # --- about once a second ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._reload.is_set():
            self._reload.clear()
            self._read_settings()
        if self._sync is not None and has_keyring(self._settings.state_dir):
            self._sync.look()
        if self._pages is not None:
            self._pages.look()
        if not self._is_ready:
            self._notifier.more_time(START_S)
        self._tell(self.health())
        if self._aside.look():
            self._report([Event(self._loop.t, 0, "registration", {"on": self._aside.now})])
        if self._vision.idle:
            self._follow()

    def _follow(self) -> None:
        """Take over what has changed: the settings; the clock has become right; commands have enrolled or deleted people."""
        if self._renew:
            self._renew = False
            self._vision.renew()
            if self._entry is not None:
                self._entry.renew(self._parts.clerk(self._store, self._store, self._parts.clock))
        self._timekeeper.look()
        self._behind = self._store.changed_elsewhere() or self._behind
        if self._behind:
            if self._following.update(self._gallery):
                self._people = len(self._store.people.all())
                log.info("people changed: %d templates", len(self._gallery))
            self._behind = False
        if time.monotonic() - self._counted >= COUNT_S:
            self._counted = time.monotonic()
            self._certificate = self._certificate_part()
            entries, people = self._store.outbox.counts(), self._store.registry.counts()
            self._counts = entries["PENDING"] + people["PENDING"], entries["FAILED"] + people["FAILED"]
        self._daily.look(lambda: due(self._store, self._parts.clock.now().utc))

    def _tell(self, health: Health) -> None:
        self._notifier.status(words_of(health))
        if health.parts != self._told:
            before = {part.name: part.state for part in self._told}
            for part in health.parts:
                if before.get(part.name, "ok") != part.state and part.state in ("degraded", "failed"):
                    log.warning("%s %s: %s", part.name, part.state, part.words, extra={"fields": {"PART": part.name, "STATE": part.state}})
            self._told = health.parts
            write_status(self._settings.state_dir, content_of(health))
        for output in self._outputs:
            output.health(health)

    def _others(self) -> Iterator[Output]:
        if self._settings.home_assistant.broker:
            from blinkd.outputs.home_assistant import HomeAssistant  # noqa: PLC0415  few terminals need it
            from blinkd.outputs.presence import BookCounter  # noqa: PLC0415

            parts = self._parts
            counter = BookCounter(lambda: parts.open_store(read_only=True), self._rota, parts.clock)
            yield HomeAssistant(self._settings.home_assistant, self._settings.terminal.id, counter)

    def _rota(self, store: Store) -> Rota:
        return self._parts.rota(store)  # by the settings that are in force when it is asked

    def _keep_up(self, goes_on: Callable[[], bool]) -> Done:
        parts = self._parts
        with parts.open_store(repair=False) as store:
            return keep_up(store, self._settings.privacy, parts.clock.now(), parts.rota(store), goes_on)

    # --- frames ----------------------------------------------------------------------------------------------------

    def _main_line(self) -> Terminal:
        return self._parts.terminal(self._store, self._store, self._parts.clock, self._gallery)

    def _forget_networks(self) -> None:
        self._parts.forget_networks()

    def _show(self, frame: Frame) -> None:
        if self._screen is None:
            return
        face, state = self._vision.face, self._vision.state
        small = face is not None and face.width_between_cheeks < self._settings.vision.min_face_px
        mirrored, aside = self._settings.camera.mirror, self._aside.now
        hint = "closer" if small and state == "idle" and not aside else ""
        self._screen.picture(frame, face, "registration" if aside else state, hint, mirrored=mirrored, fine=aside)

    def _ready(self) -> None:
        self._is_ready = True
        self._notifier.ready()
        log.info("ready")
        self._tell(self.health())

    def _report(self, events: list[Event]) -> None:
        for event in events:
            for output in self._outputs:  # before it is logged: somebody waits at the door
                output.event(event)
            # the journal knows people by id only
            shown = {key: value for key, value in event.details.items() if key != "name"}
            fields = {"SESSION": event.session, "EVENT": event.kind} | {
                name: shown[key] for name, key in (("PERSON", "person_id"), ("REASON", "reason")) if shown.get(key) is not None
            }
            log.info("session %d: %s %s", event.session, event.kind, json.dumps(shown), extra={"fields": fields})

    # --- settings --------------------------------------------------------------------------------------------------

    def _read_settings(self) -> None:
        """Take over what can be taken over, all or nothing of it; say why of the rest."""
        self._notifier.reloading()
        try:
            reload = merge(self._settings, load_settings(self._config))
            refuse_unsafe(reload.settings)
            parts = self._parts.reloaded(reload.settings)
            parts.rules(self._store)  # the files that they name
        except BlinkdError as error:
            log.error("the settings stay as they were: %s", error)
        else:
            self._take(reload, parts)
        if self._is_ready:
            self._notifier.ready()

    def _take(self, reload: Reload, parts: Parts) -> None:
        self._settings, self._parts = reload.settings, parts
        self._renew = True  # also where no key has changed, a file that one names may have
        set_level(reload.settings.log.level)
        if self._sync is not None and reload.taken:
            self._sync.stop()  # it reads its settings when it begins
        if reload.taken:
            self._sync = sync_process(self._config) if reload.settings.sync.broker else None
        if self._pages is not None and self._screen is not None and reload.taken:
            self._screen.renew(reload.settings.kiosk)
            self._pages.take(reload.taken)
        log.info("settings read: %s", f"in force now: {', '.join(reload.taken)}" if reload.taken else "nothing new that can be taken over")
        if reload.refused:
            log.warning("only a restart brings into force: %s", ", ".join(reload.refused))

    # --- how the parts are -----------------------------------------------------------------------------------------

    def _camera_part(self) -> PartHealth:
        state = self._capture.state
        if state.status == "open":
            return PartHealth("camera", "ok")
        return PartHealth("camera", "failed" if state.status == "lost" else "starting", state.reason)

    def _vision_part(self) -> PartHealth:
        return PartHealth("vision", "ok") if self._vision.works else PartHealth("vision", "failed", self._vision.why)

    def _store_part(self) -> PartHealth:
        if self._loop.trouble:
            return PartHealth("store", "failed", self._loop.trouble)
        free_mb, wanted_mb = shutil.disk_usage(self._settings.state_dir).free // 2**20, self._settings.store.min_free_mb
        return PartHealth("store", "ok") if free_mb >= wanted_mb else PartHealth("store", "degraded", f"less than {wanted_mb} MB are free")

    def _clock_part(self) -> PartHealth:
        if self._parts.clock.now().confidence == "synced":
            return PartHealth("clock", "ok")
        return PartHealth("clock", "degraded", "no time server has been heard since the start")

    def _certificate_part(self) -> PartHealth:
        found = expiry_of(self._settings, self._parts.clock.now())
        if found.troubles:
            return PartHealth("certificate", "failed" if found.state == "over" else "degraded", found.words)
        return PartHealth("certificate", "off" if found.state == "none" else "ok")

    def _sync_part(self) -> PartHealth:
        if self._sync is None:
            return PartHealth("sync", "off")
        if not has_keyring(self._settings.state_dir):
            return PartHealth("sync", "degraded", "no keyring: `blinkd keys init` or `blinkd keys join`")
        if not self._sync.running:
            return PartHealth(
                "sync", "failed" if self._sync.failures else "starting", f"its process has ended, {self._sync.failures} times"
            )
        state = read_state(self._settings.state_dir) or {}
        chain = state.get("chain") or {}
        if not state.get("connected"):
            return PartHealth("sync", "degraded", str(state.get("reason") or "not connected yet"))
        if chain.get("state", "ok") != "ok":
            return PartHealth("sync", "degraded", f"the relay sees a {chain['state']} in this terminal's chain: `blinkd sync status`")
        if self._counts[1]:
            return PartHealth("sync", "degraded", f"{self._counts[1]} are not taken by the relay: `blinkd sync status`")
        return PartHealth("sync", "ok")


def _metrics(settings: Settings) -> "Metrics | None":
    if not settings.metrics.enabled:
        return None
    from blinkd.outputs.metrics import Metrics  # noqa: PLC0415  few terminals need it

    return Metrics(settings.metrics)


def refuse_unsafe(settings: Settings) -> None:
    """Raise ConfigError for settings by which anybody would be let in."""
    if settings.vision.precision == "simulated":
        raise ConfigError("vision.precision is 'simulated', which recognises nobody; run refuses it: set it to auto")
    if settings.liveness.policy == "none":
        raise ConfigError("liveness.policy is 'none', which lets a photo in; run refuses it: set it to standard")


def _camera_changed(state: CameraState) -> None:
    log.log(logging.WARNING if state.status == "lost" else logging.INFO, "camera %s: %s", state.status, state.reason)
