"""Standing aside while somebody is registered: by the lease in the database, and never for good."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blinkd.clock import Instant
from blinkd.store.database import Store
from blinkd.store.lease import LEASE_S, RegistrationLease
from blinkd.supervision.aside import MOST_S, StandAside
from tests.unit.store.stores import open_store

NOW = Instant(datetime(2026, 3, 2, 8, 0, tzinfo=UTC), 1000.0, "boot-1", "synced")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "state") as opened:
        yield opened


def later(seconds: float) -> Instant:
    return replace(NOW, boot_s=NOW.boot_s + seconds)


def test_a_lease_holds_until_it_is_given_back_or_not_renewed(store: Store) -> None:
    lease = RegistrationLease(store.preferences)
    assert not lease.in_force(NOW)
    lease.renew(NOW)
    assert lease.in_force(NOW)
    assert lease.in_force(later(LEASE_S - 1))
    assert not lease.in_force(later(LEASE_S))
    lease.renew(later(20))
    assert lease.in_force(later(LEASE_S + 1))
    lease.end()
    assert not lease.in_force(later(21))


def test_a_lease_is_seen_by_another_process_whose_store_is_open_already(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path / "state") as daemon:
        seen = RegistrationLease(daemon.preferences)
        assert not seen.in_force(NOW)
        RegistrationLease(store.preferences).renew(NOW)
        assert seen.in_force(NOW)


@pytest.mark.parametrize(
    "said",
    [
        '{"boot_id": "boot-0", "until_s": 1010.0}',  # of before the restart
        '{"boot_id": "boot-1", "until_s": 9999.0}',  # longer than any that is given out
        '{"boot_id": "boot-1", "until_s": NaN}',
        '{"boot_id": "boot-1"}',
        "[]",
        "nonsense",
    ],
)
def test_what_is_no_lease_keeps_no_door_shut(store: Store, said: str) -> None:
    store.preferences.set("registration_lease", said)
    assert not RegistrationLease(store.preferences).in_force(NOW)


def test_it_says_once_that_it_stands_aside_and_once_that_it_is_back() -> None:
    held = False
    aside = StandAside(lambda: held, lambda: 0.0)
    assert [aside.look(), aside.now] == [False, False]
    held = True
    assert [aside.look(), aside.now, aside.look(), aside.now] == [True, True, False, True]
    held = False
    assert [aside.look(), aside.now, aside.look()] == [True, False, False]


def test_a_lease_that_is_renewed_for_ever_does_not_keep_the_door_shut_for_ever() -> None:
    held, time = True, 0.0
    aside = StandAside(lambda: held, lambda: time)
    aside.look()
    time = MOST_S - 1
    assert not aside.look()
    assert aside.now
    time = MOST_S
    assert aside.look()
    assert not aside.now
    time = 10 * MOST_S
    aside.look()
    assert not aside.now, "and it does not begin again while the lease was never given back"
    held = False
    aside.look()
    held = True
    aside.look()
    assert aside.now
