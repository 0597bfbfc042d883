"""PIN and badge at the daemon itself, while its camera sees somebody."""

import os
from pathlib import Path

import pytest

from tests.integration.faces.commands import blinkd
from tests.integration.faces.conftest import BIDEN, MAN, OBAMA
from tests.integration.faces.test_run import Daemon
from tests.unit.entry.devices import HAND_S, typed

PIN = "928471"


@pytest.fixture
def keypad(tmp_path: Path) -> Path:
    path = tmp_path / "event7"
    os.mkfifo(path)
    return path


def test_a_pin_punches_while_a_face_is_looked_at_and_the_face_punches_too(state: Path, media: Path, keypad: Path) -> None:
    read, write = os.pipe()
    os.write(write, f"{PIN}\n".encode())
    os.close(write)
    assert blinkd("people", "pin", OBAMA, "--password-fd", str(read), "--by", "boss", state=state).code == 0
    end = os.open(keypad, os.O_RDWR)
    daemon = Daemon(
        state,
        BLINKD_CAMERA__DRIVER="file",
        BLINKD_CAMERA__PATH=str(media / "noface_face.mov"),
        BLINKD_ENTRY__ENABLED="true",
        BLINKD_ENTRY__DEVICE=str(keypad),
    )
    try:
        daemon.wait_for("session_started")
        os.write(end, typed("2") + typed(PIN, 1.0, HAND_S))
        first, second = daemon.wait_for(" punch "), daemon.wait_for(" punch ")
        assert daemon.stop()[0] == 0
    finally:
        daemon.close()
        os.close(end)
    assert {OBAMA in first + second, MAN in first + second} == {True}
    assert PIN not in "".join(daemon.said)
    lines = blinkd("log", "--json", state=state).lines
    assert {line["person_id"]: line["method"] for line in lines} == {MAN: "face", OBAMA: "pin"}
    proof = blinkd("log", "verify", "--json", state=state)
    assert proof.json["first_bad"] is None
    assert BIDEN not in {line["person_id"] for line in lines}
