import hashlib
import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from blinkd.capture.files import VideoFile
from blinkd.cli.main import main
from blinkd.errors import MediaError
from blinkd.measure.attacks.kit import MAKERS, prepare, species_named, write_kit
from blinkd.measure.attacks.sources import Stock
from blinkd.measure.attacks.writer import write_clip

WANTED = ["cut_and_swap", "frozen_frame", "photo_still"]


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.avi"))}


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLINKD_") or name == "BLINKD_CACHE_DIR"}
    with (
        mock.patch.dict(os.environ, kept, clear=True),
        mock.patch.object(sys, "argv", ["blinkd", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_every_species_of_the_interface_can_be_made() -> None:
    assert set(MAKERS) == {
        "photo_still",
        "photo_moved",
        "photo_tilted",
        "photo_zoomed",
        "photo_bent",
        "photo_cutout_eyes",
        "photo_warped_blink",
        "photo_animated_turn",
        "replay_screen",
        "replay_moire",
        "replay_glare",
        "replay_flicker",
        "replay_lowres",
        "cut_and_swap",
        "frozen_frame",
        "looped_frames",
        "black_frames",
        "repeated_frames",
    }


def test_species_are_chosen_by_name_and_an_unknown_one_is_named() -> None:
    assert species_named([]) == list(MAKERS)
    assert species_named(["replay_screen", "photo_still"]) == ["photo_still", "replay_screen"]
    with pytest.raises(MediaError, match="photo_stil"):
        species_named(["photo_stil"])


def test_the_folder_is_laid_out_for_evaluate_pad_and_lists_what_is_in_it(stock: Stock, tmp_path: Path) -> None:
    prepare(tmp_path, force=False)
    kit = write_kit(tmp_path, stock, WANTED, 2, 2.0, 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attack", "bonafide", "kit.json"]
    assert {path.name for path in (tmp_path / "bonafide").iterdir()} == {clip.path.name for clip in stock.clips}
    assert {path.name for path in (tmp_path / "attack").iterdir()} == set(WANTED)
    listed = json.loads((tmp_path / "kit.json").read_text())["attacks"]
    assert sorted(one["path"] for one in listed) == sorted(digests(tmp_path))
    assert len(kit.attacks) == 6
    for one in kit.attacks:
        source = VideoFile(one.path)
        source.open()
        frames = list(iter(source.read, None))
        source.close()
        assert len(frames) == one.frames
        assert frames[0].image.shape == (480, 640, 3)
        assert frames[-1].t == pytest.approx((one.frames - 1) / one.fps, abs=0.01)


def test_one_seed_makes_one_kit_whatever_else_is_made(stock: Stock, tmp_path: Path) -> None:
    for name, species in (("a", WANTED), ("b", WANTED[2:])):
        prepare(tmp_path / name, force=False)
        write_kit(tmp_path / name, stock, species, 1, 2.0, 5)
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert second
    assert second.items() <= first.items()


def test_a_folder_that_holds_no_kit_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "attack" / "mine").mkdir(parents=True)
    for force in (False, True):
        with pytest.raises(MediaError, match="no kit"):
            prepare(tmp_path, force=force)
    assert (tmp_path / "attack" / "mine").is_dir()


def test_a_kit_is_replaced_only_by_force_and_not_when_a_source_lies_in_it(tmp_path: Path) -> None:
    prepare(tmp_path, force=False)
    (tmp_path / "attack" / "old").mkdir()
    (tmp_path / "mine.txt").write_text("x")
    own = tmp_path / "bonafide" / "own.mp4"
    own.write_text("x")
    with pytest.raises(MediaError, match="--force"):
        prepare(tmp_path, force=False)
    with pytest.raises(MediaError, match=r"own\.mp4"):
        prepare(tmp_path, force=True, sources=[own])
    assert own.exists()
    prepare(tmp_path, force=True)
    assert not (tmp_path / "attack" / "old").exists()
    assert (tmp_path / "mine.txt").read_text() == "x"


def test_a_species_that_the_sources_cannot_serve_is_named_and_the_others_are_made(stock: Stock, tmp_path: Path) -> None:
    prepare(tmp_path, force=False)
    kit = write_kit(tmp_path, Stock((), stock.portraits, ()), ["photo_still", "replay_screen"], 1, 2.0, 5)
    assert [one.species for one in kit.attacks] == ["photo_still"]
    assert "replay_screen" in kit.refused[0].reason


def test_a_clip_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"empty\.avi"):
        write_clip(tmp_path / "empty.avi", [], 25)
    assert not list(tmp_path.iterdir())


def test_the_command_makes_a_kit_from_ones_own_files_and_names_those_it_cannot_use(media: Path, tmp_path: Path) -> None:
    sources = [str(media / name) for name in ("obama.jpg", "no_face.mp4")]
    out = tmp_path / "kit"
    arguments = ["evaluate", "kit", str(out), "--species", "photo_still", "--per-species", "1", "--seconds", "2", "--json"]
    code, text, err = run(*arguments, "--from", sources[0], "--from", sources[1])
    assert code == 0
    answer = json.loads(text)
    assert [one["species"] for one in answer["attacks"]] == ["photo_still"]
    assert (out / answer["attacks"][0]["path"]).is_file()
    assert "no_face.mp4" in err
    code, _, err = run(*arguments, "--from", sources[0])
    assert code == 1
    assert "--force" in err


def test_the_command_refuses_sources_without_anybody_in_them(media: Path, tmp_path: Path) -> None:
    code, _, err = run("evaluate", "kit", str(tmp_path / "kit"), "--from", str(media / "no_face.mp4"))
    assert code == 1
    assert "no_face.mp4" in err
