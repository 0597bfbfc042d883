"""After a busy run on the real broker and the real database, nothing that leaves the terminals tells who came, when, or by which face."""

import json
import re
from collections.abc import Iterator

import psycopg
import pytest

from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.sync.messages import Batch
from tests.integration.sync.captured import MARK, Captured, captured, dump, logs
from tests.integration.sync.planting import Planted, planted
from tests.integration.sync.search import Haystack
from tests.services.mqtt import Peer

DIGEST = re.compile("[0-9a-f]{64}")
DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATES = (("books", "begun_on"), ("terminals", "seen_on"))
SENDER = {"v", "org", "terminal"}
SEALED = {"envelope", *(f"envelope.{name}" for name in ("ciphertext", "iv", "tag", "v", "kid"))}
KEYS = {
    *("open", "open.certificate", "open.kid", "open.terminal", "open.created", "open.serial", "open.signing"),
    *("open.grant.ephemeral", "open.grant.iv", "open.grant.sealed"),
    *("open.v", "open.organisation", "open.admin", "open.current", "open.revision", "open.epochs.kid", "open.epochs.created"),
    *("open.kdf.name", "open.kdf.iterations", "open.kdf.salt", "open.wrapped.iv", "open.wrapped.ciphertext", "open.wrapped.tag"),
}
CHANGE = {f"changes.{name}" for name in {"id", "type", "base", "edit", "admin", "signature"} | SEALED | KEYS}
ENTRY = {f"entries.{name}" for name in {"seq", "commitment", "signature", "missing"} | SEALED}
OPEN = {
    "attendance": SENDER | {"book", "certificate", "prev"} | ENTRY,
    "people": SENDER | {"certificate"} | CHANGE,
    "pull": SENDER | {"since", "limit", "request", "mark"},
    "status": SENDER | {"online", "version", "health", "health.pending", "health.failed", "health.parts", "health.chain"},
    "page": {"v", "request", "since", "upto", "head", "more", "certificates", "certificates.*", "changes", "mark", "lost"}
    | CHANGE
    | {f"changes.{name}" for name in ("terminal", "version", "certificate")},
    "head": {"v", "version"},
    "receipt": {"v", "attendance", "people", "rejected", "chain", "chain.state", "chain.detail"}
    | {f"attendance.{name}" for name in ("book", "upto", "hash")}
    | {f"people.{name}" for name in ("id", "edit", "state", "version", "reason")},
}
LONGEST_NAME = 440  # characters of a client's that are in a line of Mosquitto's log


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL) -> Iterator[Captured]:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    with captured(tmp_path_factory.mktemp("busy"), postgresql) as found:
        yield found


@pytest.mark.parametrize("where", ["broker's store", "wire", "database", "logs"])
def test_nothing_of_what_must_stay_secret_is_in(busy: Captured, where: str) -> None:
    assert len(busy.where[where]) > 1000
    assert Haystack(busy.where[where]).found(busy.secrets) == set()


def test_the_brokers_store_really_held_what_waited_for_somebody_who_is_away(busy: Captured) -> None:
    queued = [payload for topic, payload in busy.wire if topic.endswith("/attendance") and payload in busy.where["broker's store"]]
    assert queued
    seen = Haystack(busy.where["broker's store"]).bytes
    assert all(entry.envelope is not None and entry.envelope.ciphertext in seen for entry in Batch.parse(queued[-1]).entries)


def test_the_search_finds_what_is_planted_in_the_brokers_store(busy: Captured) -> None:
    for relay in busy.site.relays:
        relay.terminate()
        relay.wait(30)
    what = planted(1)
    with busy.peer("door-b") as door:
        for piece in what.pieces.values():
            door.publish("blink/v1/acme/door-b/attendance", piece)
    busy.broker.stop()
    store = b"".join(path.read_bytes() for path in sorted(busy.broker.store.rglob("*")) if path.is_file())
    busy.broker.start()
    assert missed(store, what) == set()


def test_the_search_finds_what_is_planted_in_the_database(busy: Captured) -> None:
    what, texts = planted(2), planted(3)
    with psycopg.connect(busy.database.url) as connection:
        for name, piece in what.pieces.items():
            connection.execute("INSERT INTO certificates VALUES ('planted', %s, %s)", (name, piece))
        for name, text in texts.texts().items():
            connection.execute("INSERT INTO relay_secrets VALUES (%s, %s)", (name, text))
    content = dump(busy.database)
    assert missed(content, what) == set()
    assert missed(content, texts) == set()


def test_the_search_finds_what_is_planted_in_a_log(busy: Captured) -> None:
    """By clients that call themselves so: the broker writes down who comes."""
    what = planted(4)
    called = [""]
    for text in what.texts().values():
        if len(called[-1]) + len(text) > LONGEST_NAME:
            called.append("")
        called[-1] += f" {text}"
    for name in called:
        with Peer(busy.broker.relay_port, busy.broker.ca, busy.relay_files, name):
            pass
    assert missed(logs(busy), what) == set()


def missed(content: bytes, what: Planted) -> set[str]:
    return set(what.pieces) - Haystack(content).found(what.secrets)


def test_nothing_travels_in_the_open_but_what_the_readme_says_that_others_learn(busy: Captured) -> None:
    """Its table of parties is made from these: ids and numbers, sizes, certificates, the keyring behind its password, words about chains."""
    found: dict[str, set[str]] = {}
    for topic, payload in busy.wire:
        if payload != MARK:
            found.setdefault(topic.split("/")[-1], set()).update(members(json.loads(payload)))
    assert found.keys() == OPEN.keys()
    assert {suffix: sorted(names - OPEN[suffix]) for suffix, names in found.items()} == {suffix: [] for suffix in OPEN}


def test_the_database_has_no_column_for_a_time_of_day_or_a_name(busy: Captured) -> None:
    with psycopg.connect(busy.database.url) as connection:
        tables = dict[str, list[tuple[str, str]]]()
        for table, column, kind in connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            tables.setdefault(table, []).append((column, kind))
        clear = {table for table in tables if table.startswith("mobile_")}  # the origin's app, where the operator wants it
        filled = {table for table in tables if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()}  # type: ignore[arg-type]
        dates = {row for table, column in DATES for (row,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}")}  # type: ignore[arg-type]
    assert not clear & filled
    kinds = {kind for table, columns in tables.items() if table not in clear for _, kind in columns}
    assert kinds == {"text", "bytea", "bigint", "boolean", "integer"}
    assert dates and all(DATE.fullmatch(one) for one in dates)


def members(value: object, path: str = "") -> set[str]:
    """Paths of everything in a JSON value; what is named by data (digests) counts once."""
    if isinstance(value, dict) and value:
        return {one for name, inner in value.items() for one in members(inner, f"{path}.{DIGEST.sub('*', name)}")}
    if isinstance(value, list) and value:
        return {one for inner in value for one in members(inner, path)}
    return {path.removeprefix(".")}
