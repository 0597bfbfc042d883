import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.supervision.notify import Notifier
from tests.services.manager import Manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(tmp_path / "notify")
    yield listening
    listening.close()


class Times:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_said_reaches_systemd_and_the_variables_reach_no_child(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/root"}
    notifier = Notifier(environ)
    assert environ == {"HOME": "/root"}
    notifier.ready()
    notifier.more_time(60)
    notifier.stopping()
    notifier.reloading()
    first, second, third, fourth = manager.heard()
    assert (first, second, third) == ("READY=1", "EXTEND_TIMEOUT_USEC=60000000", "STOPPING=1")
    assert fourth.startswith("RELOADING=1\nMONOTONIC_USEC=")
    notifier.close()


def test_the_watchdog_is_fed_at_a_quarter_of_its_patience_and_only_when_work_was_done(manager: Manager) -> None:
    times = Times()
    notifier = Notifier({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "20000000"}, times)
    for _ in range(1000):  # frames of 20 ms
        notifier.alive()
        times.now += 0.02
    assert manager.heard() == ["WATCHDOG=1"] * 4
    times.now += 100
    assert manager.heard() == []
    notifier.close()


def test_a_watchdog_that_waits_for_another_process_is_not_fed_by_this_one(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"})
    notifier.alive()
    assert manager.heard() == []
    notifier.close()


def test_a_status_is_one_line_and_said_when_it_changes(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(manager.path)})
    notifier.status("working\nREADY=1")
    notifier.status("working\nREADY=1")
    notifier.status("x" * 5000)
    first, second = manager.heard()
    assert first == "STATUS=working READY=1"
    assert second == "STATUS=" + "x" * 400
    notifier.close()


def test_without_systemd_or_with_one_that_is_gone_nothing_is_said_and_nothing_raised(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        notifier = Notifier(dict(environ))
        notifier.ready()
        notifier.alive()
        notifier.close()
        notifier.close()


def test_a_manager_that_does_not_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"}, times := Times())
        for number in range(1000):  # a kernel keeps ten or some hundred of them; the next one would wait for ever
            notifier.status(f"working, {number}")
            notifier.alive()
            times.now += 1
        assert deaf.recv(100) == b"STATUS=working, 0"
        notifier.close()
