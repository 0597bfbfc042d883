"""The verbs sync …, where no broker is needed."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.cli import sync
from blinkd.errors import StoreError
from blinkd.settings import Settings, SyncSettings


@pytest.fixture
def signals() -> Iterator[None]:
    """As they were afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_being_hurried_before_the_database_is_open_does_not_end_the_sync_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []

    def opened(*_: object, **__: object) -> None:
        found.append(signal.getsignal(signal.SIGUSR1))
        raise StoreError("enough is seen")

    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    monkeypatch.setattr(sync.Store, "open", opened)
    with pytest.raises(StoreError, match="enough"):
        sync._work(Settings(state_dir=tmp_path, sync=SyncSettings(broker="broker.example")), lambda _: True, threading.Event())
    assert found == [signal.SIG_IGN]
