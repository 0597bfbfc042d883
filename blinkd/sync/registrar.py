"""People and templates between this terminal and the others: its own changes go to the relay, theirs come by pages."""

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from blinkd.clock import Clock, Instant
from blinkd.crypto.certificates import TerminalCertificate
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.signing import Signer, Verifier
from blinkd.errors import CertificateRefused, EnvelopeRejected, KeyMissing
from blinkd.store.database import Store
from blinkd.store.erasure import Hours
from blinkd.store.intake import Taken
from blinkd.store.registry import CONFLICT, Waiting
from blinkd.store.replica import PersonReplica, Replica
from blinkd.store.timeline import Incoming
from blinkd.sync.backoff import Backoff
from blinkd.sync.keeper import REVOCATION, Keeper
from blinkd.sync.messages import CERTIFICATE, MOST, OPEN_TYPES, Change, Changes, Page, PagedChange, Pull, Settled, change_signed
from blinkd.sync.records import PERSON, pack, unpack_person, unpack_template
from blinkd.sync.wire import dump

FIRST_WAIT_S, MOST_WAIT_S = 20.0, 300.0  # for an answer, before the question is asked again
CHANGES_AT_ONCE = 100  # in a message: templates have 2 kB
MOST_BYTES = 500_000  # of envelopes and open records in a message: with the rest and in base64 it stays below what brokers take
NOTE_AT_ONCE = 500  # changes that get their place in the registry in one transaction
NO_PERSON, UNKNOWN_KEY = "no_person", "unknown_key"  # reasons of the quarantine that may pass

log = logging.getLogger(__name__)


class RecordNames(Protocol):
    """The relay's names of records, which only the organisation can make."""

    def person_record(self, person_id: str) -> str:
        """Of a person."""

    def template_record(self, person_id: str, template_id: str) -> str:
        """Of a template, which begins with its person's."""


class Checker(Protocol):
    """Whose certificates count."""

    def check(self, der: bytes, org: str, terminal: str, at: Any = None) -> TerminalCertificate:  # noqa: ANN401  a datetime or None
        """The certificate, read. Raises CertificateRefused."""

    def revoke(self, said: Mapping[str, Any]) -> None:
        """Heed a revocation. Raises CertificateRefused for one that is none."""


