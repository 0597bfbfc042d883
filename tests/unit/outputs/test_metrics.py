"""What is counted, what is said of a machine's parts, and that nobody is named."""

import socket
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from blinkd.outputs.metrics import RETRY_S, Metrics
from blinkd.outputs.metrics_server import MOST_CLIENTS
from blinkd.outputs.port import Health, PartHealth
from blinkd.session.events import Event
from blinkd.settings import MetricsSettings
from tests.unit.session.fakes import Look, Stage

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics(MetricsSettings(enabled=True, port=free_port()))
    yield made
    made.close()


def page(metrics: Metrics) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics") as answer:
        return str(answer.read().decode())


def samples(metrics: Metrics) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page(metrics))
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def health(*parts: PartHealth, **changes: Any) -> Health:
    return Health(parts, **({"fps": 15.0, "people": 7, "templates": 21, "pending": 3, "failed": 1, "temperature_c": 48.5} | changes))


def test_visits_are_counted_by_what_was_decided(metrics: Metrics) -> None:
    stage = Stage(timing=metrics.timing)
    events = stage.rest(1.0) + stage.blink() + stage.rest(1.5)
    events += stage.rest(2.0, Look(None)) + stage.rest(3.0, Look("stranger", track=2)) + stage.rest(2.0, Look(None))
    for event in events:
        metrics.event(event)
    found = samples(metrics)
    assert value(found, "blinkd_decisions_total", reason="accepted") == 1
    assert value(found, "blinkd_decisions_total", reason="unknown_face") == 1
    assert value(found, "blinkd_decisions_total", reason="swapped") == 0
    assert value(found, "blinkd_punches_total", direction="in") == 1
    assert value(found, "blinkd_punches_total", direction="out") == 0
    assert value(found, "blinkd_liveness_total", outcome="live") == 1
    assert value(found, "blinkd_sessions_total", outcome="punch") == 1
    assert value(found, "blinkd_sessions_total", outcome="refused") == 1
    took = next(event.details["elapsed_s"] for event in events if event.kind == "punch")
    assert value(found, "blinkd_decision_seconds_sum", outcome="accepted") == pytest.approx(took)
    assert value(found, "blinkd_stage_seconds_count", stage="embed") == len(stage.reader.embedded)
    assert value(found, "blinkd_stage_seconds_sum", stage="liveness") > value(found, "blinkd_stage_seconds_sum", stage="texture") > 0


def test_nobody_can_be_known_by_the_page(metrics: Metrics) -> None:
    for kind in ("identified", "punch", "refused"):
        metrics.event(Event(1.0, 1, kind, {"name": "Ann Example", "person_id": "E-1001", "reason": "inactive", "status": "CHECK_OUT"}))  # type: ignore[arg-type]
    text = page(metrics)
    assert 'blinkd_punches_total{direction="out"} 1.0' in text
    assert "Ann" not in text and "E-1001" not in text


def test_what_is_not_known_yet_is_counted_as_other_and_adds_one_label_only(metrics: Metrics) -> None:
    for number in range(50):
        metrics.event(Event(1.0, number, "refused", {"reason": f"new_{number}"}))
        metrics.event(Event(1.0, number, "punch", {"status": f"NEW_{number}"}))
    found = samples(metrics)
    assert value(found, "blinkd_decisions_total", reason="other") == 50
    assert value(found, "blinkd_punches_total", direction="other") == 50
    assert sum(name == "blinkd_decisions_total" for name, _ in found) == 12


def test_a_challenge_counts_once_however_many_steps_it_has(metrics: Metrics) -> None:
    for number in (1, 2, 3):
        metrics.event(Event(1.0, 1, "challenge", {"step": "turn_left", "number": number, "of": 3}))
    assert value(samples(metrics), "blinkd_liveness_total", outcome="challenge") == 1


