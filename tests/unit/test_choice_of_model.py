"""Which embedder serves a state folder: what its people are enrolled for, how many they are, and what this machine affords."""

from pathlib import Path

import numpy as np
import pytest

from blinkd.identity.enrolment import NewTemplate
from blinkd.models.processor import read_processor
from blinkd.models.speeds import Machine, Speed, write_verdict
from blinkd.parts import Parts
from blinkd.settings import IdentitySettings, Settings

DIMENSIONS = {"mobilefacenet": 192, "sface": 128}


def enrolled(state: Path, people: int, models: tuple[str, ...], prefix: str = "p") -> None:
    rng = np.random.default_rng(len(prefix))
    with Parts(Settings(state_dir=state)).open_store() as store:
        for number in range(people):
            vectors = {}
            for model in models:
                vector = rng.standard_normal(DIMENSIONS[model]).astype(np.float32)
                vectors[model] = vector / np.linalg.norm(vector)
            store.people.enrol(f"{prefix}{number}", f"{prefix} {number}", [NewTemplate(vectors, 0.9, "test")])


def timed(state: Path, sface_ms: float = 6.0) -> None:
    parts = Parts(Settings(state_dir=state))
    machine = Machine.at_hand(read_processor(), parts.settings.vision.threads)
    rows = [
        Speed(name, "int8", ms, parts.manifest.entry(name).files["int8"].sha256)
        for name, ms in (("mobilefacenet", 3.0), ("sface", sface_ms))
    ]
    write_verdict(state, machine, rows)


def serving(state: Path, fpir: float = 1e-5) -> Parts:
    # a strict rate makes forty templates ask for what a thousand ask for at the default one
    return Parts(Settings(state_dir=state, identity=IdentitySettings(fpir=fpir)), gallery=True)


BOTH = ("mobilefacenet", "sface")


def test_a_large_gallery_takes_the_accurate_model_once_it_was_timed(tmp_path: Path) -> None:
    enrolled(tmp_path, 40, BOTH)
    assert serving(tmp_path).model_id == "mobilefacenet", "never timed, so not known to be affordable"
    timed(tmp_path)
    parts = serving(tmp_path)
    assert parts.model_id == parts.embedder.model_id == "sface"
    with parts.open_store(read_only=True) as store:
        assert len(parts.gallery(store)) == 40


def test_a_small_gallery_keeps_the_fast_model(tmp_path: Path) -> None:
    enrolled(tmp_path, 40, BOTH)
    timed(tmp_path)
    assert serving(tmp_path, fpir=1e-3).embedder.model_id == "mobilefacenet"


def test_a_model_for_which_somebody_is_not_enrolled_is_not_taken(tmp_path: Path) -> None:
    enrolled(tmp_path, 40, BOTH)
    enrolled(tmp_path, 1, ("mobilefacenet",), prefix="late")
    timed(tmp_path)
    assert serving(tmp_path).model_id == "mobilefacenet"


def test_a_gallery_that_the_default_model_does_not_know_is_served_by_the_one_that_does(tmp_path: Path) -> None:
    enrolled(tmp_path, 3, ("sface",))
    parts = serving(tmp_path)
    assert parts.model_id == "sface"
    assert parts.choice is not None
    assert "everybody is enrolled for sface" in parts.choice.reason


def test_a_model_that_costs_too_much_a_visit_is_not_taken(tmp_path: Path) -> None:
    enrolled(tmp_path, 40, BOTH)
    timed(tmp_path, sface_ms=500.0)
    assert serving(tmp_path).model_id == "mobilefacenet"


@pytest.mark.parametrize("name", BOTH)
def test_a_named_model_is_taken_whatever_the_gallery(tmp_path: Path, name: str) -> None:
    enrolled(tmp_path, 40, BOTH)
    timed(tmp_path)
    settings = serving(tmp_path).settings
    named = settings.model_copy(update={"vision": settings.vision.model_copy(update={"embedder": name})})
    assert Parts(named, gallery=True).embedder.model_id == name


def test_commands_without_a_gallery_use_the_default_model(tmp_path: Path) -> None:
    enrolled(tmp_path, 40, BOTH)
    timed(tmp_path)
    assert Parts(serving(tmp_path).settings).embedder.model_id == "mobilefacenet"
