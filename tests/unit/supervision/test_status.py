import json
from pathlib import Path

import pytest

from blinkd.outputs.port import Health, PartHealth
from blinkd.status_file import part_states, read_status, write_status
from blinkd.supervision.status import content_of, read_temperature_c, words_of


def health(*parts: PartHealth, pending: int = 0) -> Health:
    return Health(parts, 15.0, 3, 6, pending, 0, None)


def test_the_words_say_what_is_wrong_first() -> None:
    fine, lost = PartHealth("vision", "ok"), PartHealth("camera", "failed", "/dev/video0 is gone")
    assert words_of(health(fine)) == "working; 3 people, 15.0 frames/s"
    assert words_of(health(fine, pending=7)) == "working; 3 people, 15.0 frames/s; 7 wait for the relay"
    assert words_of(health(fine, lost)) == "degraded; camera: /dev/video0 is gone; 3 people, 15.0 frames/s"
    assert words_of(health(PartHealth("camera", "starting"), fine)) == "starting; camera: starting"


def test_a_status_file_that_cannot_be_written_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_status(tmp_path / "missing", content_of(health()))
    assert "cannot be written" in caplog.text
    assert read_status(tmp_path) is None
    write_status(tmp_path, content_of(health(PartHealth("camera", "failed", "gone"))))
    said = read_status(tmp_path)
    assert said is not None
    assert said["parts"] == [{"name": "camera", "state": "failed", "words": "gone"}]
    assert part_states(tmp_path) == {"camera": "failed"}
    assert [one.name for one in tmp_path.iterdir()] == ["status.json"]
    (tmp_path / "status.json").write_text(json.dumps(said)[:-4])
    assert read_status(tmp_path) is None
    assert part_states(tmp_path) == {}


def test_the_hottest_zone_counts_and_one_that_is_asleep_does_not(tmp_path: Path) -> None:
    assert read_temperature_c(tmp_path) is None
    for number, content in enumerate(("48312", "61000", "")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(content)
    assert read_temperature_c(tmp_path) == 61.0
