"""Figures for Prometheus. Nothing in them says who somebody is: labels are words of this program, never a name or a person's id."""

import logging
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import perf_counter
from types import TracebackType
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.process_collector import ProcessCollector

from blinkd import __version__
from blinkd.outputs.metrics_server import MetricsServer
from blinkd.outputs.port import Health, PartHealth, PartState
from blinkd.session.events import Event, RefusalReason
from blinkd.settings import MetricsSettings
from blinkd.timing import Stage, Timing

log = logging.getLogger(__name__)

PART: Final = "metrics"
RETRY_S: Final = 30.0  # before a port that was taken is tried again
REASONS: Final = ("accepted", *get_args(RefusalReason))
OTHER: Final = "other"  # what this file does not know yet: labels must not grow with what others may send
DIRECTIONS: Final = {"CHECK_IN": "in", "CHECK_OUT": "out"}
STATES: Final[tuple[str, ...]] = get_args(PartState)
OUTCOMES: Final = ("punch", "refused", "left")
STAGE_BUCKETS_S: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
)  # a Pi is ten times slower than a PC
DECISION_BUCKETS_S: Final = (
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    6.0,
    8.0,
    10.0,
    15.0,
    20.0,
    30.0,
)  # a blink takes one, a challenge up to twenty


class _Span:
    """One stage while it goes on."""

    __slots__ = ("_began", "_histogram")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._histogram.observe(perf_counter() - self._began)


class Figures:
    """The figures in a registry of their own, kept up by events, health and the stages of the main line."""

    def __init__(self) -> None:
        """Begin at zero. Every label that can be is there from the start, so that a first refusal is an increase and not a new series."""
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        Info("blinkd_build", "What runs.", registry=own).info({"version": __version__, "python": platform.python_version()})
        self._decisions = Counter("blinkd_decisions", "Decided visits, by reason.", ["reason"], registry=own)
        self._punches = Counter("blinkd_punches", "Recorded punches, by direction.", ["direction"], registry=own)
        self._liveness = Counter(
            "blinkd_liveness", "What liveness came to: live, not_live, or a challenge asked.", ["outcome"], registry=own
        )
        self._sessions = Counter("blinkd_sessions", "Visits that have ended: punch, refused, or left undecided.", ["outcome"], registry=own)
        self._decided_in = Histogram(
            "blinkd_decision_seconds",
            "From the first frame of a visit to its decision.",
            ["outcome"],
            registry=own,
            buckets=DECISION_BUCKETS_S,
        )
        stages = Histogram("blinkd_stage_seconds", "Time in one stage of a frame.", ["stage"], registry=own, buckets=STAGE_BUCKETS_S)
        self._stages = {stage: stages.labels(stage) for stage in get_args(Stage)}
        self._parts = Gauge("blinkd_part_state", "1 for the state that a part is in, 0 for the others.", ["part", "state"], registry=own)
        self._fps = Gauge("blinkd_camera_frames_per_second", "Frames that the camera gives, 0 while it is lost.", registry=own)
        self._people = Gauge("blinkd_people", "People in the gallery.", registry=own)
        self._templates = Gauge("blinkd_templates", "Templates in the gallery.", registry=own)
        self._queue = Gauge("blinkd_queue_entries", "What waits for the relay, and what it does not take.", ["state"], registry=own)
        self._temperature = Gauge(
            "blinkd_temperature_celsius", "Of the processor; absent where it cannot be read.", ["sensor"], registry=own
        )
        self._known_parts: set[str] = set()
        for counter, labels in (
            (self._decisions, REASONS),
            (self._punches, DIRECTIONS.values()),
            (self._liveness, ("live", "not_live", "challenge")),
            (self._sessions, OUTCOMES),
            (self._decided_in, ("accepted", "refused")),
            (self._queue, ("pending", "failed")),
        ):
            for label in labels:
                counter.labels(label)

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """A port of `Timing`."""
        return _Span(self._stages[name])

    def event(self, event: Event) -> None:
        """Count it."""
        details = event.details
        match event.kind:
            case "punch":
                self._decisions.labels("accepted").inc()
                self._punches.labels(DIRECTIONS.get(str(details.get("status")), OTHER)).inc()
                self._decided("accepted", event)
            case "refused":
                reason = str(details.get("reason"))
                self._decisions.labels(reason if reason in REASONS else OTHER).inc()
                self._decided("refused", event)
            case "liveness":
                self._liveness.labels("live" if details.get("live") else "not_live").inc()
            case "challenge" if details.get("number") == 1:  # its first step
                self._liveness.labels("challenge").inc()
            case "session_ended":
                outcome = str(details.get("outcome"))
                self._sessions.labels(outcome if outcome in OUTCOMES else OTHER).inc()

    def health(self, health: Health) -> None:
        """Take over how the terminal is."""
        for part in health.parts:
            for state in STATES:
                self._parts.labels(part.name, state).set(part.state == state)
        gone = self._known_parts - {part.name for part in health.parts}
        for name in gone:
            for state in STATES:
                self._parts.remove(name, state)
        self._known_parts = {part.name for part in health.parts}
        self._fps.set(health.fps)
        self._people.set(health.people)
        self._templates.set(health.templates)
        self._queue.labels("pending").set(health.pending)
        self._queue.labels("failed").set(health.failed)
        if health.temperature_c is not None:
            self._temperature.labels("processor").set(health.temperature_c)
        else:
            self._temperature.clear()

    def _decided(self, outcome: str, event: Event) -> None:
        if (elapsed_s := event.details.get("elapsed_s")) is not None:
            self._decided_in.labels(outcome).observe(float(elapsed_s))


class Metrics:
    """The output: figures, and the page they are served on. A port that cannot be had never stops the door; it is tried again."""

    def __init__(self, settings: MetricsSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to serve. clock: monotonic seconds."""
        self._settings = settings
        self._clock = clock
        self._figures = Figures()
        self._server: MetricsServer | None = None
        self._closed = False
        self._part = PartHealth(PART, "starting")
        self._open()

    @property
    def timing(self) -> Timing:
        """For the main line."""
        return self._figures

    @property
    def port(self) -> int | None:
        """On which figures are served; None where they are not."""
        return None if self._server is None else self._server.port

    def event(self, event: Event) -> None:
        """Count it."""
        self._figures.event(event)

    def health(self, health: Health) -> None:
        """Take it over; and try the port again where it was taken."""
        self._figures.health(health)
        if self._server is None and not self._closed and self._clock() - self._tried >= RETRY_S:
            self._open()

    def part(self) -> PartHealth:
        """Whether the page can be had."""
        return self._part

    def close(self) -> None:
        """No longer serve."""
        self._closed = True
        if self._server is not None:
            self._server.close()
            self._server = None

    def _open(self) -> None:
        self._tried = self._clock()
        host, port = self._settings.host, self._settings.port
        try:
            self._server = MetricsServer(self._figures.registry, host, port)
        except OSError as error:
            words = f"{host} port {port}: {error.strerror or error}; set metrics.host and metrics.port to what is this machine's and free"
            self._part = PartHealth(PART, "degraded", words)
        else:
            log.info("metrics at http://%s:%d/metrics", f"[{host}]" if ":" in host else host, self._server.port)
            self._part = PartHealth(PART, "ok")
