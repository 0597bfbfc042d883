import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blinkd.cli import relay_tokens
from blinkd.clock import SystemClock
from blinkd.relay.api.app import build_app
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.opening import open_connections
from tests.unit.relay_api.client import Client
from tests.unit.relay_api.conftest import NoEyes
from tests.unit.relay_api.core import FakeCore


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    connections = open_connections()
    with connections.transaction() as cursor:
        for statement in (files("blinkd.relay") / "migrations" / "sqlite" / "v0002_http_api.sql").read_text().split(";"):
            cursor.execute(statement)
    yield connections
    connections.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(relay_tokens.app, list(arguments))


def test_a_token_that_was_added_opens_what_it_was_made_for_until_it_is_revoked(database: Any) -> None:
    added = run("add", "acme", "phone of the office", "--scope", "users:read", "--days", "3", "--json")
    assert added.exit_code == 0, added.output
    made = json.loads(added.stdout)
    app = build_app(ApiStorage(database), FakeCore(), NoEyes(), ApiOptions(plain_records=True), SystemClock())
    client = Client(app, made["token"])
    assert client.get("/api/v1/sync/users").status_code == 200
    assert client.post("/api/v1/sync/users", json=[]).status_code == 403
    listed = json.loads(run("list", "--json").stdout)
    assert [(one["id"], one["state"], one["label"], one["scopes"]) for one in listed] == [
        (made["id"], "valid", "phone of the office", ["users:read"])
    ]
    assert listed[0]["used_on"] is not None
    assert json.loads(run("revoke", made["id"], "--json").stdout)["state"] == "revoked"
    assert client.get("/api/v1/sync/users").status_code == 401


def test_the_token_is_shown_once_and_never_listed() -> None:
    text = re.search(r"blinkd_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", run("add", "acme", "a phone", "--scope", "embeddings").stdout)
    assert text is not None
    for listed in (run("list").stdout, run("list", "--json").stdout):
        assert text[0][7:23] in listed.replace("\n", "")
        assert text[0][24:] not in listed


def test_the_list_can_be_one_organisations() -> None:
    for org in ("acme", "other"):
        run("add", org, "x", "--scope", "users:read", "--scope", "users:write")
    assert [one["organisation"] for one in json.loads(run("list", "--org", "other", "--json").stdout)] == ["other"]
    assert len(json.loads(run("list", "--json").stdout)) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "a/b", "x", "--scope", "users:read"),
        ("add", "acme", "", "--scope", "users:read"),
        ("add", "acme", "x" * 81, "--scope", "users:read"),
        ("add", "acme", "a\x1b[2J", "--scope", "users:read"),
        ("add", "acme", "x", "--scope", "users:everything"),
        ("add", "acme", "x"),
        ("add", "acme", "x", "--scope", "users:read", "--days", "0"),
    ],
)
def test_wrong_usage_is_said_and_makes_no_token(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
    assert json.loads(run("list", "--json").stdout) == []


def test_a_token_that_is_not_there_can_not_be_revoked() -> None:
    refused = run("revoke", "0123456789abcdef")
    assert refused.exit_code == 1
    assert "token list" in str(refused.exception)
