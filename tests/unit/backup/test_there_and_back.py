"""A terminal's back-ups with a real database: made while others write, kept, put back."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from blinkd.attendance.proof import in_order, prove
from blinkd.backup import making
from blinkd.backup.contents import files_of
from blinkd.backup.making import Made, backups, check, folder_of, make
from blinkd.backup.restoring import RESTORED, key_by, restore
from blinkd.clock import SystemClock
from blinkd.crypto.at_rest import TEMPLATE_KEY
from blinkd.crypto.keyfile import CREDENTIALS_VARIABLE
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import keep, load, unlock
from blinkd.errors import BackupRefused, KeyMissing, StateBusy
from blinkd.settings import BackupSettings, Settings, TerminalSettings
from blinkd.store.database import Store
from blinkd.store.lock import StateLock
from tests.unit.store.stores import MODEL, clerk_of, sample, vector

PASSWORD = "correct horse battery staple"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PUNCHING = """
import sys
from pathlib import Path
from blinkd.clock import SystemClock
from blinkd.settings import AttendanceSettings, StoreSettings
from blinkd.store.database import Store
from tests.unit.store.stores import clerk_of
with Store.open(Path(sys.argv[1]), StoreSettings()) as store:
    clerk = clerk_of(store, SystemClock(), AttendanceSettings(min_interval_s=0))
    while True:
        clerk.attend("E-1", 0.7, {})
        print("punched", flush=True)
"""
MAKING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from blinkd.crypto.unlocked import load
from blinkd.backup.making import make
from blinkd.settings import BackupSettings, Settings
from blinkd.store.database import Store
state, folder = Path(sys.argv[1]), Path(sys.argv[2])
settings = Settings(state_dir=state, backup=BackupSettings(folder=folder, other_disk=False, keep=2))
print("begun", flush=True)
with Store.open(state, settings.store) as store:
    while True:
        try:
            make(store, settings, load(state), datetime.now(UTC))
        except Exception as error:
            assert "a second" in str(error), error
"""


@dataclass
class Terminal:
    settings: Settings
    file: KeyringFile
    keyring: Keyring

    @property
    def state(self) -> Path:
        return self.settings.state_dir

    @property
    def folder(self) -> Path:
        assert self.settings.backup.folder is not None
        return self.settings.backup.folder

    def open(self) -> Store:
        return Store.open(self.state, self.settings.store)

    def make(self, at: datetime = NOW) -> Made:
        with self.open() as store:
            return make(store, self.settings, self.keyring, at)

    def elsewhere(self, name: str) -> Settings:
        return self.settings.model_copy(update={"state_dir": self.state.parent / name})


@pytest.fixture(scope="module")
def file() -> KeyringFile:
    return KeyringFile.create("acme", PASSWORD, date(2026, 1, 1))


@pytest.fixture
def terminal(tmp_path: Path, file: KeyringFile) -> Iterator[Terminal]:
    state, folder = tmp_path / "state", tmp_path / "out"
    folder.mkdir()
    settings = Settings(
        state_dir=state, backup=BackupSettings(folder=folder, other_disk=False, keep=3), terminal=TerminalSettings(id="door-a")
    )
    with file.opened(PASSWORD) as secrets, Store.open(state, settings.store) as store:
        keyring = unlock(file, secrets)
        keep(state, file, keyring)
        store.people.enrol("E-1", "Ann Example", [sample(1), sample(2)])
        store.credentials.set_pin("E-1", "scrypt$pretended", "boss", SystemClock().now())
        store.credentials.add_badge("E-1", "ab" * 32, "boss", SystemClock().now(), replace=True)
        clerk_of(store, SystemClock()).attend("E-1", 0.7, {})
    yield Terminal(settings, file, keyring)


def proved(state: Path, store: Store) -> int:
    """Number of entries of a book that proves whole."""
    entries, strays = store.book.audit()
    proof = prove(in_order(entries, strays), [], Signer.load(state, create=False).public)
    assert proof.first_bad is None
    return proof.entries


