"""What lies in a relay's database, as it lies there; and what the organisation, which has the keys, reads in it."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from blinkd.crypto.envelope import VERSION, Envelope
from blinkd.crypto.sealing import Keys, Sealer
from blinkd.relay.connections import Connections
from blinkd.sync.messages import Change, record_of
from blinkd.sync.records import ENTRY, PERSON, unpack_entry, unpack_person, unpack_template

READER = "reader"  # name of whoever opens and seals nothing: each envelope says by itself whose keys it was sealed with
SHORTEST_NEEDLE = 5  # bytes; 6 characters of base64, which stand in 50 kB of random ones once in a million times
SHOWN_BYTES = 16  # of a ciphertext


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry of a terminal's book at the relay."""

    terminal: str
    book: str
    seq: int
    envelope: Envelope

    def as_json(self) -> dict[str, Any]:
        """What anybody sees who can read the table."""
        return {"terminal": self.terminal, "seq": self.seq, **_outside(self.envelope)}


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record of the registry at the relay. version: of the registry, at which it last changed; terminal: that changed it."""

    terminal: str
    version: int
    change: Change

    def as_json(self) -> dict[str, Any]:
        """What anybody sees who can read the table; a record that is no secret, as a certificate is none, has no envelope."""
        seen = {"terminal": self.terminal, "version": self.version, "type": self.change.type, "record": self.change.id}
        return seen if self.change.envelope is None else seen | _outside(self.change.envelope)


def entries(database: Connections) -> list[EntryRow]:
    """Every entry that holds an envelope, by terminal and number. Raises StoreError."""
    with database.transaction(reading=True) as cursor:
        cursor.execute(
            "SELECT b.terminal, b.book, e.seq, e.kid, e.iv, e.tag, e.ciphertext FROM entries e JOIN books b ON b.id = e.book_id "
            "WHERE e.ciphertext IS NOT NULL ORDER BY b.terminal, b.book, e.seq"
        )
        return [
            EntryRow(terminal, book, seq, Envelope(bytes(ciphertext), bytes(iv), bytes(tag), VERSION, kid))
            for terminal, book, seq, kid, iv, tag, ciphertext in cursor.fetchall()
        ]


def records(database: Connections) -> list[RecordRow]:
    """The registry as it stands, in the order in which it changed. Raises StoreError."""
    with database.transaction(reading=True) as cursor:
        cursor.execute("SELECT terminal, version, change FROM registry ORDER BY version")
        return [RecordRow(terminal, version, Change.of(json.loads(change))) for terminal, version, change in cursor.fetchall()]


def read_entry(row: EntryRow, keys: Keys) -> dict[str, Any]:
    """The entry's content, for whoever has the keys. Raises EnvelopeRejected."""
    return dict(unpack_entry(Sealer(keys, READER).open(row.envelope, ENTRY, record_of(row.terminal, row.book, row.seq))).content)


def read_record(row: RecordRow, keys: Keys) -> dict[str, Any] | None:
    """What of a person or template may be printed; None for a record without an envelope. Raises EnvelopeRejected."""
    if row.change.envelope is None:
        return None
    data = Sealer(keys, READER).open(row.change.envelope, row.change.type, row.change.id)
    if row.change.type == PERSON:
        person = unpack_person(data)
        return {"person_id": person.id, "name": person.name, "subject": person.subject}
    template = unpack_template(data)
    return {"person_id": template.person_id, "model": template.model_id, "dimension": template.vector.size}


def in_clear(haystacks: Iterable[bytes], needles: Iterable[bytes]) -> list[bytes]:
    """The needles that stand in any of the haystacks, as they are or in base64, at whichever of its three alignments they begin.

    Raises ValueError for a needle of fewer than SHORTEST_NEEDLE bytes.
    """
    forms = {needle: [needle, *_in_base64(needle)] for needle in needles}
    found = {needle for hay in haystacks for needle, those in forms.items() if any(form in hay for form in those)}
    return [needle for needle in forms if needle in found]


def _in_base64(needle: bytes) -> Sequence[bytes]:
    """Those characters of its base64, of 6 bits each, that do not depend on the bytes before and after it: one form for each alignment."""
    if len(needle) < SHORTEST_NEEDLE:
        raise ValueError(f"{needle!r}: so short that it is found by chance")
    return [base64.b64encode(bytes(before) + needle)[(before * 8 + 5) // 6 : (before + len(needle)) * 8 // 6] for before in range(3)]


def _outside(envelope: Envelope) -> dict[str, Any]:
    return {"kid": envelope.kid, "bytes": len(envelope.ciphertext), "ciphertext": envelope.ciphertext[:SHOWN_BYTES].hex()}
