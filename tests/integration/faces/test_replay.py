"""A real recording through `replay`: an empty room, then a man who walks up and blinks once."""

import json
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest

from tests.integration.faces.commands import Answer, blinkd, blinkd_process
from tests.integration.faces.conftest import MAN

RECORDING = "noface_face.mov"
WALKS_IN_S = 3.0  # until then the room is empty


@pytest.fixture(scope="module")
def replayed(enrolled: Path, media: Path) -> Answer:
    return blinkd("replay", media / RECORDING, "--json", state=enrolled)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "-shm" not in path.name}


def test_a_man_who_walks_up_and_blinks_is_checked_in_once(replayed: Answer) -> None:
    assert replayed.code == 0
    order = [line["event"] for line in replayed.lines]
    assert order == ["session_started", "identified", "blink", "liveness", "punch", "session_ended"]
    assert {line["session"] for line in replayed.lines} == {1}
    times = [line["t"] for line in replayed.lines]
    assert times == sorted(times)
    assert times[0] > WALKS_IN_S
    (punch,) = replayed.events("punch")
    assert punch["person_id"] == MAN
    assert punch["name"] == "Sam Sample"
    assert punch["status"] == "CHECK_IN"
    assert punch["punctuality"] == "ON_TIME"
    assert 0.60 <= punch["similarity"] <= 0.80
    (liveness,) = replayed.events("liveness")
    assert liveness["live"] is True
    (blink,) = replayed.events("blink")
    assert blink["count"] == 1
    assert times[order.index("blink")] < punch["t"], "an embedding after the blink must confirm whose blink it was"


def test_two_replays_are_the_same_byte_for_byte_and_write_nothing(state: Path, media: Path, replayed: Answer) -> None:
    before = files_of(state)
    again = blinkd_process("replay", media / RECORDING, "--json", state=state)
    assert again.code == 0, again.err
    assert again.out == replayed.out
    assert files_of(state) == before
    assert blinkd("log", "--json", state=state).out == ""


def test_record_writes_one_punch_and_a_second_visit_is_too_soon(state: Path, media: Path) -> None:
    began = datetime.now(UTC)
    assert len(blinkd("replay", media / RECORDING, "--record", "--json", state=state).events("punch")) == 1
    (line,) = blinkd("log", "--json", state=state).lines
    assert set(line) >= {"id", "seq", "person_id", "name", "timestamp", "status", "punctuality", "clock", "sync", "terminal"}
    assert (line["seq"], line["person_id"], line["name"], line["status"]) == (1, MAN, "Sam Sample", "CHECK_IN")
    assert (line["sync"], line["terminal"]) == ("PENDING", "terminal-1")
    assert abs((datetime.fromisoformat(line["timestamp"]) - began).total_seconds()) < 60

    second = blinkd("replay", media / RECORDING, "--record", "--json", state=state)
    assert second.code == 0
    assert second.events("punch") == []
    (refused,) = second.events("refused")
    assert refused["reason"] == "too_soon"
    assert refused["person_id"] == MAN
    assert refused["frames"] > 0
    assert refused["elapsed_s"] > 0
    assert len(blinkd("log", "--json", state=state).lines) == 1


def test_a_later_visit_of_the_day_checks_out(state: Path, media: Path) -> None:
    blinkd("replay", media / RECORDING, "--record", "--at", "2026-01-05T08:55:00", "--json", state=state)
    evening = blinkd("replay", media / RECORDING, "--record", "--at", "2026-01-05T17:30:00", "--json", state=state)
    assert [punch["status"] for punch in evening.events("punch")] == ["CHECK_OUT"]
    assert [line["seq"] for line in blinkd("log", "--json", state=state).lines] == [1, 2]


def test_somebody_deactivated_is_refused_as_inactive_until_activated(state: Path, media: Path) -> None:
    assert blinkd("people", "deactivate", MAN, "--json", state=state).json["status"] == "DEACTIVATED"
    refused = blinkd("replay", media / RECORDING, "--record", "--json", state=state)
    assert refused.events("punch") == []
    assert [line["reason"] for line in refused.events("refused")] == ["inactive"]
    assert blinkd("log", "--json", state=state).out == ""
    assert blinkd("people", "activate", MAN, "--json", state=state).json["status"] == "ACTIVE"
    assert len(blinkd("replay", media / RECORDING, "--json", state=state).events("punch")) == 1


def test_the_annotated_recording_has_as_many_frames_and_shows_something(state: Path, media: Path, tmp_path: Path) -> None:
    target = tmp_path / "seen.mp4"
    done = blinkd("replay", media / RECORDING, "--annotate", target, "--json", state=state)
    assert done.code == 0
    assert len(done.events("punch")) == 1

    def frames(path: Path) -> list[object]:
        video = cv2.VideoCapture(str(path))
        found = []
        while (got := video.read())[0]:
            found.append(got[1])
        video.release()
        return found

    original, annotated = frames(media / RECORDING), frames(target)
    assert len(annotated) == len(original)
    assert annotated[0].shape == original[0].shape
    assert cv2.absdiff(annotated[-10], original[-10]).max() > 100, "nothing was drawn"


def test_an_empty_scene_gives_no_session_and_leaves_no_trace(state: Path, media: Path) -> None:
    before = json.loads(blinkd("people", "export", MAN, state=state).out)
    done = blinkd("replay", media / "no_face.mp4", "--record", "--json", state=state)
    assert (done.code, done.out) == (0, "")
    assert blinkd("log", "--json", state=state).out == ""
    assert json.loads(blinkd("people", "export", MAN, state=state).out) == before


def test_a_stranger_who_blinks_is_refused_as_unknown(state: Path, media: Path) -> None:
    done = blinkd("replay", media / "WolfgangLanger_Pexels.mp4", "--record", "--json", state=state)
    assert done.code == 0
    assert len(done.events("blink")) >= 1
    assert done.events("punch") == []
    assert {line["reason"] for line in done.events("refused")} == {"unknown_face"}
    assert all("person_id" not in line and "name" not in line for line in done.events("refused"))
    assert blinkd("log", "--json", state=state).out == ""


@pytest.mark.slow
def test_the_stranger_enrolled_from_her_own_clip_is_checked_in(state: Path, media: Path) -> None:
    clip = media / "WolfgangLanger_Pexels.mp4"
    enrolled = blinkd("enroll", "--name", "Ada Sample", "--id", "E-4", "--video", clip, "--json", state=state)
    assert enrolled.code == 0, enrolled.out + enrolled.err
    assert 2 <= len(enrolled.json["templates"]) <= 5
    done = blinkd("replay", clip, "--json", state=state)
    assert {punch["person_id"] for punch in done.events("punch")} == {"E-4"}
