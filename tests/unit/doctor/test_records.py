"""What doctor says of the book and the daemon's camera."""

import json
import sqlite3
from pathlib import Path

import pytest

from blinkd.doctor import records
from blinkd.doctor.recognition import camera, speed
from blinkd.doctor.records import chain
from blinkd.doctor.running import daemon, daemon_says
from blinkd.errors import CameraLost
from blinkd.models.processor import read_processor
from blinkd.models.speeds import Machine, Speed, write_verdict
from blinkd.parts import Parts
from blinkd.settings import CameraSettings, Settings
from blinkd.status_file import STATUS_FILE
from blinkd.store.database import DATABASE_FILE
from blinkd.store.lock import StateLock


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """A book of a few entries."""
    parts = Parts(Settings(state_dir=tmp_path / "state"))
    with parts.open_store() as store:
        store.book.begin()
        for number in range(5):
            store.book.append("note", {"n": number}, parts.clock.now())
    return parts


def spoilt(parts: Parts, sql: str) -> None:
    with sqlite3.connect(parts.settings.state_dir / DATABASE_FILE) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql)
    connection.close()


def test_a_whole_book_is_said_to_be_whole(parts: Parts) -> None:
    assert (chain(parts).status, "prove whole" in chain(parts).detail) == ("ok", True)


def test_an_entry_that_is_gone_is_found(parts: Parts) -> None:
    spoilt(parts, "DELETE FROM chain WHERE seq = 3")
    found = chain(parts)
    assert (found.status, "blinkd log verify" in found.fix) == ("fail", True), found


def test_of_a_long_book_the_end_is_compared_with_what_stands_beside_it(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHAIN_MOST", 2)
    assert "too many to check here" in chain(parts).detail
    spoilt(parts, "DELETE FROM chain WHERE seq > 3")
    found = chain(parts)
    assert (found.status, "cut off" in found.fix) == ("fail", True), found


def test_speed_is_unknown_until_it_is_measured_and_judged_by_the_visit_then(tmp_path: Path) -> None:
    parts = Parts(Settings(state_dir=tmp_path))
    assert (speed(parts).status, "blinkd models bench" in speed(parts).fix) == ("warn", True)
    for ms, status in ((3.0, "ok"), (90.0, "warn")):
        machine = Machine.at_hand(read_processor(), parts.settings.vision.threads)
        files = parts.manifest.entry("mobilefacenet").files
        write_verdict(tmp_path, machine, [Speed("mobilefacenet", form, ms, file.sha256) for form, file in files.items()])
        found = speed(Parts(Settings(state_dir=tmp_path)))
        assert (found.status, f"{ms:.1f} ms" in found.detail) == (status, True), found


def said(folder: Path, *parts: tuple[str, str, str]) -> None:
    """What a daemon has written."""
    told = [{"name": name, "state": state, "words": words} for name, state, words in parts]
    (folder / STATUS_FILE).write_text(json.dumps({"pid": 1, "parts": told}))


@pytest.mark.parametrize(("state", "status"), [("ok", "ok"), ("failed", "fail"), ("starting", "ok")])
def test_a_camera_that_the_daemon_holds_is_not_taken_from_it(tmp_path: Path, state: str, status: str) -> None:
    settings = Settings(state_dir=tmp_path, camera=CameraSettings(driver="v4l2", device="/dev/video-missing"))
    said(tmp_path, ("camera", state, "no frames for 2 s"))
    with StateLock(tmp_path):
        found = camera(settings)
    assert (found.status, "the daemon" in found.detail) == (status, True), found
    with pytest.raises(CameraLost):
        camera(settings)


def test_parts_that_do_not_work_are_told_in_the_daemons_words(tmp_path: Path) -> None:
    settings, nowhere = Settings(state_dir=tmp_path), tmp_path / "nowhere"
    assert daemon(settings, nowhere).status == "ok"
    (tmp_path / "wants").touch()
    assert (daemon(settings, tmp_path / "wants").status, "systemctl start" in daemon(settings, tmp_path / "wants").fix) == ("warn", True)
    said(tmp_path, ("camera", "failed", "its own check"), ("door", "degraded", "held open"), ("store", "ok", ""))
    with StateLock(tmp_path):
        found = daemon(settings, nowhere)
        assert (found.status, "door degraded: held open" in found.detail, "camera" in found.detail) == ("warn", True, False)
        for torn in ("{", "[]", '{"parts": [1]}', '{"parts": [{"name": "x", "state": "odd", "words": ""}]}'):
            (tmp_path / STATUS_FILE).write_text(torn)
            assert (daemon(settings, nowhere).status, daemon_says(tmp_path)) == ("ok", {})
