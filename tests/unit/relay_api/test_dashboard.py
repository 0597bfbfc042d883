"""The dashboard's routes and pages, as a browser meets them."""

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from blinkd.cli.relay import app as relay_app
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import Scope
from blinkd.relay.core import Core
from blinkd.relay.dashboard.pages import Pages
from blinkd.settings import RelaySettings, Settings
from tests.services.certificates import Authority
from tests.unit.relay.senders import ORG, Sender, checker
from tests.unit.relay_api.client import Client

PATH = "/api/v1/dashboard"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types blinkd-worker"
)


@pytest.fixture
def sender(storage: ApiStorage) -> Sender:
    """A terminal whose seven entries and three people the relay holds."""
    authority = Authority(ORG)
    made, core = Sender(authority).write(7), Core(storage.connections, checker(authority))
    core.attendance(made.batch(0, 6))
    core.people(made.changes(*(made.change(f"{number:032x}", 0, 1) for number in range(3))))
    return made


@pytest.fixture
def client(connect: Callable[..., Client], issue: Callable[..., str]) -> Client:
    return Client(connect().app, issue(Scope.DASHBOARD_READ))


def test_entries_and_people_come_page_by_page(client: Client, sender: Sender) -> None:
    query = f"terminal={sender.name}&book={sender.book}&limit=3"
    found, cursor = list[int](), ""
    while cursor is not None:
        page = client.get(f"{PATH}/entries?{query}" + (f"&cursor={cursor}" if cursor else "")).json()
        found += [one["seq"] for one in page["entries"]]
        cursor = page["next_cursor"]
    assert found == [6, 5, 4, 3, 2, 1, 0]
    first = client.get(f"{PATH}/people?limit=2").json()
    rest = client.get(f"{PATH}/people?limit=2&cursor={first['next_cursor']}").json()
    assert [one["id"] for one in first["people"] + rest["people"]] == [f"{number:032x}" for number in range(3)]
    assert rest["next_cursor"] is None


def test_a_token_reads_its_own_organisation_only(client: Client, sender: Sender, issue: Callable[..., str]) -> None:
    stranger = Client(client.app, issue(Scope.DASHBOARD_READ, org="other"))
    assert client.get(f"{PATH}/books").json()["terminals"][0]["book"]["id"] == sender.book
    assert stranger.get(f"{PATH}/books").json() == {"success": True, "organisation": "other", "terminals": []}
    assert stranger.get(f"{PATH}/people").json()["people"] == []
    answer = stranger.get(f"{PATH}/entries?terminal={sender.name}&book={sender.book}")
    assert (answer.status_code, answer.json()["error"]) == (404, "no_book")


