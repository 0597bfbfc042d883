"""What doctor says of the threshold in force."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from blinkd.doctor import Check, examine
from blinkd.models.manifest import default_models_dir
from blinkd.parts import Parts
from blinkd.settings import IdentitySettings, Settings


def check(settings: Settings) -> Check:
    return next(one for one in examine(settings) if one.name == "threshold")


def filled(tmp_path: Path, templates: int) -> Path:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(templates, 192)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    state = tmp_path / "state"
    with Parts(Settings(state_dir=state)).open_store() as store:
        moments = [SimpleNamespace(vectors={"mobilefacenet": one}, quality=1.0, source="test", view="front", label="") for one in vectors]
        store.people.enrol("a", "Ana", moments)
    return state


def test_the_threshold_in_force_is_told_with_what_it_stands_for(tmp_path: Path) -> None:
    found = check(Settings(state_dir=tmp_path / "state"))
    assert (found.status, found.fix) == ("ok", "")
    for part in (
        "match from 0.6000",
        "the model's own",
        "0 templates",
        "per comparison",
        "(95 % ",
        "FPIR",
        "per look",
        "wanted at most 0.001",
    ):
        assert part in found.detail
    assert "extrapolated" not in found.detail


def test_a_larger_gallery_raises_it_and_a_figure_beyond_the_data_is_marked(tmp_path: Path) -> None:
    state = filled(tmp_path, 300)
    found = check(Settings(state_dir=state))
    assert found.status == "ok"
    assert "raised for the gallery's size" in found.detail
    assert "300 templates" in found.detail
    assert "extrapolated" not in found.detail
    assert "extrapolated" in check(Settings(state_dir=state, identity=IdentitySettings(fpir=1e-6))).detail


def test_a_setting_that_lets_too_many_strangers_in_is_warned_about_with_the_figure_to_write(tmp_path: Path) -> None:
    found = check(Settings(state_dir=filled(tmp_path, 300), identity=IdentitySettings(match_threshold=0.45)))
    assert found.status == "warn"
    assert "set in the settings" in found.detail
    assert "identity.match_threshold" in found.fix
    assert float(found.fix.rsplit(" ", 1)[-1]) > 0.6
    strict = check(Settings(state_dir=tmp_path / "state", identity=IdentitySettings(match_threshold=0.8)))
    assert (strict.status, strict.fix) == ("ok", "")


def test_a_model_without_measured_scores_has_an_unknown_rate(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(default_models_dir(), models, ignore=shutil.ignore_patterns("sface*", "*.ort"))
    text = (models / "manifest.toml").read_text(encoding="utf-8")
    begin = text.index("[model.impostor.int8]")
    (models / "manifest.toml").write_text(text[:begin] + text[text.index("[[model]]", begin) :], encoding="utf-8")
    found = check(Settings(state_dir=tmp_path / "state", models_dir=models))
    assert found.status == "warn"
    assert "unknown" in found.detail
    assert "match from 0.6000" in found.detail
    assert "blinkd evaluate impostors" in found.fix


@pytest.mark.parametrize("threshold", [0.1, 0.9])
def test_examining_changes_nothing(tmp_path: Path, threshold: float) -> None:
    check(Settings(state_dir=tmp_path / "state", identity=IdentitySettings(match_threshold=threshold, uncertain_threshold=0.1)))
    assert not (tmp_path / "state").exists()
