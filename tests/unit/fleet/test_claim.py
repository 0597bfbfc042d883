"""A new terminal is taken in by a code, whoever carries its request and the answer."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blinkd.crypto.authority import TERMINAL_DAYS
from blinkd.crypto.box import Box
from blinkd.crypto.request import UNCLAIMED, Request
from blinkd.crypto.signing import Signer
from blinkd.errors import BundleRefused, CertificateRefused
from blinkd.fleet.arrival import Given
from blinkd.fleet.bundle import Bundle
from blinkd.fleet.claim import CLAIM_FILE, Claim, answer, checked, handle_of
from blinkd.fleet.codes import code_of, value_of
from blinkd.fleet.making import Wanted, answer_claim
from tests.unit.fleet.site import NOW, PASSWORD, SETTINGS, Door, Site


def begun(door: Door) -> Claim:
    return Claim.begin(door.here.state_dir, door.unclaimed(), Signer.load(door.here.state_dir, create=False))


def approved(site: Site, code: str, sent: Any, terminal: str = "door-1") -> dict[str, Any]:
    """What the administrator does with a code, and a request that somebody brought."""
    request = Request.of(sent)
    secret = checked(code, request)
    with site.keyring.opened(PASSWORD) as opened:
        wanted = Wanted(site.keyring, opened, SETTINGS, timedelta(days=30))
        return answer(request, secret, answer_claim(site.authority, request, terminal, TERMINAL_DAYS, wanted, NOW))


def opened(door: Door, value: object) -> Bundle:
    """Read anew, as after a restart, and from text, as it was carried."""
    return Claim.load(door.here.state_dir).open(json.loads(json.dumps(value)), Box.load(door.here.state_dir, create=False))


def test_a_terminal_is_claimed_and_named_by_the_administrator(site: Site, door: Door) -> None:
    claim = begun(door)
    bundle = opened(door, approved(site, claim.code, claim.sent))
    arrival = door.install(bundle, Given(claimed=True))
    assert (arrival.certificate.org, arrival.certificate.terminal) == ("acme", "door-1")
    assert handle_of(claim.code) == claim.handle == approved(site, claim.code, claim.sent)["handle"]


def test_nothing_that_travels_holds_a_private_key_or_the_secret_half_of_the_code(site: Site, door: Door) -> None:
    claim = begun(door)
    answered = approved(site, claim.code, claim.sent)
    travels = json.dumps([dict(claim.sent), answered])
    folder = door.here.state_dir
    for name in ("signing.key", "box.key"):
        assert (folder / name).read_bytes().hex() not in travels
    assert "PRIVATE" not in travels
    assert claim.secret.hex() not in travels
    assert "mqtt.example" not in travels, "not even the settings are read on the way"
    assert json.loads((folder / CLAIM_FILE).read_text())["secret"] not in travels


def test_the_code_stays_until_the_terminal_has_other_keys_or_another_name(door: Door) -> None:
    first = begun(door)
    assert begun(door).code == first.code
    again = Claim.begin(door.here.state_dir, door.unclaimed("door-9"), Signer.load(door.here.state_dir, create=False))
    assert again.code != first.code
    (door.here.state_dir / "tls.key").unlink()
    third = Claim.begin(door.here.state_dir, door.unclaimed("door-9"), Signer.load(door.here.state_dir, create=False))
    assert third.code not in (first.code, again.code)
    (door.here.state_dir / CLAIM_FILE).write_text("{")
    assert begun(door).code != third.code


def test_a_carrier_cannot_slip_in_another_terminals_request(site: Site, door: Door, tmp_path: Path) -> None:
    claim, hostile = begun(door), begun(Door.new(tmp_path / "hostile"))
    with pytest.raises(BundleRefused, match="not the one whose code this is"):
        approved(site, claim.code, hostile.sent)
    assert site.authority.issued() == []


def test_a_carrier_cannot_change_a_key_in_the_request(site: Site, door: Door, tmp_path: Path) -> None:
    claim, hostile = begun(door), begun(Door.new(tmp_path / "hostile"))
    for name in ("csr", "signing", "box", "terminal"):
        changed = {**claim.sent, name: hostile.sent[name] if name != "terminal" else "other"}
        with pytest.raises((BundleRefused, CertificateRefused)):
            approved(site, claim.code, changed)


def test_a_carrier_cannot_answer_in_the_administrators_place(door: Door, tmp_path: Path) -> None:
    rival, claim = Site.begun(tmp_path / "rival", "rival"), begun(door)
    known = value_of(claim.code, 20)[:10]  # of the code it knows the half that is the request's hash
    forged = approved(rival, code_of(known + bytes(10)), claim.sent)
    with pytest.raises(BundleRefused, match="not from who has read this terminal's code"):
        opened(door, forged)


def test_an_answer_that_was_changed_or_is_another_terminals_is_refused(site: Site, door: Door, tmp_path: Path) -> None:
    claim, other = begun(door), Door.new(tmp_path / "other")
    answered, others = approved(site, claim.code, claim.sent), approved(site, begun(other).code, begun(other).sent, "door-2")
    for value in (
        others,
        answered | {"mac": others["mac"]},
        answered | {"sealed": others["sealed"]},
        answered | {"grant": others["grant"]},
    ):
        with pytest.raises(BundleRefused, match="another terminal, or not from"):
            opened(door, value)
    for value in ({}, [], None, answered | {"more": 1}, answered | {"kind": "x"}):
        with pytest.raises(BundleRefused, match="torn"):
            opened(door, value)
    with pytest.raises(BundleRefused, match="upgrade this terminal"):
        opened(door, answered | {"v": 2})


def test_an_answer_to_an_earlier_claim_answers_no_later_one(site: Site, door: Door) -> None:
    earlier = approved(site, begun(door).code, begun(door).sent)
    (door.here.state_dir / CLAIM_FILE).unlink()
    begun(door)
    with pytest.raises(BundleRefused, match="not from who has read"):
        opened(door, earlier)


def test_a_terminal_that_waits_for_nothing_takes_no_answer(site: Site, door: Door, tmp_path: Path) -> None:
    other = Door.new(tmp_path / "other")
    value = approved(site, begun(other).code, begun(other).sent)
    door.request()
    with pytest.raises(BundleRefused, match="waits for no answer"):
        opened(door, value)


def test_a_request_for_an_organisation_is_no_claim(site: Site, door: Door) -> None:
    named = Claim.begin(door.here.state_dir, door.request(), Signer.load(door.here.state_dir, create=False))
    with pytest.raises(CertificateRefused, match=f"not for {UNCLAIMED}"):
        approved(site, named.code, named.sent)


def test_a_claim_is_not_issued_as_a_request(site: Site, door: Door) -> None:
    with pytest.raises(CertificateRefused, match="not for acme"):
        site.authority.issue_terminal(begun(door).request)


@pytest.mark.parametrize("terminal", ["", "a/b", "+", "x" * 64])
def test_a_name_that_no_topic_could_hold_is_not_given(site: Site, door: Door, terminal: str) -> None:
    claim = begun(door)
    with pytest.raises(CertificateRefused):
        approved(site, claim.code, claim.sent, terminal)
    assert site.authority.issued() == []


def test_the_bundle_inside_is_checked_as_any_other(site: Site, door: Door) -> None:
    claim = begun(door)
    bundle = replace(opened(door, approved(site, claim.code, claim.sent)), terminal="door-2")
    forged = answer(claim.request, claim.secret, bundle)
    with pytest.raises(BundleRefused, match="changed since the authority signed it"):
        opened(door, forged)