class Registrar:
    """One connection's work on the registry. Times are monotonic seconds, handed in; messages are handed out. Nothing here waits."""

    def __init__(
        self,
        store: Store,
        names: RecordNames,
        sealer: Sealer,
        signer: Signer,
        checker: Checker,
        keeper: Keeper,
        certificate: bytes,
        org: str,
        terminal: str,
        hours: Hours,
        clock: Clock,
        send_changes: Callable[[bytes], None],
        send_pull: Callable[[bytes], None],
    ) -> None:
        self._store = store
        self._names = names
        self._sealer = sealer
        self._signer = signer
        self._checker = checker
        self._keeper = keeper
        self._certificate = certificate
        self._org, self._terminal = org, terminal
        self._hours: Hours = hours
        self._clock = clock
        self._send_changes, self._send_pull = send_changes, send_pull
        self._connected = False
        self._sent: dict[str, tuple[Waiting, str | None]] = {}  # by record: the change under way, and its envelope
        self._alone = False  # changes go one by one, for a message with several was rejected
        self._answer_by: float | None = None
        self._request: str | None = None
        self._page_by: float | None = None
        self._head = 0
        self._hoped = 0  # the head that was spoken of when the page that is awaited was asked for
        self._since = 0  # what that page begins after
        self._claimed = 0  # the latest version that this terminal had been told of then
        self._back = 0  # times that the relay did not know a version, until one is found that it knows
        self._common: tuple[int, str | None] = (0, None)  # the one that is asked about
        self._hopes = {NO_PERSON, UNKNOWN_KEY}  # of these, the ones that may have passed for something in quarantine
        self._epochs = keeper.epochs()  # when it was last looked at
        self._patience = Backoff(FIRST_WAIT_S, MOST_WAIT_S, FIRST_WAIT_S)

    @property
    def head(self) -> int:
        """The registry's newest version that the relay has spoken of."""
        return self._head

    @property
    def pulling(self) -> bool:
        """Whether an answer is awaited."""
        return self._request is not None or bool(self._sent)

    def connected(self, now: float) -> None:
        """Send what waits, and ask for what is new: pages that were missed are announced by the retained head only if there are any."""
        self._connected = True
        self._sent.clear()
        self._answer_by = self._request = self._page_by = None
        self._back = 0
        self._patience.reset()
        self._pull(now)
        self.work(now)

    def disconnected(self) -> None:
        """Nothing is sent until the next connection."""
        self._connected = False

    def due(self) -> float | None:
        """When `work` must be called at the latest."""
        return min((time for time in (self._answer_by, self._page_by) if time is not None), default=None)

    def work(self, now: float) -> None:
        """Send what has changed here; ask again where no answer came."""
        if not self._connected:
            return
        if self._page_by is not None and now >= self._page_by:
            self._pull(now)
        if self._answer_by is not None and now >= self._answer_by:
            self._sent.clear()
            self._answer_by = None
        if self._sent or self._request is not None or self._back or self._store.timeline.rewound():
            # one message at a time: what changes meanwhile is put together. Not before this terminal has heard what stands and which keys are in
            # force; and what a relay has lost is sent when all it has is here
            return
        registry = self._store.registry
        if self._keeper.refresh():
            for said in registry.published(REVOCATION).values():
                self._checker.revoke(said)
        if registry.changed():
            registry.note_changes(self._record_of, NOTE_AT_ONCE)
        changes: list[Change] = []
        size = 0
        for waiting in registry.waiting(1 if self._alone else CHANGES_AT_ONCE):
            change, failed = self._change(waiting)
            if change is None:
                registry.settle(waiting.record, waiting.edit, 0, failed)
                continue
            size += len(waiting.open or "") if change.envelope is None else len(change.envelope.ciphertext)
            if changes and size > MOST_BYTES:
                break
            self._sent[waiting.record] = (waiting, None if change.envelope is None else dump(change.envelope.to_json()).decode())
            changes.append(change)
        if changes:
            self._answer_by = now + self._patience.next_s()
            self._send_changes(Changes(self._org, self._terminal, self._certificate, tuple(changes)).to_bytes())

    def rejected(self, reason: str, now: float) -> None:
        """The relay does not take a message at all: its changes go one by one, and the one that is refused alone is set aside as FAILED."""
        if reason == CERTIFICATE or not self._sent:
            return  # it is no change's fault: all is sent again when the wait is over
        if len(self._sent) == 1:
            ((waiting, _),) = self._sent.values()
            self._store.registry.settle(waiting.record, waiting.edit, 0, reason)
        self._alone = len(self._sent) > 1 or self._alone
        self._sent.clear()
        self._answer_by = None
        self.work(now)

    def settled(self, answers: tuple[Settled, ...], now: float) -> None:
        """Heed what the relay says of changes."""
        at, registry = self._clock.now(), self._store.registry
        for answer in answers:
            waiting, lost = self._sent.get(answer.id, (None, None))
            if waiting is None or max(waiting.edit, 1) != answer.edit:
                continue  # of what was sent before the connection broke, or before the relay lost it: what waits now gets an answer of its own
            del self._sent[answer.id]
            if answer.state == "conflict":
                self._lost(answer, waiting, lost, at)
                continue
            if (
                answer.state != "rejected"
                and answer.version <= self._store.timeline.version()
                and not waiting.again
                and registry.waits(waiting)
            ):
                log.error("record %s: a receipt for version %d, which was another's; it is sent again", answer.id, answer.version)
                continue  # the page with that version would have settled it
            failed = f"{answer.reason or 'rejected'}" if answer.state == "rejected" else None
            epoch = None if lost is None or answer.state != "stored" else json.loads(lost)["kid"].partition(".")[0]
            registry.settle(answer.id, answer.edit, answer.version, failed, epoch)
        if not self._sent:
            self._answer_by = None
            self._patience.reset()
            self._alone = self._alone and registry.counts()["PENDING"] > 0
            if any(answer.state == "conflict" for answer in answers) and self._request is None:
                self._pull(now)
            self.work(now)

    def _lost(self, answer: Settled, waiting: Waiting, lost: str | None, at: Instant) -> None:
        """Another terminal's change stands. What it says comes by a page, which also tells whether it differs from this terminal's at all."""
        registry = self._store.registry
        if not registry.waits(waiting):
            return  # the page was here first; and where it let this terminal's change stand, that is sent again by the version it now knows
        if answer.version <= self._store.timeline.version() and not waiting.again:
            registry.lose(waiting, "", lost, at)
        else:
            registry.settle(answer.id, answer.edit, 0, CONFLICT)

    def announced(self, version: int, now: float) -> None:
        """The relay says how new the registry is."""
        self._head = version
        if self._request is None:  # also where it is no newer: a relay that was put back may have come to the same number by another way
            self._pull(now)

    def page(self, page: Page, now: float) -> None:
        """Take a page in, and ask for the next where there is one."""
        if page.request != self._request:
            return  # an answer to a question that was asked again
        if page.since != self._since:
            log.error(
                "registry: a page after version %d, where the one after %d was asked for; it is asked for again", page.since, self._since
            )
            return
        self._request = self._page_by = None
        self._patience.reset()
        if page.lost:
            self._back += 1
            self._common = (page.upto, page.mark) if page.mark is not None else self._store.timeline.known(self._back)
            self._pull(now)
            return
        if self._back:
            log.warning("the relay is an older copy, which knows nothing of what came after version %d: it is sent that again", page.since)
            self._store.timeline.rewind(*self._common)
            self._back = 0
        incoming = [self._incoming(one, page.certificates[one.certificate]) for one in page.changes]
        last = not page.more and page.upto == page.head
        taken = self._store.intake.take(
            *(self._terminal, incoming, page.upto, self._hours, self._clock.now(), self._seal_lost),
            mark=page.mark,
            last=last,
            claimed=self._claimed,
        )
        self._promise(taken)
        if taken.applied or taken.quarantined:
            log.info(
                "registry: version %d; %d applied, %d set aside, %d conflicts", page.upto, taken.applied, taken.quarantined, taken.conflicts
            )
        # what was announced before the page was asked for, and does not follow, is not asked after for ever
        self._head = page.upto if last and self._head <= self._hoped else max(self._head, page.head)
        if not last or page.upto < self._head:
            self._pull(now)
        else:
            self.try_again()
            if self._keeper.old_epochs():
                self._store.registry.seal_anew(self._terminal, self._keeper.epoch)
            self.work(now)
            registry = self._store.registry
            self._keeper.forget_unused({epoch: registry.sealed_in(epoch) for epoch in self._keeper.old_epochs()})

    def try_again(self) -> None:
        """Look once more at what is in quarantine for a reason that may have passed since it was last looked at."""
        self._promise(None)
        held, self._hopes = self._store.intake.held(self._hopes) if self._hopes else [], set()
        for start in range(0, len(held), MOST):
            incoming = [self._incoming(PagedChange.of(change), certificate) for change, certificate in held[start : start + MOST]]
            self._promise(self._store.intake.take(self._terminal, incoming, None, self._hours, self._clock.now(), self._seal_lost))

    def _promise(self, taken: Taken | None) -> None:
        """Note which reasons may have passed: people have come, or keys. All of a long quarantine after each page would take minutes."""
        if taken is not None and taken.people:
            self._hopes.add(NO_PERSON)
        if (epochs := self._keeper.epochs()) != self._epochs:
            self._epochs = epochs
            self._hopes.add(UNKNOWN_KEY)

    def _pull(self, now: float) -> None:
        self._request = secrets.token_hex(8)
        self._page_by = now + self._patience.next_s()
        self._since, mark = self._common if self._back else self._store.timeline.known()
        self._hoped, self._claimed = self._head, self._store.timeline.claimed()
        self._send_pull(Pull(self._org, self._terminal, self._since, MOST, self._request, mark).to_bytes())

    def _record_of(self, kind: str, local_id: str, person_id: str) -> str:
        return self._names.person_record(local_id) if kind == PERSON else self._names.template_record(person_id, local_id)

    def _change(self, waiting: Waiting) -> tuple[Change | None, str | None]:
        """The change to send; or None and why there is none."""
        envelope, said = None, None if waiting.open is None else json.loads(waiting.open)
        if waiting.local_id is not None:
            try:
                replica = self._store.registry.replica(waiting.type, waiting.local_id)
                if replica is None:
                    return None, "gone"  # it will be a deletion the next time
                envelope = self._sealer.seal(waiting.type, waiting.record, pack(replica))
            except (KeyMissing, EnvelopeRejected) as error:
                log.error("record %s cannot be sent: %s", waiting.record, error)
                return None, str(error)
        edit, again = max(waiting.edit, 1), bool(waiting.again)
        change = Change(waiting.record, waiting.type, waiting.version, edit, envelope, said, b"", waiting.admin, again)
        return replace(change, signature=self._signer.sign(change_signed(self._org, self._terminal, change))), None

    def _seal_lost(self, waiting: Waiting) -> str | None:
        """This terminal's form of a record that another one's takes the place of."""
        change, _ = self._change(waiting)
        return None if change is None or change.envelope is None else dump(change.envelope.to_json()).decode()

    def _incoming(self, paged: PagedChange, certificate: bytes) -> Incoming:
        change = paged.change
        replica: Replica | None = None
        refused: tuple[str, str] | None = None
        try:
            author = self._checker.check(certificate, self._org, paged.terminal)
            if not Verifier(author.signing).holds(change_signed(self._org, paged.terminal, change), change.signature):
                raise EnvelopeRejected("signature", f"{change.id}: not signed by terminal {paged.terminal}")
            if change.type in OPEN_TYPES:
                self._keeper.heed(change)
            elif change.envelope is not None:
                if change.envelope.kid.partition(".")[2] != paged.terminal:
                    raise EnvelopeRejected("bad_content", f"{change.id}: sealed in another terminal's name than it is signed in")
                content = self._sealer.open(change.envelope, change.type, change.id)
                replica = unpack_person(content) if change.type == PERSON else unpack_template(content)
                self._fits(change.id, replica)
        except CertificateRefused as error:
            refused = ("certificate", str(error))
        except EnvelopeRejected as error:
            refused = (error.reason, str(error))
        epoch = None if change.envelope is None else change.envelope.kid.partition(".")[0]
        said = change.open if refused is None else None
        return Incoming(
            change.id,
            change.type,
            paged.version,
            change.edit,
            paged.terminal,
            replica,
            refused,
            paged.to_json(),
            certificate,
            said,
            change.admin,
            epoch,
        )

    def _fits(self, record: str, replica: Replica) -> None:
        """Raise EnvelopeRejected when the record's name is not the one of what it holds."""
        if isinstance(replica, PersonReplica):
            wanted = self._names.person_record(replica.id)
        else:
            wanted = self._names.template_record(replica.person_id, replica.id)
        if wanted != record:
            raise EnvelopeRejected("bad_content", f"{record}: holds what belongs to another record")
