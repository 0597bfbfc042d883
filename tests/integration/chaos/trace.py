"""What was said about one person: for whoever looks for the reason of a failure."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from blinkd.crypto.envelope import Envelope
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.unlocked import unlock
from blinkd.errors import EnvelopeRejected
from blinkd.sync.records import unpack_person
from tests.integration.chaos.organisation import Chaos
from tests.integration.sync.site import PASSWORD

SUFFIXES = frozenset({"people", "receipt", "page"})


def told(chaos: Chaos, person_id: str) -> Iterator[str]:
    """Every message of the run that names the person's record, then how it stands at the relay and at both doors."""
    with chaos.site.keyring.opened(PASSWORD) as secrets:
        keys = unlock(chaos.site.keyring, secrets)
    record, sealer = keys.person_record(person_id), Sealer(keys, "reader")

    def content(change: dict[str, Any]) -> str:
        if change.get("envelope") is None:
            return "deleted"
        try:
            person = unpack_person(sealer.open(Envelope.of(change["envelope"]), "person", record))
        except EnvelopeRejected as error:
            return str(error)
        return f"{person.name} {person.status} {','.join(person.groups)}"

    yield f"{person_id} is {record}"
    for at, topic, payload in chaos.parrot.all:
        if record.encode() not in payload:
            continue
        message, (terminal, suffix) = json.loads(payload), topic.split("/")[3:5]
        before = f"{time.strftime('%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d} {terminal} {suffix}"
        for change in message.get("changes", []):
            if change["id"] == record:
                told = {key: change.get(key) for key in ("base", "edit", "again", "terminal", "version")}
                yield f"{before} {told} {content(change)} sig {change['signature'][:8]}"
        for answer in message.get("people", []):
            if answer["id"] == record:
                yield f"{before} {answer}"
    with psycopg.connect(chaos.database.url) as connection:
        for row in connection.execute("SELECT terminal, state, version, change FROM history WHERE record = %s ORDER BY version", (record,)):
            change = json.loads(row[3])
            yield f"history: {row[:3]} base {change['base']} edit {change['edit']} again {change.get('again')} {content(change)}"
    for terminal in chaos.terminals:
        with contextlib.closing(sqlite3.connect(terminal.folder / "blinkd.db")) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM registry WHERE record = ?", (record,)).fetchall()
            rows += connection.execute("SELECT name, status FROM people WHERE id = ?", (person_id,)).fetchall()
            yield f"{terminal.name}: {[dict(row) for row in rows]}"
