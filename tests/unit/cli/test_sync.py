"""The verbs sync …, where no broker is needed."""

import signal
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from blinkd.cli import sync
from blinkd.crypto.authority import Authority
from blinkd.crypto.chain import canonical
from blinkd.crypto.installation import admit
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.unlocked import unlock
from blinkd.errors import StoreError
from blinkd.settings import Settings, StoreSettings, SyncSettings
from blinkd.store.database import Store, make_folder
from blinkd.store.lock import StateLock
from blinkd.sync.runner import LOCK_FILE, STATE_FILE
from tests.integration.faces.commands import blinkd
from tests.unit.cli.passwords import PASSWORD


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


def certified(tmp_path: Path) -> tuple[Path, KeyringFile]:
    """The state folder of a terminal, and its organisation's keyring."""
    authority, file = Authority.create(tmp_path / "ca", "acme"), KeyringFile.create("acme", PASSWORD, date(2026, 1, 1))
    state = tmp_path / "state"
    make_folder(state)
    with Store.open(state, StoreSettings()), file.opened(PASSWORD) as opened:
        admit(state, "terminal-1", authority, file, unlock(file, opened))
    return state, file


@pytest.mark.usefixtures("signals")
def test_sync_now_says_why_it_could_not_send(tmp_path: Path) -> None:
    state, _ = certified(tmp_path)
    done = blinkd("sync", "now", "--wait", "1", state=state, BLINKD_SYNC__BROKER="127.0.0.1", BLINKD_SYNC__PORT="1")
    assert done.code == 1
    assert "still waiting: 127.0.0.1:1: Connection refused" in done.out


def test_a_terminal_that_a_rotation_has_left_out_says_so_with_the_remedy(tmp_path: Path) -> None:
    state, file = certified(tmp_path)
    rotated = file.rotated(PASSWORD, date(2026, 2, 1))
    assert "epoch" not in blinkd("sync", "status", "--json", state=state, BLINKD_SYNC__BROKER="broker.example").json["reason"]
    write_whole(state / "keyring.json", canonical(rotated.to_json()))  # as the registry brings it, without a grant
    reason = blinkd("sync", "status", "--json", state=state, BLINKD_SYNC__BROKER="broker.example").json["reason"]
    assert f"no key of epoch {rotated.current}" in reason
    assert "keys join" in reason


def test_status_names_what_the_relay_does_not_take_and_what_it_finds_wrong_with_the_chain(tmp_path: Path) -> None:
    state, _ = certified(tmp_path)
    with Store.open(state, StoreSettings()) as store:
        store.people.enrol("E-1", "Sam Sample", [])
        store.registry.note_changes(lambda *_: "aa" * 16, 10)
        store.registry.settle("aa" * 16, 1, 0, "bad_content")
    write_whole(state / STATE_FILE, b'{"connected": true, "chain": {"state": "gap", "detail": "entry 3 is missing; 7 is here"}}')
    with StateLock(state, LOCK_FILE):  # as while the sync process runs
        said = blinkd("sync", "status", state=state, BLINKD_SYNC__BROKER="broker.example").out
        value = blinkd("sync", "status", "--json", state=state, BLINKD_SYNC__BROKER="broker.example").json
    assert "the relay sees a gap in the chain: entry 3 is missing; 7 is here" in " ".join(said.split())
    assert "1 FAILED" in said and "bad_content" in said and "E-1" in said
    assert value["refused"] == [{"record": "aa" * 16, "type": "person", "id": "E-1", "reason": "bad_content"}]
