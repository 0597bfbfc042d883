"""Enrolment makes a template with every embedder that is there, so that a change of model locks nobody out."""

import re
import shutil
from pathlib import Path

import pytest

from blinkd.models.manifest import default_models_dir
from tests.integration.faces.commands import Answer, blinkd

TWIN = "second_embedder"
PERSON = "E-1"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The networks of the checkout, whichever they are, and a second embedder of its own name and files; SFace, if it is there, stays out."""
    folder = tmp_path / "models"
    shutil.copytree(default_models_dir(), folder, ignore=shutil.ignore_patterns("sface*", "*.ort"))
    manifest = folder / "manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    (entry,) = re.findall(r'^\[\[model\]\]\nname = "mobilefacenet"\n.*?(?=^\[\[model\]\]|\Z)', text, re.MULTILINE | re.DOTALL)
    twin = entry.replace('"mobilefacenet"', f'"{TWIN}"').replace('path = "mobilefacenet', f'path = "{TWIN}')
    manifest.write_text(text + "\n" + twin, encoding="utf-8")
    for file in list(folder.glob("mobilefacenet*.onnx")):
        shutil.copy(file, folder / file.name.replace("mobilefacenet", TWIN))
    return folder


def command(state: Path, models: Path, embedder: str, *arguments: str | Path) -> Answer:
    return blinkd(*arguments, "--json", state=state, BLINKD_MODELS_DIR=str(models), BLINKD_VISION__EMBEDDER=embedder)


def enrol(state: Path, models: Path, picture: Path) -> Answer:
    done = command(state, models, "mobilefacenet", "enroll", "--name", "Robin", "--id", PERSON, "--image", picture)
    assert done.code == 0, done.out + done.err
    return done


def needs(state: Path, models: Path, embedder: str) -> list[tuple[int, bool]]:
    return [(one["templates"], one["needs_enrolment"]) for one in command(state, models, embedder, "people", "list").json]


def found(state: Path, models: Path, embedder: str, picture: Path) -> str | None:
    (face,) = command(state, models, embedder, "identify", picture).json["faces"]
    return None if face["match"]["person_id"] is None else str(face["match"]["person_id"])


def test_who_was_enrolled_with_both_embedders_there_is_known_after_the_change(media: Path, empty: Path, models: Path) -> None:
    done = enrol(empty, models, media / "obama.jpg")
    assert done.json["templates"][0]["models"] == ["mobilefacenet", TWIN]
    assert done.json["model"] == "mobilefacenet"
    for embedder in ("mobilefacenet", TWIN):
        assert needs(empty, models, embedder) == [(1, False)]
        assert found(empty, models, embedder, media / "obama2.jpg") == PERSON


def test_who_was_enrolled_without_the_new_embedder_is_marked_and_can_be_enrolled_again(media: Path, empty: Path, models: Path) -> None:
    away = models / "away"
    away.mkdir()
    for file in list(models.glob(f"{TWIN}*.onnx")):
        file.rename(away / file.name)
    assert enrol(empty, models, media / "obama.jpg").json["templates"][0]["models"] == ["mobilefacenet"]
    for file in list(away.iterdir()):
        file.rename(models / file.name)
    assert needs(empty, models, "mobilefacenet") == [(1, False)]
    assert needs(empty, models, TWIN) == [(1, True)]
    assert found(empty, models, TWIN, media / "obama2.jpg") is None, "spaces never mix"
    refreshed = ("enroll", "--refresh", "--id", PERSON, "--image", media / "obama2.jpg", "--consent", "asked again")
    assert command(empty, models, TWIN, *refreshed).code == 0
    assert needs(empty, models, TWIN) == needs(empty, models, "mobilefacenet") == [(1, False)]
    assert found(empty, models, TWIN, media / "obama.jpg") == PERSON


def test_a_second_embedder_whose_file_is_torn_is_named_and_nobody_is_half_enrolled(media: Path, empty: Path, models: Path) -> None:
    for file in models.glob(f"{TWIN}*.onnx"):
        file.write_bytes(file.read_bytes()[:-1])
    done = command(empty, models, "mobilefacenet", "enroll", "--name", "Robin", "--image", media / "obama.jpg")
    assert done.code == 1
    assert TWIN in done.err
    assert "Traceback" not in done.err
    assert command(empty, models, "mobilefacenet", "people", "list").json == []


def test_a_simulated_embedder_makes_templates_alone(media: Path, empty: Path, models: Path) -> None:
    done = blinkd(
        "enroll", "--name", "Robin", "--image", media / "obama.jpg", "--json", state=empty,
        BLINKD_MODELS_DIR=str(models), BLINKD_VISION__PRECISION="simulated",
    )  # fmt: skip
    assert done.json["templates"][0]["models"] == ["simulated-mobilefacenet"]