def test_everything_comes_back_and_the_book_says_that_it_was_put_back(terminal: Terminal) -> None:
    made = terminal.make()
    new = terminal.elsewhere("new")
    done = restore(made.path, new, terminal.keyring, SystemClock(), aside=False)
    assert (done.terminal, done.made, done.people, done.aside) == ("door-a", NOW, 1, None)
    assert load(new.state_dir).roots == terminal.keyring.roots
    names = {path.name for path in files_of(terminal.state)}
    assert {"signing.key", "template.key", "keyring.json"} <= names == {path.name for path in files_of(new.state_dir)}
    with terminal.open() as before, Store.open(new.state_dir, new.store) as store:
        assert [one.content() for one in store.book.punches()] == [one.content() for one in before.book.punches()]
        assert np.allclose(next(iter(store.people.templates(MODEL))).vector, vector(1), atol=1e-6)
        assert store.credentials.holders_of("ab" * 32) == ["E-1"]
        assert proved(new.state_dir, store) == proved(terminal.state, before) + 1
        assert [content["from"] for _, content, _ in store.book.entries(RESTORED)] == ["door-a"]


def test_nobody_else_reads_the_file_and_nothing_of_it_shows(terminal: Terminal) -> None:
    made = terminal.make()
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    content = made.path.read_bytes()
    for secret in (
        b"Ann Example",
        b"E-1",
        bytes(terminal.keyring.index),
        (terminal.state / "signing.key").read_bytes(),
        vector(1).tobytes(),
    ):
        assert secret not in content
    assert sorted(path.name for path in terminal.state.iterdir() if "backup" in path.name) == [making.LOCK_FILE]


def test_one_made_while_the_terminal_punches_is_of_one_moment_and_proves_whole(terminal: Terminal) -> None:
    with subprocess.Popen([sys.executable, "-c", PUNCHING, str(terminal.state)], stdout=subprocess.PIPE) as door:
        assert door.stdout is not None
        try:
            door.stdout.readline()
            made = [terminal.make(NOW + timedelta(seconds=number)) for number in range(3)]
            assert b"punched" in door.stdout.readline()
        finally:
            door.kill()
    for number, one in enumerate(made):
        new = terminal.elsewhere(f"new{number}")
        restore(one.path, new, terminal.keyring, SystemClock(), aside=False)
        with Store.open(new.state_dir, new.store) as store:
            assert proved(new.state_dir, store) > 4


