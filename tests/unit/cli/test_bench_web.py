"""The bench of the way to the display."""

import pytest

from blinkd.cli import bench_web
from blinkd.errors import ServerFailed
from blinkd.settings import Settings


def test_it_times_greetings_with_pictures_beside_them_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_web, "GREETINGS", 20)
    found = bench_web.figures(Settings())
    assert found["greetings"] == 20
    assert 0 < found["greeting_ms"]["p50"] <= found["greeting_ms"]["p95"]
    assert found["pictures_per_s"] > 0
    assert found["rss_mb"] > 20
    bench_web.show(found)
    assert "of 20 greetings" in capsys.readouterr().out.replace("\n", " ")


def test_a_process_that_does_not_begin_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_web, "COMMAND", ("/bin/false",))
    with pytest.raises(ServerFailed, match="does not serve"):
        bench_web.figures(Settings())
