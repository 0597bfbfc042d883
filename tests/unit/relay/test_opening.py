"""A relay that is begun before its database."""

import threading

import pytest

from blinkd.errors import DatabaseAway, StoreError
from blinkd.measure.servers.ports import free_ports
from blinkd.relay.opening import once_there, open_connections


class Work:
    """Away for so many calls."""

    def __init__(self, away: int, error: type[StoreError] = DatabaseAway) -> None:
        self.away, self.error, self.calls = away, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.away:
            raise self.error("not yet")
        return "done"


def test_it_waits_for_a_database_that_comes_up_later() -> None:
    work = Work(2)
    assert once_there(work, threading.Event()) == "done"
    assert work.calls == 3


def test_it_does_not_wait_for_ever() -> None:
    with pytest.raises(DatabaseAway):
        once_there(Work(10**6), threading.Event(), patience_s=0.3)


def test_what_waiting_does_not_mend_is_said_at_once() -> None:
    work = Work(1, StoreError)
    with pytest.raises(StoreError, match="not yet"):
        once_there(work, threading.Event())
    assert work.calls == 1


def test_whoever_stops_it_meanwhile_is_heeded() -> None:
    stop = threading.Event()
    stop.set()
    assert once_there(Work(10**6), stop) is None


def test_a_server_that_does_not_answer_is_away() -> None:
    (port,) = free_ports(1)
    connections = open_connections({"DATABASE_URL": f"postgresql://u@127.0.0.1:{port}/x"})
    with pytest.raises(DatabaseAway, match="check that it runs"), connections.transaction():
        pass
