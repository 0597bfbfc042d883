import shutil
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.errors import MediaError
from blinkd.measure.attacks.footage import Order
from blinkd.measure.attacks.playback import head_crop, play, start_before_blink
from blinkd.measure.attacks.sources import Stock, find_sources, frames_of, same_person, survey
from blinkd.parts import Parts


def test_what_cannot_be_used_is_listed_with_its_reason_and_the_rest_is_used(media: Path, networks: Parts, tmp_path: Path) -> None:
    torn, text = tmp_path / "torn.jpg", tmp_path / "text.mp4"
    torn.write_bytes((media / "obama.jpg").read_bytes()[:5000])
    text.write_text("no video")
    good = media / "obama.jpg"
    odd = [media / "no_face.mp4", media / "free-mountain-vector-01.jpg", media / "45-m7-di-ph.jpg", media / "obama_partial_face.jpg"]
    stock = survey([torn, text, *odd, good], networks.analyser, networks.reader, networks.settings.liveness)
    assert [one.path for one in stock.portraits] == [good]
    reasons = {one.path.name: one.reason for one in stock.refused}
    assert set(reasons) == {"torn.jpg", "text.mp4", *(one.name for one in odd)}
    assert all(name in reason for name, reason in reasons.items())
    assert "no face" in reasons["no_face.mp4"]
    assert "turned away" in reasons["45-m7-di-ph.jpg"]
    assert "cut off" in reasons["obama_partial_face.jpg"]


def test_a_picture_with_shut_eyes_is_no_material(stock: Stock, networks: Parts, tmp_path: Path) -> None:
    clip = stock.clips[0]
    span = clip.blinks[0]
    shut = min(range(span.before, span.after), key=lambda place: clip.faces[place].eye_aspect_ratio)
    image, _ = next(islice(frames_of(clip, shut), 1))
    cv2.imwrite(str(tmp_path / "shut.png"), image)
    refused = survey([tmp_path / "shut.png"], networks.analyser, networks.reader, networks.settings.liveness).refused
    assert "eye is closed" in refused[0].reason


def test_sources_are_found_in_folders_and_by_name_and_each_only_once(media: Path, tmp_path: Path) -> None:
    for name in ("obama.jpg", "single_face.mp4"):
        shutil.copyfile(media / name, tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.jpg").write_text("x")
    assert find_sources([tmp_path, tmp_path / "obama.jpg"]) == [tmp_path / "obama.jpg", tmp_path / "single_face.mp4"]


@pytest.mark.parametrize("make", [False, True])
def test_a_missing_or_empty_folder_is_named(make: bool, tmp_path: Path) -> None:
    place = tmp_path / "clips"
    if make:
        place.mkdir()
    with pytest.raises(MediaError, match="clips"):
        find_sources([place])


def test_blinks_of_a_clip_are_found_with_their_frames(stock: Stock) -> None:
    for clip in stock.clips:
        assert clip.blinks
        for span in clip.blinks:
            inside = [face.eye_aspect_ratio for face in clip.faces[span.before : span.after + 1]]
            assert min(inside) < 0.6 * inside[0]
            assert inside[-1] > min(inside)


def test_two_people_are_told_apart(stock: Stock) -> None:
    assert not same_person(stock.clips[0].embedding, stock.clips[1].embedding)
    assert same_person(stock.clips[0].embedding, stock.clips[0].embedding)


def test_playing_keeps_the_face_inside_and_its_landmarks_on_it(one_clip: Stock, networks: Parts) -> None:
    clip = one_clip.clips[0]
    image, _ = next(frames_of(clip, 0))
    crop = head_crop(list(clip.faces), (image.shape[1], image.shape[0]), (320, 240), 0.5)
    (shot,) = play(clip, 10, 1, crop)
    assert shot.image.shape == (240, 320, 3)
    found = networks.analyser.faces(shot.image)[0]
    assert np.abs(found.landmarks[:, :2] - shot.landmarks).mean() < 2.5


def test_a_short_run_is_played_back_and_forth_without_a_jump(one_clip: Stock) -> None:
    clip = one_clip.clips[0]
    image, _ = next(frames_of(clip, 0))
    crop = head_crop(list(clip.faces), (image.shape[1], image.shape[0]), (160, 120), 0.5)
    places = [shot.index for shot in play(clip, 40, 150, crop)]
    assert len(places) == 150
    assert set(np.abs(np.diff(places)).tolist()) == {1}
    assert (min(places), max(places)) == (40, len(clip.faces) - 1)


def test_playing_starts_a_while_before_a_blink_with_open_eyes(stock: Stock) -> None:
    for clip in stock.clips:
        start = start_before_blink(clip, np.random.default_rng(1), 3.0)
        before = next(span.before for span in clip.blinks if span.before > start)
        assert 0.75 < (before - start) / clip.fps < 1.5
        lead = [face.eye_aspect_ratio for face in clip.faces[start : before + 1]]
        assert np.median(lead) > 0.2


def test_without_another_persons_portrait_a_swap_says_what_is_missing(stock: Stock) -> None:
    order = Order(Stock(stock.clips, (), ()), np.random.default_rng(1), 0, 3.0)
    with pytest.raises(MediaError, match="--from"):
        order.portrait(unlike=stock.clips[0])
    with pytest.raises(MediaError, match="blinks"):
        Order(Stock((), stock.portraits, ()), np.random.default_rng(1), 0, 3.0).clip()
