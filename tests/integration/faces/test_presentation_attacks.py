"""Attack clips of our own kit and people's clips through the terminal's main line: what `evaluate pad` counts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blinkd.cli.main import app
from blinkd.measure.attacks.kit import MAKERS

BONA_FIDE = ("noface_face.mov", "single_face.mp4", "WolfgangLanger_Pexels.mp4")


def evaluate(*arguments: str) -> dict:
    done = CliRunner().invoke(app, ["evaluate", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip of each species, and the people's clips."""
    folder = tmp_path_factory.mktemp("kit") / "kit"
    evaluate("kit", str(folder), "--per-species", "1", "--seconds", "4")
    return folder


@pytest.mark.slow
def test_no_species_of_the_kit_is_accepted_and_every_person_is(kit: Path) -> None:
    found = evaluate("pad", str(kit))
    assert found["policy"] == "standard"
    assert set(found["attack"]) == set(MAKERS)
    assert [clip["path"] for clip in found["clips"] if clip["species"] is not None and clip["accepted"]] == []
    assert found["all_attacks"]["upper95"] < 0.16, "1 - 0.05^(1/18)"
    assert (found["bonafide"]["rejected"], found["skipped"]) == (0, [])
    assert found["bonafide"]["decision_s"]["p50"] <= 2.5


@pytest.mark.slow
def test_under_strict_no_recording_is_accepted_however_good(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # people's own clips stand for a perfect replay: they were made before the steps were drawn
    species = tmp_path / "attack" / "perfect_replay"
    species.mkdir(parents=True)
    for name in BONA_FIDE:
        (species / name).symlink_to(media / name)
    monkeypatch.setenv("BLINKD_LIVENESS__POLICY", "strict")
    found = evaluate("pad", str(tmp_path))
    assert found["attack"]["perfect_replay"]["accepted"] == 0
    assert found["bonafide"]["n"] == 0


def test_what_is_no_clip_is_named_and_the_rest_is_counted(media: Path, tmp_path: Path) -> None:
    (tmp_path / "bonafide").mkdir()
    (tmp_path / "bonafide" / "man.mp4").symlink_to(media / "single_face.mp4")
    (tmp_path / "bonafide" / "nobody.mp4").symlink_to(media / "no_face.mp4")
    (tmp_path / "bonafide" / "notes.txt").write_text("no clip")
    (tmp_path / "bonafide" / "torn.mp4").write_bytes((media / "single_face.mp4").read_bytes()[:3000])
    (tmp_path / "attack" / "empty").mkdir(parents=True)
    (tmp_path / "attack" / "stray.mp4").write_bytes(b"")
    found = evaluate("pad", str(tmp_path))
    assert {Path(entry["path"]).name for entry in found["skipped"]} == {"notes.txt", "torn.mp4", "empty", "stray.mp4"}
    assert all(entry["reason"] for entry in found["skipped"])
    assert (found["bonafide"]["n"], found["bonafide"]["rejected"]) == (2, 1)
    assert [clip["reason"] for clip in found["clips"] if not clip["accepted"]] == ["no_session"]


def test_a_folder_that_is_not_laid_out_is_refused_with_the_layout(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        done = CliRunner().invoke(app, ["evaluate", "pad", str(folder)])
        assert done.exit_code != 0
        assert "bonafide/CLIP" in str(done.exception) + done.output
