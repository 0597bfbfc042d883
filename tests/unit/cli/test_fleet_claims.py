"""A new terminal is taken in by a relay that carries its claim, and is trusted with nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.clock import SystemClock
from blinkd.crypto import wrapping
from blinkd.crypto.authority import TERMINAL_DAYS
from blinkd.crypto.request import Request
from blinkd.errors import BundleRefused, CarrierAway
from blinkd.fleet.bundle import KIND, MEMBERS
from blinkd.fleet.carrier import Carrier
from blinkd.fleet.claim import answer, handle_of
from blinkd.fleet.making import Wanted, answer_claim, answer_request
from blinkd.fleet.renewal import renewal_handle
from blinkd.relay.api.app import build_app
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.server import ApiServer
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.migrate import migrate
from blinkd.relay.sqlite import SqliteConnections
from blinkd.serving.server import Listen
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.cli.passwords import with_passwords
from tests.unit.fleet.site import NOW, PASSWORD, Site
from tests.unit.relay_api.conftest import NoEyes
from tests.unit.relay_api.core import FakeCore


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[str]:
    """The address of a relay that takes claims."""
    connections = SqliteConnections(tmp_path / "cloud_blink.db")
    migrate(connections)
    app = build_app(ApiStorage(connections), FakeCore(), NoEyes(), ApiOptions(claims=True), SystemClock())
    server = ApiServer(app, Listen(port=0))
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    connections.close()


@dataclass(frozen=True, slots=True)
class Stage:
    """The administrator's folder, and a terminal's."""

    folder: Path
    relay: str

    def claim(self, relay: str | None = None) -> Answer:
        """Looks once, and leaves."""
        words = ("fleet", "claim", "--relay", relay or self.relay, "--wait", "0", "--config", self.folder / "blinkd.toml")
        return blinkd(*words, state=self.folder / "state")

    def approve(self, code: str, *more: str | Path) -> Answer:
        words = (
            "fleet",
            "approve",
            code,
            "--relay",
            self.relay,
            "--folder",
            self.folder / "ca",
            "--keyring",
            self.folder / "keyring.json",
            *more,
        )
        return with_passwords(*words, state=self.folder / "nowhere", lines=(PASSWORD,))


@pytest.fixture
def stage(tmp_path: Path, relay: str, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(wrapping, "ITERATIONS", 1000)
    site = Site.begun(tmp_path / "ca")
    (tmp_path / "keyring.json").write_text(json.dumps(site.keyring.to_json()))
    (tmp_path / "blinkd.toml").touch()
    (tmp_path / "state").mkdir(mode=0o700)
    return Stage(tmp_path, relay)


def code_in(answer: Answer) -> str:
    (code,) = [line.removeprefix("code: ") for line in answer.err.splitlines() if line.startswith("code: ")]
    return code


def test_a_terminal_that_waits_is_approved_from_afar(stage: Stage) -> None:
    first = stage.claim()
    assert (first.code, "nobody has approved this terminal yet" in first.err) == (1, True)
    approved = stage.approve(code_in(first), "--terminal", "door-4")
    assert approved.code == 0, approved.err
    second = stage.claim()
    assert (second.code, "acme/door-4 is certified" in second.out) == (0, True), second.err
    assert code_in(second) == code_in(first)
    assert blinkd("keys", "show", "--json", state=stage.folder / "state").json["unlocked"] is True
    assert 'id = "door-4"' in (stage.folder / "blinkd.toml").read_text()


def test_a_false_answer_is_passed_over_and_the_true_one_taken(stage: Stage, tmp_path: Path) -> None:
    code = code_in(stage.claim())
    rival, carrier = Site.begun(tmp_path / "rival", "rival"), Carrier(stage.relay)
    found = carrier.find(handle_of(code))
    assert found is not None
    request = Request.of(found[0])
    with rival.keyring.opened(PASSWORD) as opened:
        wanted = Wanted(rival.keyring, opened, "", timedelta(days=1))
        forged = answer(request, bytes(10), answer_claim(rival.authority, request, "door-4", TERMINAL_DAYS, wanted, NOW))
    assert carrier.answer(handle_of(code), forged)
    refused = stage.claim()
    assert (refused.code, "not from who has read this terminal's code; " in refused.err) == (1, True)
    assert not (stage.folder / "state" / "ca.pem").exists()
    assert stage.approve(code, "--terminal", "door-4").code == 0
    assert stage.claim().code == 0


def test_a_relay_that_exchanges_the_request_gets_no_certificate(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    code, real = code_in(stage.claim()), Carrier.find
    other = Stage(stage.folder / "other", stage.relay)
    other.folder.mkdir()
    (other.folder / "blinkd.toml").touch()
    hostile = handle_of(code_in(other.claim()))

    def exchanged(carrier: Carrier, _: str) -> tuple[Any, Any] | None:
        return real(carrier, hostile)

    monkeypatch.setattr(Carrier, "find", exchanged)
    refused = stage.approve(code)
    assert (refused.code, "not the one whose code this is" in refused.err) == (1, True)
    assert json.loads((stage.folder / "ca" / "issued.json").read_text()) == []


def test_a_code_that_nobody_waits_by_is_said_to_be(stage: Stage) -> None:
    code = code_in(stage.claim("http://127.0.0.1:9"))
    refused = stage.approve(code)
    assert (refused.code, "no terminal waits there by this code" in refused.err) == (1, True)


def test_a_relay_that_is_away_is_waited_for(stage: Stage) -> None:
    away = stage.claim("http://127.0.0.1:9")
    assert "cannot be reached" in away.err
    assert "going on" in away.err
    assert away.code == 1


def test_what_takes_no_claims_is_told_from_what_has_none(tmp_path: Path) -> None:
    connections = SqliteConnections(tmp_path / "plain.db")
    migrate(connections)
    server = ApiServer(build_app(ApiStorage(connections), FakeCore(), NoEyes(), ApiOptions(), SystemClock()), Listen(port=0))
    server.start()
    try:
        with pytest.raises(CarrierAway, match=r"relay\.claims = true"):
            Carrier(f"http://127.0.0.1:{server.port}/").begin({})
    finally:
        server.stop()
        connections.close()


TRUSTED = {"BLINKD_TERMINAL__TRUST_HARDWARE_CLOCK": "true"}


@pytest.fixture
def ending(stage: Stage) -> Stage:
    """A terminal that was taken in, with a certificate that ends in 20 days."""
    assert stage.approve(code_in(stage.claim()), "--terminal", "door-4", "--days", "20").code == 0
    assert stage.claim().code == 0
    return stage


def renew(stage: Stage, *more: str) -> Answer:
    words = ("fleet", "renew", *more, "--config", stage.folder / "blinkd.toml")
    return blinkd(*words, state=stage.folder / "state", BLINKD_SYNC__RELAY_URL=stage.relay, **TRUSTED)


def renewals(stage: Stage) -> Answer:
    words = ("fleet", "renewals", "--relay", stage.relay, "--folder", stage.folder / "ca", "--json")
    return blinkd(*words, state=stage.folder / "nowhere", **TRUSTED)


def days_left(stage: Stage) -> int:
    words = ("fleet", "status", "--json", "--config", stage.folder / "blinkd.toml")
    return int(blinkd(*words, state=stage.folder / "state", **TRUSTED).json["days"])


def test_a_terminal_renews_its_certificate_by_a_timer_and_nobody_comes_to_it(ending: Stage) -> None:
    assert [(row["terminal"], row["renewed"], row["words"]) for row in renewals(ending).json] == [("door-4", False, "has not asked yet")]
    for _ in range(2):
        asked = renew(ending)
        assert (asked.code, "waits for the administrator" in asked.out) == (0, True), asked.err
    (row,) = renewals(ending).json
    assert (row["terminal"], row["renewed"], row["words"]) == ("door-4", True, "renewed")
    assert days_left(ending) in (19, 20)
    taken = renew(ending)
    assert (taken.code, "acme/door-4 is certified until" in taken.out) == (0, True), taken.err
    assert days_left(ending) in (729, 730)
    again = renew(ending)
    assert (again.code, "nothing to do yet" in again.out) == (0, True)
    assert [row["words"] for row in renewals(ending).json] == ["has an answer waiting"]
    repeated = renew(ending, "--before", "3650")
    assert (repeated.code, "installed already" in repeated.out) == (0, True), repeated.err


def test_a_false_answer_to_a_renewal_changes_nothing(ending: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renew(ending)
    pretender, later = Site.begun(tmp_path / "pretender"), NOW + timedelta(minutes=30)
    real = Carrier.find

    def forged(carrier: Carrier, box: str) -> tuple[Any, Any] | None:
        found = real(carrier, box)
        assert found is not None
        return found[0], answer_request(pretender.authority, Request.of(found[0]), TERMINAL_DAYS, Wanted(), later).to_json()

    before = {path.name: path.read_bytes() for path in (ending.folder / "state").iterdir() if path.is_file()}
    monkeypatch.setattr(Carrier, "find", forged)
    refused = renew(ending)
    assert (refused.code, "another authority is installed" in refused.err) == (1, True), refused.err
    assert before == {path.name: path.read_bytes() for path in (ending.folder / "state").iterdir() if path.is_file()}


def test_a_false_answer_in_the_box_is_no_answer(ending: Stage) -> None:
    renew(ending)
    (one,) = json.loads((ending.folder / "ca" / "issued.json").read_text())
    box = renewal_handle("acme", "door-4", bytes.fromhex(one["signing"]))
    assert Carrier(ending.relay).answer(box, dict.fromkeys(MEMBERS, "") | {"kind": KIND})
    assert renew(ending).code == 1
    assert renewals(ending).json[0]["renewed"] is True
    assert renewals(ending).json[0]["words"].startswith("has an answer waiting")
    assert renew(ending).code == 0


def test_a_relay_that_exchanges_a_renewals_request_is_named_and_gets_nothing(ending: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ending.folder / "other"
    other.mkdir(mode=0o700)
    assert (
        blinkd("fleet", "request", "--organisation", "acme", "-o", ending.folder / "r", state=other, BLINKD_TERMINAL__ID="door-4").code == 0
    )
    value = json.loads((ending.folder / "r").read_text())
    monkeypatch.setattr(Carrier, "find", lambda *_: (value, None))
    refused = renewals(ending)
    assert (refused.code, refused.json[0]["renewed"]) == (1, False)
    assert "another terminal's request" in refused.json[0]["words"]
    assert len(json.loads((ending.folder / "ca" / "issued.json").read_text())) == 1


def test_a_revoked_terminal_is_not_renewed_though_it_asks(ending: Stage) -> None:
    renew(ending)
    assert blinkd("fleet", "revoke", "door-4", "--folder", ending.folder / "ca", state=ending.folder / "nowhere").code == 0
    assert renewals(ending).json == []


def test_without_a_relay_a_file_is_wanted(ending: Stage) -> None:
    words = ("fleet", "renew", "--config", ending.folder / "blinkd.toml")
    assert blinkd(*words, state=ending.folder / "state").code == 2


@pytest.mark.parametrize("address", ["relay.example", "ftp://relay.example", "https://", "https://relay.example?x=1", "file:///etc/passwd"])
def test_what_is_no_address_is_refused_in_words(address: str) -> None:
    with pytest.raises(BundleRefused, match="no address of a relay"):
        Carrier(address)


@pytest.mark.parametrize("more", [(), ("--request", "r"), ("-o", "a"), ("--relay", "http://x", "--request", "r", "-o", "a")])
def test_one_way_of_two_must_be_given(stage: Stage, more: tuple[str, ...]) -> None:
    words = ("fleet", "approve", "CODE", "--keyring", "k", *more)
    assert blinkd(*words, state=stage.folder / "nowhere").code == 2
    assert blinkd("fleet", "claim", state=stage.folder / "state").code == 2
