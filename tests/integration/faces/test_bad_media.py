"""Recordings and pictures that cannot be read: exit code 1, a message that names the file, no traceback."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.integration.faces.commands import Answer, blinkd, blinkd_process


def torn(source: Path, target: Path, share: float) -> Path:
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


@pytest.fixture
def pictures(media: Path, tmp_path: Path) -> dict[str, Path]:
    zero, text = tmp_path / "zero.jpg", tmp_path / "text.jpg"
    zero.touch()
    text.write_text("no picture\n")
    return {
        "missing": tmp_path / "missing.jpg",
        "zero": zero,
        "text": text,
        "torn": torn(media / "single_face.jpg", tmp_path / "torn.jpg", 0.3),
        "folder": tmp_path,
    }


@pytest.fixture
def recordings(media: Path, tmp_path: Path) -> dict[str, Path]:
    zero, noise, empty = tmp_path / "zero.mp4", tmp_path / "noise.mov", tmp_path / "nothing"
    zero.touch()
    noise.write_bytes(np.random.default_rng(1).bytes(50_000))
    empty.mkdir()
    only_bad = tmp_path / "onlybad"
    only_bad.mkdir()
    (only_bad / "a.png").write_bytes(b"no png")
    return {
        "missing": tmp_path / "missing.mp4",
        "zero": zero,
        "noise": noise,
        "torn": torn(media / "single_face.mp4", tmp_path / "torn.mp4", 0.4),
        "empty_folder": empty,
        "unreadable_folder": only_bad,
    }


def refused(answer: Answer, path: Path) -> None:
    assert answer.code == 1
    assert "Traceback" not in answer.err
    if answer.out:
        assert answer.json["success"] is False
        said = answer.json["message"]
    else:
        said = answer.err
    assert str(path) in said.splitlines()[-1]


@pytest.mark.parametrize("kind", ["missing", "zero", "text", "torn", "folder"])
@pytest.mark.parametrize("command", [("identify",), ("embed",), ("enroll", "--name", "Sam Sample", "--image")], ids=lambda words: words[0])
def test_a_picture_that_cannot_be_read_is_named(command: tuple[str, ...], kind: str, pictures: dict[str, Path], empty: Path) -> None:
    refused(blinkd(*command, pictures[kind], "--json", state=empty), pictures[kind])
    assert blinkd("people", "list", "--json", state=empty).json == []


@pytest.mark.parametrize("kind", ["missing", "zero", "noise", "torn", "empty_folder", "unreadable_folder"])
@pytest.mark.parametrize("command", [("replay",), ("enroll", "--name", "Sam Sample", "--video")], ids=lambda words: words[0])
def test_a_recording_that_cannot_be_read_is_named(command: tuple[str, ...], kind: str, recordings: dict[str, Path], empty: Path) -> None:
    refused(blinkd(*command, recordings[kind], "--json", state=empty), recordings[kind])


def test_nothing_but_the_message_reaches_the_terminal_of_a_real_process(recordings: dict[str, Path], empty: Path) -> None:
    done = blinkd_process("replay", recordings["zero"], "--json", state=empty)
    refused(done, recordings["zero"])
    assert done.out == ""


def test_a_folder_with_some_unreadable_pictures_is_replayed_without_them(media: Path, empty: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"")
    picture = Image.open(media / "single_face.jpg")
    for number in (2, 3):
        picture.save(folder / f"{number}.png", compress_level=1)
    done = blinkd("replay", folder, "--json", state=empty)
    assert done.code == 0
    assert [line["event"] for line in done.lines][:1] == ["session_started"]


def test_a_gif_named_as_a_video_or_an_odd_file_never_ends_in_a_traceback(media: Path, empty: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.mp4"
    odd.write_bytes((media / "single_face.jpg").read_bytes()[:2000])
    done = blinkd("replay", odd, "--json", state=empty)
    assert done.code == 1
    assert str(odd) in done.err
