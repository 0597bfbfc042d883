import itertools
import os
import subprocess
import sys
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.capture.files import PictureFolder, VideoFile
from blinkd.errors import MediaError
from tests.unit.capture.recordings import FPS, SIZE, noise, numbered, restamp_matroska, rotate_quicktime, times_of, write_video

CONTAINERS = [("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.webm", "VP80"), ("a.ts", "mp4v")]


@pytest.mark.parametrize(("name", "codec"), CONTAINERS)
def test_every_frame_comes_with_the_container_s_time(tmp_path: Path, name: str, codec: str) -> None:
    video = VideoFile(write_video(tmp_path / name, codec=codec))
    assert times_of(video) == pytest.approx([number / FPS for number in range(40)], abs=1e-3)
    assert not video.truncated
    assert video.damaged == 0


def test_replay_of_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=8, codec="mp4v")

    def content() -> list[tuple[float, int, bytes]]:
        video, frames = VideoFile(path), []
        video.open()
        while (frame := video.read()) is not None:
            frames.append((frame.t, frame.index, frame.image.tobytes()))
        video.close()
        return frames

    first = content()
    assert len(first) == 8
    assert content() == first


def test_a_video_may_be_read_again_after_it_was_closed(tmp_path: Path) -> None:
    video = VideoFile(write_video(tmp_path / "a.avi", frames=5))
    assert times_of(video) == times_of(video)


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    stamps = [0, 33, 66, 500, 533, 900, 1900, 1933, 1966, 2000]
    path = write_video(tmp_path / "a.mkv", frames=10)
    restamp_matroska(path, stamps)
    assert times_of(VideoFile(path)) == pytest.approx([one / 1000 for one in stamps], abs=2e-3)


def test_stamps_that_stand_still_are_replaced_by_the_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", frames=10)
    restamp_matroska(path, [0] * 10)
    times = times_of(VideoFile(path))
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert times[-1] == pytest.approx(9 / FPS, abs=0.05)


def test_the_rotation_that_a_phone_states_is_applied(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mov", frames=3, codec="mp4v")
    rotate_quicktime(path)
    video = VideoFile(path)
    video.open()
    frame = video.read()
    video.close()
    assert frame is not None
    assert frame.image.shape == (SIZE[0], SIZE[1], 3)
    assert frame.image[10, -10].mean() > 200  # the white corner has gone from left to right
    assert frame.image[10, 10].mean() < 100


def test_rotation_and_mirror_of_the_settings_are_applied(tmp_path: Path) -> None:
    video = VideoFile(write_video(tmp_path / "a.avi", frames=1), rotation=90, mirror=True)
    video.open()
    frame = video.read()
    video.close()
    assert frame is not None
    assert frame.image.shape == (SIZE[0], SIZE[1], 3)
    assert frame.image[5, 5].mean() > 200


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_a_recording_with_a_torn_end_is_read_up_to_the_tear(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    video = VideoFile(path)
    times = times_of(video)
    assert 15 <= len(times) <= 30
    assert video.truncated
    assert [record for record in caplog.records if "truncated" in record.message]


def test_damage_in_the_middle_loses_only_the_damaged_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", codec="mp4v")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 800] = noise(0).tobytes()[:800]
    path.write_bytes(data)
    video = VideoFile(path)
    times = times_of(video)
    assert 30 <= len(times) < 40
    assert times[-1] == pytest.approx(39 / FPS, abs=0.2)
    assert video.damaged > 0


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_an_mp4_without_its_index_is_refused_by_name(tmp_path: Path, share: float) -> None:
    path = write_video(tmp_path / "torn.mp4", codec="mp4v")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MediaError, match=r"torn\.mp4: .*(copied whole|copy it again)"):
        VideoFile(path).open()


def test_a_text_file_with_a_video_s_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("Nothing to see here.\n" * 40)
    with pytest.raises(MediaError, match=r"notes\.mp4: is a text file"):
        VideoFile(path).open()


def test_a_play_list_is_never_followed(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.avi", frames=3)
    path = tmp_path / "list.mp4"
    path.write_text("ffconcat version 1.0\nfile secret.avi\n")
    with pytest.raises(MediaError, match=r"list\.mp4"):
        VideoFile(path).open()


def test_a_file_with_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    with pytest.raises(MediaError, match=r"sound\.mp4: no video"):
        VideoFile(path).open()


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "junk.mp4"
    path.write_bytes(noise(3).tobytes())
    with pytest.raises(MediaError, match=r"junk\.mp4"):
        times_of(VideoFile(path))


def test_missing_folder_and_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"none\.mp4: no such file"):
        VideoFile(tmp_path / "none.mp4").open()
    with pytest.raises(MediaError, match="is a folder"):
        VideoFile(tmp_path).open()
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="no regular file"):
        VideoFile(tmp_path / "pipe.mp4").open()