def test_an_organisation_whose_keyring_no_terminal_has_brought_is_told_so(client: Client) -> None:
    answer = client.get(f"{PATH}/keyring")
    assert (answer.status_code, answer.json()["error"]) == (404, "no_keyring")
    assert "blinkd sync now" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "people?cursor=x",
        "people?cursor=-1",
        "people?cursor=9999999999999999",
        "people?limit=0",
        "people?limit=501",
        "entries?terminal=door-1",
        "entries?terminal=door-1&book=x",
        "entries?terminal=door-1&book=3a1e6d6c-31f4-4b7e-9d0c-a5f9a3d5f001&cursor=1%20OR%201",
        f"entries?terminal={'x' * 64}&book=3a1e6d6c-31f4-4b7e-9d0c-a5f9a3d5f001",
    ],
)
def test_what_is_no_question_is_refused_in_words(client: Client, query: str) -> None:
    answer = client.get(f"{PATH}/{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_each_of_the_routes_counts_against_the_tokens_rate(connect: Callable[..., Client], sender: Sender) -> None:
    limited = connect(token_rate=3)
    names = ("books", "people", f"entries?terminal={sender.name}&book={sender.book}", "books")
    answers = [limited.get(f"{PATH}/{name}") for name in names]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_no_answer_holds_a_time_of_day(client: Client, sender: Sender) -> None:
    texts = [client.get(f"{PATH}/{name}").text for name in ("books", "people", f"entries?terminal={sender.name}&book={sender.book}")]
    assert not [text for text in texts if re.search(r"\d\d:\d\d:\d\d|T\d\d:\d\d", text)]


def test_the_pages_may_load_their_own_files_and_nothing_else(connect: Callable[..., Client]) -> None:
    client = Client(connect().app)
    index = client.get("/dashboard/")
    assert index.headers["Content-Security-Policy"] == POLICY
    assert (index.headers["X-Frame-Options"], index.headers["Referrer-Policy"]) == ("DENY", "no-referrer")
    assert not re.search(r"https?:|//[a-z]|style=|<style| on[a-z]+=|javascript:", index.text)
    named = re.findall(r'(?:src|href)="([^"#:]+)"(?: integrity="([^"]+)")?', index.text)
    assert {"app.js", "chart.umd.js", "base.css", "dashboard.css", "keys.js", "walk.js"} <= {name for name, _ in named}
    for name, integrity in named:
        answer = client.get(f"/dashboard/{name}")
        assert answer.status_code == 200 and answer.headers["Content-Security-Policy"] == POLICY
        assert integrity == "sha384-" + base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
        assert answer.headers["Content-Type"].startswith("text/javascript" if name.endswith(".js") else "text/css")


def test_every_module_that_is_imported_is_named_with_its_hash(connect: Callable[..., Client]) -> None:
    client = Client(connect().app)
    index = client.get("/dashboard/").text
    pages = Pages.read()
    imported = {name for content in pages.files.values() for name in re.findall(r'from "\./([a-z]+\.js)"', content.decode())}
    assert imported <= set(pages.files)
    assert [name for name in imported if f'href="{name}" integrity=' not in index] == []


@pytest.mark.parametrize("path", ["x.js", "..%2fpages.py", "%2e%2e/pages.py", "index.html/", "__init__.py", ".."])
def test_nothing_but_the_pages_files_is_served(connect: Callable[..., Client], path: str) -> None:
    answer = Client(connect().app).get(f"/dashboard/{path}")
    assert answer.status_code in (200, 404)  # `..` is taken out of the address before it is sent
    assert "import" not in answer.text


def test_without_its_slash_the_address_leads_there(connect: Callable[..., Client]) -> None:
    answer = Client(connect().app).get("/dashboard")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/dashboard/")


def test_an_operator_can_leave_the_pages_out(connect: Callable[..., Client]) -> None:
    assert Client(connect(dashboard=False).app).get("/dashboard/").status_code == 404


def test_only_the_named_other_servers_pages_may_read_and_only_read(connect: Callable[..., Client], sender: Sender) -> None:
    client = connect(dashboard_origins=("https://hr.example",))
    assert sender
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    ours, others = ({"Origin": f"https://{name}.example"} for name in ("hr", "evil"))
    asked = Client(client.app).request("OPTIONS", f"{PATH}/books", headers=ours | ask)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, "https://hr.example")
    assert client.get(f"{PATH}/books", headers=ours).headers["Access-Control-Allow-Origin"] == "https://hr.example"
    assert "Access-Control-Allow-Credentials" not in asked.headers
    assert "Access-Control-Allow-Origin" not in client.get(f"{PATH}/books", headers=others).headers
    assert Client(client.app).request("OPTIONS", f"{PATH}/books", headers=others | ask).status_code == 400
    write = ours | {"Access-Control-Request-Method": "POST"}
    assert Client(client.app).request("OPTIONS", "/api/v1/sync/users", headers=write).status_code == 400


def test_the_settings_take_origins_and_nothing_else() -> None:
    given: Any = "https://hr.example, http://10.0.0.1:8080"
    assert RelaySettings(dashboard_origins=given).dashboard_origins == ["https://hr.example", "http://10.0.0.1:8080"]
    for wrong in ("*", "hr.example", "https://hr.example/path", "https://hr.example; script-src *"):
        with pytest.raises(ValidationError):
            RelaySettings(dashboard_origins=[wrong])


def invoke(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(relay_app, ["dashboard", *arguments], obj=Settings())
    return result.exit_code, result.output, result.exception


def test_the_pages_can_be_written_out_for_another_server(tmp_path: Path, connect: Callable[..., Client]) -> None:
    folder = tmp_path / "pages"
    code, said, _ = invoke(str(folder))
    assert code == 0 and (folder / "SHA256SUMS").read_text() == said
    client = Client(connect().app)
    for line in said.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert client.get(f"/dashboard/{'' if name == 'index.html' else name}").content == (folder / name).read_bytes()
    elsewhere = tmp_path / "elsewhere"
    assert invoke(str(elsewhere), "--relay", "https://relay.example:8443")[0] == 0
    index = (elsewhere / "index.html").read_text()
    assert '<meta name="blinkd-relay" content="https://relay.example:8443">' in index
    assert "connect-src https://relay.example:8443; img-src" in index and "frame-ancestors" not in index


def test_no_folder_with_something_in_it_is_written_to_and_no_address_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    code, _, error = invoke(str(tmp_path))
    assert code == 1 and "is not empty" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    code, said, _ = invoke(str(tmp_path / "new"), "--relay", 'https://x"><script>')
    assert code == 2 and "is no origin" in said
