"""Two terminals, two relays, a real broker and a real PostgreSQL: what is recorded at one place is where it belongs, once."""

import json
from typing import Any

import numpy as np
import psycopg

from blinkd.crypto.envelope import Envelope
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.unlocked import unlock
from blinkd.measure.servers.mosquitto import Mosquitto
from blinkd.sync.messages import record_of
from blinkd.sync.records import unpack_entry
from tests.integration.sync.site import PASSWORD, Site
from tests.unit.store.stores import MODEL, sample, vector


def stored(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT b.terminal, b.book, e.seq, e.kid, e.iv, e.tag, e.ciphertext, e.missing FROM entries e JOIN books b ON b.id = e.book_id "
            "ORDER BY b.terminal, e.seq"
        ).fetchall()


def opened(site: Site) -> dict[str, list[dict[str, Any]]]:
    """What the organisation reads in the relay's table, by terminal; everything in it opens."""
    found: dict[str, list[dict[str, Any]]] = {}
    with site.keyring.opened(PASSWORD) as secrets:
        sealer = Sealer(unlock(site.keyring, secrets), "reader")
    assert site.database_url is not None
    for terminal, book, seq, kid, iv, tag, ciphertext, missing in stored(site.database_url):
        assert missing is None
        content = sealer.open(Envelope(ciphertext, iv, tag, 2, kid), "entry", record_of(terminal, book, seq))
        entry = unpack_entry(content)
        assert entry.seq == seq
        found.setdefault(terminal, []).append(dict(entry.content))
    return found


def test_who_is_enrolled_at_one_door_is_known_at_the_other_and_every_punch_arrives_once(site: tuple[Site, Mosquitto]) -> None:
    here, _ = site
    a, b = here.terminal("door-a"), here.terminal("door-b")
    with a.open() as store:
        store.people.enrol("E-1", "Ann Example", [sample(1), sample(2)])
        clerk = a.clerk(store)
        for _ in range(250):
            clerk.attend("E-1", 0.7, {})
    here.start_relay()
    here.start_relay()
    here.await_relays()
    sent = a.now()
    assert sent.returncode == 0, sent.stdout + sent.stderr
    fetched = b.now()
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    with a.open() as store, b.open() as other:
        assert other.people.get("E-1").name == "Ann Example"
        assert other.people.get("E-1").subject == store.people.get("E-1").subject
        vectors = [template.vector for template in other.people.templates(MODEL)]
        assert len(vectors) == 2
        assert any(np.allclose(one, vector(1), atol=1e-6) for one in vectors)
        other.people.change("E-1", name="Ann Elsewhere")
        b.clerk(other).attend("E-1", 0.8, {})
        punches = {"door-a": [p.content() for p in store.book.punches()], "door-b": [p.content() for p in other.book.punches()]}
    assert b.now().returncode == 0
    assert a.now().returncode == 0
    with a.open() as store:
        assert store.people.get("E-1").name == "Ann Elsewhere"
        assert store.outbox.first() == store.outbox.end()
    held = opened(here)
    assert {name: [one for one in entries if one["kind"] == "punch"] for name, entries in held.items()} == punches
    status = json.loads(a.run("sync", "status", "--json").stdout)
    assert (status["attendance"]["pending"], status["people"]["pending"], status["quarantined"], status["conflicts"]) == (0, 0, [], [])
