from pathlib import Path
from types import SimpleNamespace

import pytest

from blinkd.errors import StoreError
from blinkd.parts import Parts
from blinkd.settings import IdentitySettings, Settings, StoreSettings
from blinkd.store.database import Store


def test_enrolment_is_refused_when_punches_need_the_last_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state_dir=tmp_path, store=StoreSettings(min_free_mb=50))
    monkeypatch.setattr("blinkd.parts.shutil.disk_usage", lambda folder: SimpleNamespace(free=49 * 2**20))  # noqa: ARG005
    with Store.open(tmp_path, settings.store) as store, pytest.raises(StoreError, match="49 MB free"):
        Parts(settings).register(store)


def test_settings_that_are_read_again_keep_the_networks_and_change_the_rules(tmp_path: Path) -> None:
    parts = Parts(Settings(state_dir=tmp_path))
    embedder, rule = parts.embedder, parts.threshold_rule
    again = parts.reloaded(Settings(state_dir=tmp_path, identity=IdentitySettings(match_threshold=0.9)))
    assert again.embedder is embedder
    assert again.threshold_rule is not rule
    assert again.bands.match == 0.9
    again.forget_networks()
    assert again.embedder is not embedder
