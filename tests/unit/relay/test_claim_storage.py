"""Claims in both kinds of database."""

from datetime import UTC, datetime, timedelta

import pytest

from blinkd.relay.api import claims
from blinkd.relay.api.claims import KEPT, ClaimStorage
from blinkd.relay.connections import OpenConnections
from blinkd.relay.migrate import migrate

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ONE, TWO, THREE = ("1" * 20, "2" * 20, "3" * 20)


@pytest.fixture
def storage(connections: OpenConnections) -> ClaimStorage:
    migrate(connections)
    return ClaimStorage(connections)


def test_a_claim_is_kept_with_its_newest_answer(storage: ClaimStorage) -> None:
    assert storage.find(ONE) is None
    assert not storage.answer(ONE, "a")
    assert storage.begin(ONE, '{"é": 1}', NOW)
    assert storage.begin(ONE, "another", NOW + timedelta(days=1)), "who waits already may ask again, and nobody in its place"
    assert storage.find(ONE) == ('{"é": 1}', None)
    assert storage.answer(ONE, "false")
    assert storage.answer(ONE, "true")
    assert storage.find(ONE) == ('{"é": 1}', "true")


def test_old_claims_make_room(storage: ClaimStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_CLAIMS", 2)
    assert [storage.begin(name, "r", NOW) for name in (ONE, TWO, THREE)] == [True, True, False]
    assert storage.begin(THREE, "r", NOW + KEPT + timedelta(microseconds=1))
    assert [storage.find(name) is None for name in (ONE, TWO, THREE)] == [True, True, False]
