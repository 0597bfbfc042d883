"""From nothing to two terminals that know the same people, by the README's own commands and the shipped configuration."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.models.media import fetch_media
from tests.integration.faces.commands import blinkd
from tests.unit.cli.passwords import with_passwords


class Issued:
    """What `blinkd fleet` made, for Mosquitto."""

    org = "acme"

    def __init__(self, ca: Path) -> None:
        self._ca = ca

    @property
    def ca_pem(self) -> bytes:
        return (self._ca / "ca.pem").read_bytes()

    def crl(self) -> bytes:
        return (self._ca / "crl.pem").read_bytes()

    def issue_broker(self, hosts: Sequence[str]) -> tuple[bytes, bytes]:
        folder = self._ca.parent / "broker"
        assert set(hosts) == {"localhost", "127.0.0.1"}, "as the certificate was asked for"
        return (folder / "broker.pem").read_bytes(), (folder / "broker.key").read_bytes()


def done(*arguments: str | Path, state: Path, **more: str) -> str:
    answer = blinkd(*arguments, state=state, **more)
    assert answer.code == 0, f"{arguments}: {answer.err}"
    return answer.out


@pytest.mark.slow
def test_a_newcomer_sets_up_two_terminals_and_revokes_one(tmp_path: Path) -> None:
    first, second, admin = tmp_path / "door-1", tmp_path / "door-2", tmp_path / "admin"
    ca = admin / "ca"
    assert with_passwords("keys", "init", "--organisation", "acme", state=first, BLINKD_TERMINAL__ID="door-1").code == 0
    done("keys", "export", tmp_path / "keyring.json", state=first)
    assert with_passwords("keys", "join", tmp_path / "keyring.json", state=second, BLINKD_TERMINAL__ID="door-2").code == 0
    done("fleet", "init", "--folder", ca, "--organisation", "acme", "--no-password", state=admin)
    for name, state in (("door-1", first), ("door-2", second)):
        done("fleet", "request", "-o", tmp_path / f"{name}.json", state=state, BLINKD_TERMINAL__ID=name)
        done("fleet", "issue", tmp_path / f"{name}.json", "-o", tmp_path / f"{name}.pem", "--folder", ca, state=admin)
        done("fleet", "install", tmp_path / f"{name}.pem", "--ca", ca / "ca.pem", state=state, BLINKD_TERMINAL__ID=name)
    done("fleet", "issue-broker", "127.0.0.1", "localhost", "-o", admin / "broker", "--folder", ca, state=admin)
    done("fleet", "issue-relay", "-o", admin / "relay", "--folder", ca, state=admin)
    broker = Mosquitto(tmp_path / "mosquitto", Issued(ca))
    broker.start()
    relay_settings = {
        "BLINKD_RELAY__BROKER": "127.0.0.1",
        "BLINKD_RELAY__PORT": str(broker.relay_port),
        "BLINKD_RELAY__CA_FILE": str(ca / "ca.pem"),
        "BLINKD_RELAY__CRL_FILE": str(ca / "crl.pem"),
        "BLINKD_RELAY__CERTIFICATE_FILE": str(admin / "relay" / "relay.pem"),
        "BLINKD_RELAY__KEY_FILE": str(admin / "relay" / "relay.key"),
    }
    cloud = tmp_path / "cloud"
    cloud.mkdir()
    environment: dict[str, Any] = {**_inherited(), **relay_settings}
    relay = [sys.executable, "-m", "blinkd", "relay"]
    check = subprocess.run([*relay, "check", "--json"], cwd=cloud, env=environment, capture_output=True, text=True, check=False)
    assert json.loads(check.stdout)["ok"], check.stdout + check.stderr
    with subprocess.Popen([*relay, "run", "--no-http"], cwd=cloud, env=environment, stderr=subprocess.DEVNULL) as running:
        try:
            sync = {"BLINKD_SYNC__BROKER": "127.0.0.1", "BLINKD_SYNC__PORT": str(broker.port)}
            one, two = ({**sync, "BLINKD_TERMINAL__ID": name} for name in ("door-1", "door-2"))
            media = fetch_media()
            done("enroll", "--name", "Sam Sample", "--id", "E-1", "--image", media / "single_face.jpg", state=first, **one)
            done("sync", "now", state=first, **one)
            done("sync", "now", state=second, **two)
            found = json.loads(done("identify", media / "single_face.jpg", "--json", state=second, **two))
            assert found["faces"][0]["match"]["person_id"] == "E-1"
            done("replay", media / "noface_face.mov", "--record", state=second, **two)
            done("sync", "now", state=second, **two)
            (line,) = done("log", "--json", state=second, **two).splitlines()
            assert (json.loads(line)["person_id"], json.loads(line)["sync"]) == ("E-1", "SYNCED")
            done("sync", "now", state=first, **one)
            lost = with_passwords("keys", "rotate", "--revoke", "door-2", "--json", state=first, **one)
            assert (lost.code, lost.json["granted"], lost.json["revoked"]) == (0, ["door-1"], ["door-2"])
            done("sync", "now", state=first, **one)
            done("people", "set", "E-1", "--name", "Sam Elsewhere", state=second, **two)
            refused = blinkd("sync", "now", "--wait", "5", "--json", state=second, **two)
            assert refused.code == 1
            assert refused.json["people"]["pending"] > 0
            status = subprocess.run([*relay, "status", "--json"], cwd=cloud, env=environment, capture_output=True, text=True, check=True)
            assert {terminal["terminal"]: terminal["chain"] for terminal in json.loads(status.stdout)} == {"door-1": "ok", "door-2": "ok"}
            assert b"Sam" not in (cloud / "cloud_blink.db").read_bytes()
        finally:
            running.terminate()
            broker.kill()


def _inherited() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("BLINKD_") and name != "DATABASE_URL"}
