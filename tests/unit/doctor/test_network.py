"""What doctor says of keys, certificate, broker and relay."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.doctor.check import Check
from blinkd.doctor.network import broker, certificate, keyring, relay
from blinkd.doctor.timing import clock
from blinkd.fleet.arrival import Given
from blinkd.fleet.placing import FOLDER, PLAN
from blinkd.settings import Settings, SyncSettings
from blinkd.store.database import Store
from blinkd.store.lock import StateLock
from blinkd.sync.link import Broker
from blinkd.sync.runner import LOCK_FILE, STATE_FILE
from tests.unit.fleet.conftest import _quick, door, site  # noqa: F401  the same fixtures
from tests.unit.fleet.site import NOW, Door, Site

FAR = NOW + timedelta(days=300)


def clock_at(moment: datetime, *, trusted: bool = True) -> SystemClock:
    return SystemClock(lambda: moment, lambda: trusted)


@pytest.fixture
def settings(site: Site, door: Door) -> Settings:  # noqa: F811
    """Of door-1, which is installed."""
    bundle, code = site.whole()
    door.install(bundle, Given(code=code))
    return named(door)


def named(door: Door) -> Settings:  # noqa: F811
    found = Settings(state_dir=door.here.state_dir, sync=SyncSettings(broker="mqtt.example"))
    return found.model_copy(update={"terminal": found.terminal.model_copy(update={"id": "door-1"})})


def test_without_a_broker_nothing_is_missing(tmp_path: Path) -> None:
    alone = Settings(state_dir=tmp_path)
    found = [keyring(alone), certificate(alone, clock_at(NOW)), broker(alone, clock_at(NOW)), relay(alone)]
    assert [(one.status, one.fix) for one in found] == [("ok", "")] * 4


def test_with_a_broker_and_no_keys_the_way_to_them_is_told(door: Door) -> None:  # noqa: F811
    found = [keyring(named(door)), certificate(named(door), clock_at(NOW)), broker(named(door), clock_at(NOW))]
    assert [one.status for one in found] == ["fail", "fail", "warn"]
    assert all(one.fix for one in found)


@pytest.mark.parametrize(
    ("days", "trusted", "status", "words"),
    [
        (0, True, "ok", "729 days more"),
        (699, True, "warn", "30 days more"),
        (729, True, "warn", "0 days more"),
        (731, True, "fail", "ended on"),
        (-3, True, "fail", "from"),
        (731, False, "ok", "not known to be right"),
    ],
)
def test_the_days_that_a_certificate_has_left(settings: Settings, days: int, trusted: bool, status: str, words: str) -> None:
    found = certificate(settings, clock_at(NOW + timedelta(days=days, hours=1), trusted=trusted))
    assert (found.status, words in found.detail, bool(found.fix)) == (status, True, status != "ok"), found


def test_a_torn_certificate_is_named(settings: Settings) -> None:
    (settings.state_dir / "terminal.pem").write_text("-----BEGIN")
    found = certificate(settings, clock_at(NOW))
    assert (found.status, "terminal.pem: torn" in found.detail) == ("fail", True)


def test_an_installation_that_was_left_half_way_is_found(settings: Settings) -> None:
    assert keyring(settings).status == "ok"
    (settings.state_dir / FOLDER).mkdir()
    (settings.state_dir / FOLDER / PLAN).write_text("[]")
    assert (keyring(settings).status, "once more" in keyring(settings).fix) == ("fail", True)


def tried(settings: Settings, answer: datetime | OSError, asked: list[bool] | None = None, at: SystemClock | None = None) -> Check:
    def probe(target: Broker, check_time: bool) -> datetime:
        assert (target.host, target.port) == ("mqtt.example", 8883)
        if asked is not None:
            asked.append(check_time)
        if isinstance(answer, OSError):
            raise answer
        return answer

    return broker(settings, at or clock_at(NOW), probe)


def test_a_broker_that_is_away_is_a_warning_for_a_terminal_works_without(settings: Settings) -> None:
    found = tried(settings, ConnectionRefusedError(111, "Connection refused"))
    assert (found.status, found.detail) == ("warn", "mqtt.example:8883: Connection refused")
    refusal = ssl.SSLError(1, "certificate revoked")
    refusal.reason = "SSLV3_ALERT_CERTIFICATE_REVOKED"
    assert "may have refused" in tried(settings, refusal).detail


def test_the_brokers_own_certificate_is_looked_at_too(settings: Settings) -> None:
    assert tried(settings, FAR).status == "ok"
    soon = tried(settings, NOW + timedelta(days=29))
    assert (soon.status, "issue-broker" in soon.fix) == ("warn", True)


def test_in_1970_the_dates_of_certificates_are_not_asked(settings: Settings) -> None:
    asked: list[bool] = []
    assert tried(settings, NOW, asked, clock_at(datetime(1970, 1, 1, tzinfo=UTC), trusted=False)).status == "ok"
    assert asked == [False]


def test_while_the_sync_process_is_connected_nobody_knocks_beside_it(settings: Settings) -> None:
    (settings.state_dir / STATE_FILE).write_text(json.dumps({"connected": True, "broker": "mqtt.example:8883"}))
    assert tried(settings, OSError("knocked")).status == "warn", "it does not run any more"
    with StateLock(settings.state_dir, LOCK_FILE):
        assert tried(settings, OSError("knocked")).status == "ok"


@pytest.mark.parametrize(
    ("state", "running", "status", "words"),
    [
        ({"connected": True, "chain": {"state": "ok", "detail": ""}}, True, "ok", "0 entries"),
        ({"connected": True, "chain": {"state": "gap", "detail": "from 7"}}, True, "fail", "gap: from 7"),
        ({}, False, "warn", "does not run"),
    ],
)
def test_the_relay_speaks_by_what_the_sync_process_has_heard(
    settings: Settings, state: dict[str, object], running: bool, status: str, words: str
) -> None:
    with Store.open(settings.state_dir, settings.store):
        pass
    (settings.state_dir / STATE_FILE).write_text(json.dumps(state))
    with StateLock(settings.state_dir, LOCK_FILE if running else "another.lock"):
        found = relay(settings)
    assert (found.status, words in found.detail) == (status, True), found


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ((), "no time service was found; no hardware clock"),
        (("run/chrony/chronyd.pid", "sys/class/rtc/rtc0/name"), "kept by chrony; hardware clock rtc-ds3231"),
        (("run/systemd/timesync/synchronized",), "kept by systemd-timesyncd;"),
        (("run/systemd/timesync/clock",), "no server has answered yet"),
    ],
)
def test_who_keeps_the_clock_is_told(tmp_path: Path, paths: tuple[str, ...], words: str) -> None:
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("rtc-ds3231 1-0068\n")
    assert words in clock(clock_at(NOW), root=tmp_path).detail
    assert clock(clock_at(NOW, trusted=False), root=tmp_path).status == "warn"
