"""After a busy run on the real broker and the real database, nothing that leaves the terminals tells who came, when, or by which face."""

from collections.abc import Iterator

import psycopg
import pytest

from blinkd.sync.messages import Batch
from tests.integration.sync.captured import Captured, captured, dump, logs
from tests.integration.sync.planting import Planted, planted
from tests.integration.sync.search import Haystack
from tests.services.mqtt import Peer
from tests.services.postgresql import PostgreSQL

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


def test_the_brokers_store_really_held_what_waited_for_the_relay(busy: Captured) -> None:
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
