"""What the HTTP API asks of the relay's core: to take sealed records in exactly as over MQTT, and to hand out the registry's pages."""

from typing import Protocol

from blinkd.errors import RequestRefused
from blinkd.sync.messages import CERTIFICATE, Batch, Changes, Page, Receipt, Rejected, record_of


class SealedRecords(Protocol):
    """The relay's core. Every method verifies, stores, commits, and then answers; raises StoreError when the database is away."""

    def attendance(self, batch: Batch) -> Receipt:
        """Take in entries of a book."""

    def people(self, changes: Changes) -> Receipt:
        """Take in changes of the registry."""

    def page(self, org: str, since: int, limit: int) -> Page:
        """The registry's records that changed after a version."""


def settled_attendance(batch: Batch, receipt: Receipt) -> list[str]:
    """Record ids of the entries that are stored. Raises RequestRefused for a message that was refused as a whole."""
    refuse_rejected(receipt)
    refused = {one.seq for one in receipt.rejected}
    return [record_of(batch.terminal, batch.book, entry.seq) for entry in batch.entries if entry.seq not in refused]


def settled_people(receipt: Receipt) -> list[str]:
    """Ids of the records that stand as they were sent; the receipt says what became of the others. Raises as `settled_attendance`."""
    refuse_rejected(receipt)
    return list(dict.fromkeys(one.id for one in receipt.people if one.state == "stored"))


def refuse_rejected(receipt: Receipt) -> None:
    """Raises RequestRefused for a message that was refused as a whole: 403 because of the sender's certificate, else 422."""
    for one in receipt.rejected:
        if one.seq is None:
            raise RequestRefused(_status(one), one.reason, one.words)


def _status(rejected: Rejected) -> int:
    return 403 if rejected.reason == CERTIFICATE else 422
