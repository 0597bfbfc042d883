"""Whose certificate is due, and whose request is taken for it."""

from datetime import timedelta
from pathlib import Path

import pytest

from blinkd.crypto.authority import Issued
from blinkd.crypto.request import UNCLAIMED, Request
from blinkd.crypto.signing import Signer
from blinkd.errors import BundleRefused, CertificateRefused
from blinkd.fleet.claim import handle
from blinkd.fleet.renewal import Standing, box_of, checked_renewal, renewal_handle, standing
from tests.unit.fleet.site import NOW, Door

TODAY = NOW.date()
ANN, BOB = "aa" * 32, "bb" * 32


def one(name: str, days: int, signing: str | None = ANN, kind: str = "terminal", revoked: str | None = None) -> Issued:
    return Issued(kind, name, "1", (TODAY + timedelta(days=days)).isoformat(), revoked, signing)


def found(*issued: Issued) -> list[tuple[str, int]]:
    return [(each.terminal, each.days) for each in standing(list(issued), "acme", TODAY)]


def test_the_newest_certificate_of_each_terminal_counts() -> None:
    assert found(one("acme/a", 10), one("acme/d", -400)) == [("a", 10), ("d", -400)]
    assert found(one("acme/a", 10), one("acme/a", 700)) == [("a", 700)]
    assert found(one("acme/a", 700, revoked="2026-11-01"), one("acme/a", 10)) == [], "who was revoked is not renewed by an older one"
    assert found(one("relay", 10, None, "relay"), one("mqtt.example", 10, None, "broker")) == []


def sent(door: Door, terminal: str = "door-1", org: str = "acme") -> Request:
    return door.request(terminal, org)


def test_the_box_is_named_by_terminal_and_key(door: Door, tmp_path: Path) -> None:
    request, other = sent(door), sent(Door.new(tmp_path / "other"))
    boxes = {box_of(request), box_of(other), box_of(sent(door, "door-2")), box_of(sent(door, "door-1", "rival")), box_of(door.unclaimed())}
    assert len(boxes) == 5
    assert box_of(request) == renewal_handle("acme", "door-1", request.signing) == box_of(sent(door)), "the same again"
    assert box_of(door.unclaimed()) != box_of(door.unclaimed("door-1"))
    assert handle(claim := door.unclaimed()) == box_of(claim)


def test_only_the_terminals_own_request_is_taken(door: Door, tmp_path: Path) -> None:
    folder = door.here.state_dir
    request = sent(door)
    signer = Signer.load(folder, create=False)
    wanted = Standing("door-1", signer.public, 20)
    assert checked_renewal(request.to_json(signer), "acme", wanted) == request
    hostile = Door.new(tmp_path / "hostile")
    other = sent(hostile)
    with pytest.raises(BundleRefused, match="another terminal's request in the place of door-1's"):
        checked_renewal(other.to_json(Signer.load(hostile.here.state_dir, create=False)), "acme", wanted)
    with pytest.raises(BundleRefused, match="another terminal's request"):
        checked_renewal(sent(door, "door-2").to_json(signer), "acme", wanted)
    with pytest.raises(CertificateRefused, match="not for acme/door-1"):
        checked_renewal(sent(door, org=UNCLAIMED).to_json(signer), "acme", wanted)
    with pytest.raises(CertificateRefused, match="not signed by its terminal"):
        checked_renewal(request.to_json(signer) | {"csr": other.csr.decode()}, "acme", wanted)
    with pytest.raises(CertificateRefused):
        checked_renewal(None, "acme", wanted)