def test_killed_at_any_moment_what_bears_a_name_is_whole_and_what_was_left_goes_next_time(terminal: Terminal) -> None:
    terminal.make(datetime.now(UTC) - timedelta(hours=1))
    delays = np.random.default_rng(7).uniform(0.0, 0.25, 12)
    for delay in delays:
        with subprocess.Popen([sys.executable, "-c", MAKING, str(terminal.state), str(terminal.folder)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            try:
                child.wait(float(delay))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
        for path, _ in (found := backups(terminal.folder)):
            check(path, key_by(terminal.keyring))
        assert found
    terminal.make(datetime.now(UTC) + timedelta(hours=1))
    assert not [path for path in terminal.state.iterdir() if path.name.startswith(making.COPY)]
    assert not [path for path in terminal.folder.iterdir() if path.name.startswith(f"{making.PARTIAL}door-a")]


def test_only_the_oldest_of_this_terminal_go_and_only_when_the_new_one_was_read_back(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = terminal.settings.model_copy(update={"terminal": TerminalSettings(id="door-b")})
    with terminal.open() as store:
        foreign = make(store, other, terminal.keyring, NOW - timedelta(days=9))
    made = [terminal.make(NOW + timedelta(days=number)) for number in range(5)]
    assert made[-1].removed == (made[1].path.name,)
    kept = [path for path, _ in backups(terminal.folder)]
    assert kept == [foreign.path, *(one.path for one in made[2:])]

    def bad(*_: object) -> None:
        raise BackupRefused("does not hold what was written")

    monkeypatch.setattr(making, "check", bad)
    with pytest.raises(BackupRefused):
        terminal.make(NOW + timedelta(days=6))
    assert [path for path, _ in backups(terminal.folder)] == kept
    assert not list(terminal.folder.glob(".partial*"))


@pytest.mark.parametrize("keep", [1, 3])
def test_the_one_just_made_stays_though_a_wrong_clock_makes_it_the_oldest(terminal: Terminal, keep: int) -> None:
    terminal.settings = terminal.settings.model_copy(update={"backup": BackupSettings(folder=terminal.folder, other_disk=False, keep=keep)})
    for number in range(4):
        terminal.make(NOW + timedelta(days=number))
    past = terminal.make(datetime(1970, 1, 2, tzinfo=UTC))
    assert past.path in [path for path, _ in backups(terminal.folder)]
    assert len(backups(terminal.folder)) == keep


def test_a_folder_that_is_missing_or_on_the_same_disk_is_refused_with_the_remedy(terminal: Terminal) -> None:
    def with_(**changes: object) -> Settings:
        return terminal.settings.model_copy(update={"backup": BackupSettings(**{"folder": terminal.folder, **changes})})  # type: ignore[arg-type]

    with pytest.raises(BackupRefused, match=r"same|mount the other disk"):
        folder_of(with_())
    with pytest.raises(BackupRefused, match="mount the disk"):
        folder_of(with_(folder=terminal.folder / "gone"))
    with pytest.raises(BackupRefused, match=r"\[backup\]"):
        folder_of(with_(folder=None))


def test_no_room_for_the_copy_leaves_it_to_the_punches(terminal: Terminal) -> None:
    store = terminal.settings.store.model_copy(update={"min_free_mb": 2**40})
    with terminal.open() as opened, pytest.raises(BackupRefused, match="min_free_mb"):
        make(opened, terminal.settings.model_copy(update={"store": store}), terminal.keyring, NOW)


def test_it_is_put_back_only_where_nothing_is_and_with_aside_nothing_is_lost(terminal: Terminal) -> None:
    made = terminal.make()
    before = {path.name: path.read_bytes() for path in files_of(terminal.state)}
    with pytest.raises(BackupRefused, match="not empty"):
        restore(made.path, terminal.settings, terminal.keyring, SystemClock(), aside=False)
    done = restore(made.path, terminal.settings, terminal.keyring, SystemClock(), aside=True)
    assert done.aside is not None
    assert {path.name: path.read_bytes() for path in files_of(done.aside)} == before
    assert (done.aside / "blinkd.db").exists()
    with StateLock(terminal.state), pytest.raises(StateBusy):
        restore(made.path, terminal.settings, terminal.keyring, SystemClock(), aside=True)


def test_a_torn_file_another_organisations_or_a_newer_ones_changes_nothing(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, new = terminal.make(), terminal.elsewhere("new")
    torn = tmp_path / "torn.blinkd-backup"
    torn.write_bytes(made.path.read_bytes()[:-1])
    stranger = KeyringFile.create("other", PASSWORD, date(2026, 1, 1))
    with stranger.opened(PASSWORD) as secrets:
        others = unlock(stranger, secrets)
    rotated = terminal.file.rotated(PASSWORD, date(2026, 1, 2))
    with rotated.opened(PASSWORD) as secrets:
        later = unlock(rotated, secrets)
    later.forget(terminal.keyring.current)
    with pytest.raises(BackupRefused, match="cut off"):
        restore(torn, new, terminal.keyring, SystemClock(), aside=False)
    with pytest.raises(BackupRefused, match="keyring of other"):
        restore(made.path, new, others, SystemClock(), aside=False)
    with pytest.raises(KeyMissing, match="epoch"):
        restore(made.path, new, later, SystemClock(), aside=False)
    monkeypatch.setattr("blinkd.backup.restoring.newest_version", lambda: 1)
    with pytest.raises(BackupRefused, match="newer"):
        restore(made.path, new, terminal.keyring, SystemClock(), aside=False)
    assert [path.name for path in new.state_dir.iterdir()] == ["blinkd.lock"]


def test_a_machine_with_a_key_of_its_own_takes_over_templates_pins_and_badges_and_no_key_stays_in_a_file(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal.open() as store:
        waiting = store.registry.counts()
    made, new = terminal.make(), terminal.elsewhere("new")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / TEMPLATE_KEY.credential).write_bytes(os.urandom(32))
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(credentials))
    restore(made.path, new, terminal.keyring, SystemClock(), aside=False)
    assert not (new.state_dir / TEMPLATE_KEY.file).exists()
    with Store.open(new.state_dir, new.store) as store:
        assert np.allclose(next(iter(store.people.templates(MODEL))).vector, vector(1), atol=1e-6)
        assert store.credentials.pin_of("E-1") == "scrypt$pretended"
        assert store.credentials.holders_of("ab" * 32) == ["E-1"]
        assert store.registry.counts() == waiting
    again = tmp_path / "again"
    again.mkdir()
    settings = new.model_copy(update={"backup": BackupSettings(folder=again, other_disk=False)})
    with Store.open(new.state_dir, new.store) as store:  # the key of a credential goes along
        made = make(store, settings, terminal.keyring, NOW)
    monkeypatch.delenv(CREDENTIALS_VARIABLE)
    third = terminal.elsewhere("third")
    restore(made.path, third, terminal.keyring, SystemClock(), aside=False)
    with Store.open(third.state_dir, third.store) as store:
        assert store.credentials.pin_of("E-1") == "scrypt$pretended"