def test_health_is_taken_over_and_a_part_that_is_gone_is_forgotten(metrics: Metrics) -> None:
    metrics.health(health(PartHealth("camera", "ok"), PartHealth("door", "failed", "forced open")))
    found = samples(metrics)
    assert value(found, "blinkd_part_state", part="camera", state="ok") == 1
    assert value(found, "blinkd_part_state", part="door", state="failed") == 1
    assert value(found, "blinkd_part_state", part="door", state="ok") == 0
    assert value(found, "blinkd_queue_entries", state="pending") == 3
    assert value(found, "blinkd_queue_entries", state="failed") == 1
    assert value(found, "blinkd_temperature_celsius", sensor="processor") == 48.5
    assert value(found, "blinkd_people") == 7
    assert value(found, "blinkd_camera_frames_per_second") == 15
    metrics.health(health(PartHealth("camera", "failed"), fps=0.0, temperature_c=None))
    found = samples(metrics)
    assert value(found, "blinkd_part_state", part="camera", state="failed") == 1
    assert value(found, "blinkd_part_state", part="camera", state="ok") == 0
    assert not any(("part", "door") in labels for _, labels in found)
    assert not any(name == "blinkd_temperature_celsius" for name, _ in found)


def test_two_in_one_process_share_nothing(metrics: Metrics) -> None:
    other = Metrics(MetricsSettings(enabled=True, port=free_port()))
    try:
        other.event(Event(1.0, 1, "punch", {"status": "CHECK_IN"}))
        assert value(samples(metrics), "blinkd_decisions_total", reason="accepted") == 0
    finally:
        other.close()


def test_nothing_listens_unless_asked_for() -> None:
    assert MetricsSettings().enabled is False


def test_a_port_that_is_taken_is_said_and_tried_again_and_nothing_is_raised() -> None:
    now = 0.0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        metrics = Metrics(MetricsSettings(enabled=True, port=port), lambda: now)
        part = metrics.part()
        assert (part.name, part.state) == ("metrics", "degraded")
        assert f"127.0.0.1 port {port}: Address already in use" in part.words
        now = RETRY_S
        metrics.health(health())
        assert metrics.port is None
    now = 2 * RETRY_S - 1
    metrics.health(health())
    assert metrics.port is None  # not yet
    now = 2 * RETRY_S
    metrics.health(health())
    assert metrics.part() == PartHealth("metrics", "ok")
    assert value(samples(metrics), "blinkd_people") == 7
    metrics.close()


def test_an_address_that_is_not_this_machines_is_said() -> None:
    metrics = Metrics(MetricsSettings(enabled=True, host="192.0.2.1"))
    assert metrics.part().state == "degraded"
    assert "192.0.2.1 port 9464" in metrics.part().words
    metrics.close()


def test_no_name_server_is_asked_for_the_machines_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getfqdn", lambda *name: asked.append(name) or "")
    metrics = Metrics(MetricsSettings(enabled=True, host="0.0.0.0", port=free_port()))
    assert metrics.part().state == "ok"
    assert "blinkd_build_info" in page(metrics)
    metrics.close()
    assert asked == []


def test_clients_that_say_nothing_take_no_more_than_their_places(metrics: Metrics) -> None:
    assert metrics.port is not None
    silent = [socket.create_connection(("127.0.0.1", metrics.port)) for _ in range(MOST_CLIENTS)]
    late = socket.create_connection(("127.0.0.1", metrics.port))
    try:
        assert late.recv(1) == b""  # let go at once
    finally:
        late.close()
        for one in silent:
            one.close()
    client = HTTPConnection("127.0.0.1", metrics.port)
    answer = None
    while answer is None:  # the others' places are free when their threads have noticed
        try:
            client.request("GET", "/metrics")
            answer = client.getresponse()
        except OSError:
            client.close()
    assert answer.status == 200
    client.close()


def test_after_closing_nobody_is_answered_and_closing_again_is_nothing(metrics: Metrics) -> None:
    port = metrics.port
    metrics.close()
    metrics.close()
    metrics.health(health())
    assert port is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
