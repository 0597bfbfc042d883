"""`blinkd relay …` as its operator meets it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from blinkd.cli.main import app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def relay(*arguments: str, **settings: str) -> Result:
    return CliRunner().invoke(app, ["relay", *arguments], env={f"BLINKD_RELAY__{name.upper()}": value for name, value in settings.items()})


def test_a_relay_that_serves_http_alone_is_in_order_and_check_says_that_it_does(folder: Path) -> None:
    """It is what a relay does by default; a container's health check goes by the exit code."""
    answer = relay("check", "--json", ca_file=str(folder / "none.pem"))
    assert answer.exit_code == 0
    said = json.loads(answer.stdout)
    assert (said["ok"], said["problems"], said["broker"]) == (True, [], None)
    assert "only the HTTP API" in relay("check", ca_file=str(folder / "none.pem")).stdout


def test_check_names_each_file_without_which_a_relay_would_not_start(folder: Path) -> None:
    files = {name: str(folder / name) for name in ("ca_file", "crl_file", "certificate_file", "http_certificate", "http_key")}
    (folder / "key_file").mkdir()  # there, but not to be read
    answer = relay("check", "--json", broker="broker.example", key_file=str(folder / "key_file"), **files)
    assert answer.exit_code == 1
    said = json.loads(answer.stdout)
    assert said["broker"] == "broker.example:8884"
    assert len(said["problems"]) == 6
    for path in [*files.values(), str(folder / "key_file")]:
        assert any(problem.startswith(f"{path}: ") and "; " in problem for problem in said["problems"]), path
