"""doctor knocks at a real broker with the certificate that a bundle has brought."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.crypto import wrapping
from blinkd.doctor.network import broker
from blinkd.fleet.arrival import Given
from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.settings import Settings, SyncSettings
from tests.unit.fleet.site import NOW, Door, Site

CLOCK = SystemClock(lambda: NOW, lambda: True)


@dataclass(frozen=True, slots=True)
class Standing:
    """An organisation with its broker, and a terminal that a bundle has made."""

    site: Site
    broker: Mosquitto
    settings: Settings


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    monkeypatch.setattr(wrapping, "ITERATIONS", 1000)
    site, door = Site.begun(tmp_path / "ca"), Door.new(tmp_path / "door")
    mosquitto = Mosquitto(tmp_path / "broker", site.authority)
    mosquitto.start()
    bundle, code = site.whole()
    door.install(bundle, Given(code=code))
    settings = Settings(state_dir=door.here.state_dir, sync=SyncSettings(broker="localhost", port=mosquitto.port))
    yield Standing(site, mosquitto, settings.model_copy(update={"terminal": settings.terminal.model_copy(update={"id": "door-1"})}))
    mosquitto.kill()


def test_a_broker_that_takes_the_certificate_is_reached(standing: Standing) -> None:
    found = broker(standing.settings, CLOCK)
    assert (found.status, "takes this terminal's certificate" in found.detail) == ("ok", True), found


def test_a_revoked_certificate_is_found_although_the_handshake_seemed_to_end_well(standing: Standing) -> None:
    standing.site.authority.revoke("door-1")
    standing.broker.write_revocations()
    standing.broker.stop()
    standing.broker.start()
    found = broker(standing.settings, CLOCK)
    assert (found.status, "may have refused this" in found.detail) == ("warn", True), found


def test_another_authoritys_broker_is_not_trusted(standing: Standing, tmp_path: Path) -> None:
    other = Mosquitto(tmp_path / "other", Site.begun(tmp_path / "other-ca").authority)
    other.start()
    try:
        sync = standing.settings.sync.model_copy(update={"port": other.port})
        found = broker(standing.settings.model_copy(update={"sync": sync}), CLOCK)
    finally:
        other.kill()
    assert (found.status, "the broker's certificate is refused" in found.detail) == ("warn", True), found


def test_a_broker_that_is_gone_is_said_to_be(standing: Standing) -> None:
    standing.broker.kill()
    assert "Connection refused" in broker(standing.settings, CLOCK).detail


def test_the_brokers_certificate_is_warned_of_before_its_end(standing: Standing) -> None:
    late = SystemClock(lambda: NOW + timedelta(days=715), lambda: True)
    found = broker(standing.settings, late)
    assert (found.status, "fleet issue-broker" in found.fix) == ("warn", True), found