def test_reading_a_source_that_is_not_open_is_an_error(tmp_path: Path) -> None:
    video, folder = VideoFile(write_video(tmp_path / "a.avi", frames=2)), PictureFolder(tmp_path, 5)
    for source in (video, folder):
        with pytest.raises(MediaError, match="not open"):
            source.read()
        source.close()
        source.close()


def test_decoders_write_nothing_to_standard_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi")
    path.write_bytes(path.read_bytes()[:9000])
    (tmp_path / "torn.mp4").write_bytes(write_video(tmp_path / "b.mp4", codec="mp4v").read_bytes()[:5000])
    # OpenCV asks for its log levels once in a process, so this wants one of its own
    program = (
        "import sys; from pathlib import Path; from blinkd.capture.files import VideoFile; from blinkd.errors import MediaError\n"
        "video = VideoFile(Path(sys.argv[1])); video.open()\n"
        "while video.read(): pass\n"
        "try: VideoFile(Path(sys.argv[2])).open()\n"
        "except MediaError: print(video.truncated)"
    )
    done = subprocess.run([sys.executable, "-c", program, path, tmp_path / "torn.mp4"], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert [line for line in done.stderr.splitlines() if "truncated:" not in line] == []


def write_pictures(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), numbered(number, (160 + 8 * number, 120)))


def test_a_folder_is_read_in_natural_order_with_mixed_sizes(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["f10.png", "f2.jpg", "f1.bmp", "f3.webp", "f20.tiff"])
    (tmp_path / "readme.txt").write_text("no picture")
    (tmp_path / "._f2.jpg").write_bytes(b"left by another system")
    folder = PictureFolder(tmp_path, fps=10)
    folder.open()
    frames = []
    while (frame := folder.read()) is not None:
        frames.append(frame)
    assert [frame.image.shape[1] for frame in frames] == [176, 168, 184, 160, 192]
    assert [frame.t for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert folder.refused == []


def test_names_with_and_without_numbers_can_be_sorted_together(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png", "7.png", "07.png", "a1b2.png", "a1b10.png", "1a.png"])
    folder = PictureFolder(tmp_path, fps=10)
    assert len(times_of(folder)) == 6


def test_unreadable_pictures_are_left_out_and_listed(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["1.png", "2.png", "3.png"])
    (tmp_path / "2.png").write_bytes(b"")
    folder = PictureFolder(tmp_path, fps=10)
    assert times_of(folder) == pytest.approx([0, 0.2])
    assert len(folder.refused) == 1
    assert "2.png" in folder.refused[0]


def test_a_folder_of_which_nothing_can_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no pictures in this folder"):
        PictureFolder(tmp_path, 5).open()
    with pytest.raises(MediaError, match="no such folder"):
        PictureFolder(tmp_path / "none", 5).open()
    (tmp_path / "1.jpg").write_bytes(b"x")
    (tmp_path / "2.jpg").write_bytes(b"")
    with pytest.raises(MediaError, match=r"none of 2 pictures can be read; the first: .*1\.jpg"):
        times_of(PictureFolder(tmp_path, 5))


def test_a_single_picture_is_a_recording_of_one_frame(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["only.png"])
    folder = PictureFolder(tmp_path / "only.png", fps=10, rotation=180)
    folder.open()
    frame = folder.read()
    assert frame is not None
    assert np.array_equal(frame.image, numbered(0)[::-1, ::-1])
    assert folder.read() is None
