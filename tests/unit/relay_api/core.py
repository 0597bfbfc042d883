"""Stands in for the relay's core: keeps what comes, refuses what it is told to, and answers in the core's own values."""

import hashlib

from blinkd.sync.messages import Batch, Changes, Page, PagedChange, Receipt, Rejected, Settled, Stored


class FakeCore:
    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.changes: list[PagedChange] = []
        self.certificates: dict[str, bytes] = {}
        self.refuse: tuple[Rejected, ...] = ()

    def attendance(self, batch: Batch) -> Receipt:
        if self.refuse:
            return Receipt(rejected=self.refuse)
        self.batches.append(batch)
        return Receipt(attendance=Stored(batch.book, batch.entries[-1].seq, batch.hashes()[-1]))

    def people(self, changes: Changes) -> Receipt:
        if self.refuse:
            return Receipt(rejected=self.refuse)
        digest = hashlib.sha256(changes.certificate).hexdigest()
        self.certificates[digest] = changes.certificate
        settled = []
        for change in changes.changes:
            version = len(self.changes) + 1
            self.changes.append(PagedChange(change, changes.terminal, version, digest))
            settled.append(Settled(change.id, change.edit, "stored", version))
        return Receipt(people=tuple(settled))

    def page(self, org: str, since: int, limit: int) -> Page:  # noqa: ARG002  it knows one organisation
        later = [one for one in self.changes if one.version > since]
        found = tuple(later[:limit])
        upto = found[-1].version if found else since
        certificates = {one.certificate: self.certificates[one.certificate] for one in found}
        return Page("0", since, upto, len(self.changes), len(later) > limit, certificates, found)
