"""Entries as they are put into messages."""

from datetime import date
from typing import cast

import pytest

from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import unlock
from blinkd.store.outbox import Outbox, Parcelled
from blinkd.sync.messages import LONGEST_CERTIFICATE, MOST, Batch
from blinkd.sync.shelf import BookShelf
from blinkd.sync.wire import GREATEST, LONGEST_MESSAGE

ORG, TERMINAL, PASSWORD = "o", "t" * 62, "correct horse battery staple"  # a certificate's name has room for 64
BOOK = "12345678-1234-1234-1234-123456789012"


class Book:
    """An outbox whose entries are as long as is asked for. lengths: of their contents, in bytes, one after the other and over again."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths

    def book(self) -> str:
        return BOOK

    def hash_of(self, _: int) -> bytes:
        return bytes(32)

    def read(self, first: int, limit: int) -> list[Parcelled]:
        content = [{"text": "x" * length} for length in self.lengths]
        return [
            Parcelled(first + place, b"\xff" * 32, b"\xff" * 32, content[place % len(content)], bytes(16), None, None)
            for place in range(limit)
        ]


@pytest.mark.parametrize("lengths", [(10,), (2000, *[10] * 7), (2000,), (10_000,), (100_000, 10), (250_000, *[10] * 99)])
def test_no_batch_is_longer_than_the_longest_message_whatever_its_entries_hold(lengths: tuple[int, ...]) -> None:
    file = KeyringFile.create(ORG, PASSWORD, date(2026, 1, 1))
    with file.opened(PASSWORD) as opened:
        sealer = Sealer(unlock(file, opened), TERMINAL)
    outbox, certificate = cast("Outbox", Book(*lengths)), b"\xff" * LONGEST_CERTIFICATE
    parcel = BookShelf(outbox, sealer, Signer(bytes(32)), ORG, TERMINAL, certificate, MOST).parcel(GREATEST - MOST, alone=False)
    assert parcel is not None
    assert len(parcel.payload) <= LONGEST_MESSAGE
    assert len(Batch.parse(parcel.payload).entries) == parcel.last - parcel.first + 1
