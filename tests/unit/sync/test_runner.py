"""The sync process and the files that it begins with."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from blinkd.clock import SystemClock
from blinkd.crypto.authority import Authority
from blinkd.crypto.installation import admit
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.unlocked import unlock
from blinkd.errors import ConfigError
from blinkd.settings import Settings, StoreSettings, SyncSettings
from blinkd.store.database import Store, make_folder
from blinkd.sync.link import Arrived, Connected
from blinkd.sync.messages import ChainState, Receipt, Rejected, Settled, Status, Stored
from blinkd.sync.runner import Runner, read_state

ORG, PASSWORD = "acme", "correct horse battery staple"


@dataclass
class Link:
    """A connection that is never made. started: called when it would be."""

    started: Callable[[], None]

    def start(self) -> None:
        self.started()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None: ...

    def hurry(self) -> None: ...

    def stop(self, topic: str | None = None, payload: bytes = b"") -> None: ...


@dataclass
class Place:
    """A terminal that is certified. admit: give it another certificate."""

    settings: Settings
    store: Store
    admit: Callable[[], None]

    def runner(self) -> Runner:
        return Runner(self.settings, self.store, SystemClock())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    authority, file = Authority.create(tmp_path / "ca", ORG), KeyringFile.create(ORG, PASSWORD, date(2026, 1, 1))
    settings = Settings(state_dir=tmp_path / "state", sync=SyncSettings(broker="broker.example"))
    make_folder(settings.state_dir)

    def certified() -> None:
        with file.opened(PASSWORD) as opened:
            admit(settings.state_dir, settings.terminal.id, authority, file, unlock(file, opened))

    with Store.open(settings.state_dir, StoreSettings()) as store:
        store.book.begin()
        certified()
        yield Place(settings, store, certified)


def ended_by_itself(runner: Runner, meanwhile: Callable[[], None]) -> bool:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    runner.run(Link(meanwhile), stopped)
    return asked <= 2


def test_it_ends_when_another_certificate_is_installed_so_that_it_is_started_with_that(place: Place) -> None:
    assert ended_by_itself(place.runner(), place.admit)


def test_it_goes_on_while_the_certificate_stays_and_when_its_file_is_gone(place: Place) -> None:
    assert not ended_by_itself(place.runner(), contextlib.nullcontext)
    assert not ended_by_itself(place.runner(), (place.settings.state_dir / "terminal.pem").unlink)


@pytest.mark.parametrize("name", ["ca.pem", "terminal.pem"])
def test_a_certificate_that_is_missing_is_named_with_what_puts_it_there(place: Place, name: str) -> None:
    (place.settings.state_dir / name).unlink()
    with pytest.raises(ConfigError, match=f"{name}: cannot be read.*blinkd fleet install"):
        place.runner()


def test_a_relay_that_refuses_the_certificate_is_the_reason_that_is_said(place: Place) -> None:
    runner = place.runner()
    receipt = Receipt(rejected=(Rejected("attendance", None, "certificate", "the certificate of acme/terminal-1 was revoked"),))

    def refused() -> None:
        runner.happened(Connected())
        runner.happened(Arrived(f"blink/v1/{ORG}/{place.settings.terminal.id}/receipt", receipt.to_bytes(), lambda: None))

    said = []

    def stopped() -> bool:
        said.append(runner.reason)
        return len(said) > 2

    runner.run(Link(refused), stopped)
    assert said[1:] == ["", "the relay refuses what is sent: the certificate of acme/terminal-1 was revoked"]


def while_running(place: Place, *receipts: Receipt, steps: int = 5) -> Runner:
    """A terminal's sync process to which a relay has said this."""
    runner = place.runner()

    def said() -> None:
        runner.happened(Connected())
        for receipt in receipts:
            runner.happened(Arrived(f"blink/v1/{ORG}/{place.settings.terminal.id}/receipt", receipt.to_bytes(), lambda: None))

    left = iter(range(steps))
    runner.run(Link(said), lambda: next(left, None) is None)
    return runner


def stored(place: Place, upto: int) -> Receipt:
    outbox = place.store.outbox
    return Receipt(Stored(outbox.book() or "", upto, outbox.hash_of(upto) or b""), chain=ChainState("ok", ""))


def test_of_receipts_that_wait_together_the_last_counts(place: Place) -> None:
    for number in range(3):
        place.store.book.append("note", {"number": number}, SystemClock().now())
    while_running(place, *(stored(place, upto) for upto in range(place.store.outbox.end())))
    assert place.store.outbox.counts()["PENDING"] == 0


@pytest.mark.parametrize(
    "later",
    [
        Receipt(),
        Receipt(Stored("another", 9, bytes(32)), chain=ChainState("ok", "")),
        Receipt(Stored("book", 2, bytes(32)), chain=ChainState("ok", "")),
        Receipt(Stored("book", 9, bytes(32))),
    ],
)
def test_a_receipt_is_heeded_where_the_next_says_less(later: Receipt) -> None:
    assert not Receipt(Stored("book", 3, bytes(32)), chain=ChainState("ok", "")).is_covered_by(later)


def test_a_receipt_that_says_more_than_how_much_is_stored_is_heeded_whatever_follows() -> None:
    stored, later = Stored("book", 3, bytes(32)), Receipt(Stored("book", 3, bytes(32)), chain=ChainState("ok", ""))
    assert Receipt(stored).is_covered_by(later)
    assert not Receipt(stored, (Settled("aa", 1, "stored", 5),)).is_covered_by(later)
    assert not Receipt(stored, rejected=(Rejected("attendance", 3, "signature", "no"),)).is_covered_by(later)


def test_a_gap_in_the_chain_is_told_to_the_others_and_a_receipt_for_people_does_not_end_the_alert(place: Place) -> None:
    told: list[Status] = []

    class Listening(Link):
        def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
            if retain and topic.endswith("/status"):
                told.append(Status.parse(payload))

    runner = place.runner()
    gap = Receipt(chain=ChainState("gap", "entry 3 is missing; 7 is here"))

    def said() -> None:
        runner.happened(Connected())
        for receipt in (gap, Receipt(people=(Settled("aa", 1, "stored", 5),))):
            runner.happened(Arrived(f"blink/v1/{ORG}/{place.settings.terminal.id}/receipt", receipt.to_bytes(), lambda: None))

    left = iter(range(4))
    runner.run(Listening(said), lambda: next(left, None) is None)
    assert [one.health.get("chain") for one in told if one.online] == [None, "gap"]
    assert (read_state(place.settings.state_dir) or {})["chain"] == {"state": "gap", "detail": "entry 3 is missing; 7 is here"}
