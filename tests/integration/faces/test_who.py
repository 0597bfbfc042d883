"""Whom `identify` and `embed` see in pictures of several people."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from blinkd.parts import Parts
from tests.integration.faces.commands import blinkd
from tests.integration.faces.conftest import BIDEN, MAN, OBAMA
from tests.integration.faces.scenes import head, side_by_side


@pytest.mark.parametrize(
    ("picture", "person"), [("obama2.jpg", OBAMA), ("obama3.jpg", OBAMA), ("biden.jpg", BIDEN), ("single_face.jpg", MAN)]
)
def test_everyone_is_recognised_as_themselves(enrolled: Path, media: Path, picture: str, person: str) -> None:
    done = blinkd("identify", media / picture, "--json", state=enrolled)
    assert done.code == 0
    (face,) = done.json["faces"]
    assert set(face) == {"bbox", "score", "quality", "match"}
    assert set(face["match"]) == {"verdict", "person_id", "name", "similarity", "threshold"}
    assert (face["match"]["verdict"], face["match"]["person_id"]) == ("match", person)
    assert face["match"]["similarity"] >= face["match"]["threshold"] >= 0.5
    assert 0.5 < face["score"] <= 1
    assert 0 < face["quality"] <= 1


def test_who_is_not_enrolled_is_unknown_even_if_somebody_else_is(empty: Path, media: Path) -> None:
    assert blinkd("enroll", "--name", "Kim Sample", "--image", media / "biden.jpg", state=empty).code == 0
    for picture in ("obama.jpg", "obama2.jpg", "obama3.jpg"):
        (face,) = blinkd("identify", media / picture, "--json", state=empty).json["faces"]
        assert (face["match"]["verdict"], face["match"]["person_id"], face["match"]["name"]) == ("unknown", None, None)
        assert face["match"]["similarity"] < 0.35


def test_five_people_are_listed_largest_first_and_are_all_unknown(enrolled: Path, media: Path) -> None:
    faces = blinkd("identify", media / "multi_face.jpg", "--json", state=enrolled).json["faces"]
    assert len(faces) == 5
    areas = [face["bbox"][2] * face["bbox"][3] for face in faces]
    assert areas == sorted(areas, reverse=True)
    assert {face["match"]["verdict"] for face in faces} == {"unknown"}


def test_a_picture_without_a_face_gives_an_empty_list(enrolled: Path, media: Path) -> None:
    done = blinkd("identify", media / "free-mountain-vector-01.jpg", "--json", state=enrolled)
    assert (done.code, done.json) == (0, {"faces": []})
    embedded = blinkd("embed", media / "free-mountain-vector-01.jpg", "--json", state=enrolled)
    assert embedded.code == 1
    assert (embedded.json["success"], embedded.json["error"]) == (False, "no_face")


def test_two_people_side_by_side_are_both_named(enrolled: Path, media: Path, networks: Parts, tmp_path: Path) -> None:
    both = tmp_path / "both.png"
    cv2.imwrite(str(both), side_by_side(head(media / "obama2.jpg", networks, 200), head(media / "biden.jpg", networks, 200)))
    faces = blinkd("identify", both, "--json", state=enrolled).json["faces"]
    assert sorted(face["match"]["person_id"] for face in faces) == [OBAMA, BIDEN]


def save_grey(source: Path, target: Path) -> Path:
    Image.open(source).convert("L").save(target.with_suffix(".jpg"))
    return target.with_suffix(".jpg")


def save_sixteen_bit(source: Path, target: Path) -> Path:
    grey = np.asarray(Image.open(source).convert("L"), np.uint16)
    cv2.imwrite(str(target.with_suffix(".png")), grey * np.uint16(257))
    return target.with_suffix(".png")


def save_sixteen_bit_colour(source: Path, target: Path) -> Path:
    cv2.imwrite(str(target.with_suffix(".png")), cv2.imread(str(source)).astype(np.uint16) * np.uint16(257))
    return target.with_suffix(".png")


def save_cmyk(source: Path, target: Path) -> Path:
    Image.open(source).convert("CMYK").save(target.with_suffix(".jpg"), quality=95)
    return target.with_suffix(".jpg")


def save_transparent(source: Path, target: Path) -> Path:
    picture = Image.open(source).convert("RGBA")
    picture.putalpha(230)
    picture.save(target.with_suffix(".png"))
    return target.with_suffix(".png")


def save_lying_on_its_side(source: Path, target: Path) -> Path:
    picture = Image.open(source)
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise to see it
    picture.transpose(Image.Transpose.ROTATE_90).save(target.with_suffix(".jpg"), exif=exif, quality=95)
    return target.with_suffix(".jpg")


def save_huge(source: Path, target: Path) -> Path:
    picture = Image.open(source)
    huge = Image.new("RGB", (8000, 6000), "white")
    huge.paste(picture.resize((5600, 5500)), (1200, 300))
    huge.save(target.with_suffix(".jpg"), quality=80)
    return target.with_suffix(".jpg")


SAVERS = [save_grey, save_sixteen_bit, save_sixteen_bit_colour, save_cmyk, save_transparent, save_lying_on_its_side, save_huge]


@pytest.mark.parametrize("save", SAVERS, ids=lambda save: save.__name__.removeprefix("save_"))
def test_the_same_man_matches_in_every_kind_of_picture_file(save: object, enrolled: Path, media: Path, tmp_path: Path) -> None:
    path = save(media / "single_face.jpg", tmp_path / "kind")
    done = blinkd("identify", path, "--json", state=enrolled)
    assert done.code == 0, done.err
    face = done.json["faces"][0]
    assert (face["match"]["verdict"], face["match"]["person_id"]) == ("match", MAN)
    assert face["match"]["similarity"] > 0.8


@pytest.mark.parametrize("precision", ["int8", "fp32", "simulated"])
def test_an_embedding_has_unit_length_and_says_how_it_was_made(precision: str, enrolled: Path, media: Path) -> None:
    done = blinkd("embed", media / "single_face.jpg", "--json", state=enrolled, BLINKD_VISION__PRECISION=precision)
    assert done.code == 0, done.err
    answer = done.json
    assert set(answer) == {"success", "embedding", "dimension", "model", "model_precision"}
    assert (answer["success"], answer["model_precision"]) == (True, precision)
    assert len(answer["embedding"]) == answer["dimension"] == 192
    assert math.isclose(math.hypot(*answer["embedding"]), 1, abs_tol=1e-4)
    assert ("simulated" in answer["model"]) == (precision == "simulated")


def test_simulated_embeddings_never_meet_those_of_the_network(enrolled: Path, media: Path) -> None:
    done = blinkd("identify", media / "single_face.jpg", "--json", state=enrolled, BLINKD_VISION__PRECISION="simulated")
    assert [face["match"]["verdict"] for face in done.json["faces"]] == ["unknown"]
