"""The terminal's database: opened with care, checked before it is trusted, never overwritten."""

import errno
import fcntl
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import peewee

from blinkd.clock import SystemClock
from blinkd.crypto.at_rest import TemplateCipher, template_key
from blinkd.crypto.keyfile import sync_folder
from blinkd.crypto.signing import Signer
from blinkd.errors import StoreError
from blinkd.settings import StoreSettings
from blinkd.store.audit import AuditLog
from blinkd.store.book import BookRepository
from blinkd.store.connection import JOURNALS, SIDE_FILES, Damaged, check_wholly, open_for_reading, open_for_writing
from blinkd.store.credentials import CredentialRepository
from blinkd.store.day_totals import DayTotals
from blinkd.store.directory import Directory
from blinkd.store.erasure import Erasure
from blinkd.store.faults import DATABASE_ERRORS, explain, is_damage, named
from blinkd.store.intake import Intake
from blinkd.store.links import HEAD_FILE, ChainWriter
from blinkd.store.lock import daemon_of
from blinkd.store.operators import OperatorRepository
from blinkd.store.outbox import Outbox
from blinkd.store.people import PeopleRepository
from blinkd.store.preferences import PreferencesRepository
from blinkd.store.punch_pages import PunchPages
from blinkd.store.registry import Registry
from blinkd.store.resealing import reseal
from blinkd.store.retention import Retention
from blinkd.store.rosters import Rosters
from blinkd.store.scans import ScanLog
from blinkd.store.schema import alterations
from blinkd.store.tables import tables
from blinkd.store.timeline import Timeline
from blinkd.store.tries import TryRepository
from blinkd.store.vouching import Vouching
from blinkd.store.watermarks import Watermarks
from blinkd.store.web_sessions import SessionRepository

DATABASE_FILE = "blinkd.db"
REPAIR_FILE = "blinkd.repair"  # locked by the one process that sets a damaged database aside
READ_BYTES = 1 << 20  # at a time
REMEDY = "the daemon, or any command that writes, sets it aside and begins a new one; restore a backup to keep what it held"

log = logging.getLogger(__name__)


class Store:
    """An open database with its repositories: `people`, `credentials`, `vouching`, `book`, `scans`, `tries`, `outbox`, `registry`, `intake`,
    `preferences`, `operators`, `sessions`, `audit`; `rosters`, `watermarks` and `day_totals`, which reports read; `directory` and `punch_pages`
    for screens. A context manager.
    """  # fmt: skip

    def __init__(self, database: peewee.SqliteDatabase, path: Path, state_dir: Path, *, read_only: bool = False) -> None:
        self._database = database
        self._state_dir = state_dir
        self._key: bytes | None = None
        self._data_version: int | None = None
        self._forgetting = False  # something was deleted in the transaction that is open
        self.path = path
        bound = tables(database)
        self.scans = ScanLog(database, bound, self.transaction, self.reading)

        def signer(create: bool) -> Signer:
            return Signer.load(state_dir, create=create)

        def older() -> Iterator[Mapping[str, Any]]:
            return self.vouching.older()

        self._links = ChainWriter(database, bound, signer, state_dir)
        self.book = BookRepository(database, bound, self._links, self.transaction, self.reading, older)
        self.outbox = Outbox(database, self.transaction, self.reading, self.book.contents)
        self.vouching = Vouching(database, self._links.sign, self.book.append, self.book.entries, self.reading)
        self.people = PeopleRepository(bound, self._cipher, self.transaction, self.reading, self._forget, self.vouching)
        self.erasure = Erasure(database, self.people, self.book, signer, self.transaction)
        self.retention = Retention(database, self.book, self.scans, self.reading, self._forget)
        self.credentials = CredentialRepository(database, self._cipher, self.book.append, self.transaction, self.reading, self._forget)
        self.tries = TryRepository(database, self.transaction, self.reading)
        self.preferences = PreferencesRepository(bound, self.transaction, self.reading)
        self.operators = OperatorRepository(database, self.transaction, self.reading)
        self.sessions = SessionRepository(database, self.transaction, self.reading)
        self.audit = AuditLog(database, self.transaction, self.reading)
        self.registry = Registry(database, self._cipher, self.transaction, self.reading)
        self.timeline = Timeline(database, self.preferences, self.transaction)
        self.intake = Intake(
            database, self.registry, self.erasure, self.vouching, self.timeline, self._cipher, self.transaction, self.reading
        )
        self.rosters = Rosters(database, self.reading)
        self.directory = Directory(database, self.reading, self.people.named)
        self.punch_pages = PunchPages(database, self.reading, self.book, self.rosters)
        self.watermarks = Watermarks(database, self.transaction, self.reading)
        self.day_totals = DayTotals(database, self.transaction, self.reading, writable=not read_only)

    @classmethod
    def open(
        cls, state_dir: Path, settings: StoreSettings, *, read_only: bool = False, repair: bool = True, threads: bool = False
    ) -> "Store":
        """Open the database of a state folder, making both when they are missing.

        A database that is not sound is set aside under another name and a new one begun, so that the door's log goes on. Raises
        StoreError for a newer schema, a folder or disk that cannot be written, a file that is locked for longer than the settings
        allow, and damage under a running daemon. A transient error never counts as corruption.

        Without `repair` a damaged database is left where it is and StoreError raised. With `read_only` nothing is made or changed: a missing database looks empty, an older schema and a folder that may not be
        written are read through a copy in memory, and a damaged database is left where it is and StoreError raised.
        threads: it is used by several, one at a time, for which the caller has a lock (not with `read_only`).
        """
        path = state_dir / DATABASE_FILE
        if read_only:
            return cls._open_read_only(path, state_dir, settings)
        make_folder(state_dir)
        try:
            return cls._open(path, state_dir, settings, threads=threads)
        except Damaged as damage:
            if not repair:
                raise StoreError(f"{path}: damaged ({damage}); {REMEDY}") from None
            with _repairing(state_dir):
                return cls._repair(path, state_dir, settings, threads=threads)

    @classmethod
    @contextmanager
    def preview_of(cls, known: "Store") -> Iterator["Store"]:
        """A store that knows the same people and whose book is empty; it is gone afterwards, and nothing biometric is in it."""
        with tempfile.TemporaryDirectory(prefix="blinkd-") as folder, cls.open(Path(folder), StoreSettings()) as store:
            store.people.copy_from(known.people)
            yield store

    @classmethod
    def _open(cls, path: Path, state_dir: Path, settings: StoreSettings, *, threads: bool) -> "Store":
        _make_file(path)
        try:
            return cls(open_for_writing(path, settings, threads=threads), path, state_dir)
        except DATABASE_ERRORS as error:
            if is_damage(error):
                raise Damaged(str(error)) from None
            raise StoreError(explain(path, error)) from None

    @classmethod
    def _repair(cls, path: Path, state_dir: Path, settings: StoreSettings, *, threads: bool) -> "Store":
        try:
            return cls._open(path, state_dir, settings, threads=threads)  # again, under the lock: another process may have been faster
        except Damaged as damage:
            if (holder := daemon_of(state_dir)) is not None and holder != os.getpid():
                # it would go on writing into the renamed file
                raise StoreError(
                    f"{path}: damaged ({damage}) while blinkd (process {holder}) works on it; restart the daemon, which sets it aside"
                ) from None
            _read_through(path)
            aside = _set_aside(path)
            log.error("%s: damaged (%s); set aside as %s and a new database begun; restore a backup if there is one", path, damage, aside)
            return cls._open(path, state_dir, settings, threads=threads)

    @classmethod
    def _open_read_only(cls, path: Path, state_dir: Path, settings: StoreSettings) -> "Store":
        try:
            return cls(open_for_reading(path, settings), path, state_dir, read_only=True)
        except Damaged as damage:
            raise StoreError(f"{path}: damaged ({damage}); {REMEDY}") from None
        except DATABASE_ERRORS as error:
            raise StoreError(f"{path}: damaged ({error}); {REMEDY}" if is_damage(error) else explain(path, error)) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is on disk when it ends, or nothing of it; one within another joins it.

        Raises StoreError when the disk does not take it.
        """
        if self._database.in_transaction():
            with named(self.path):
                yield
            return
        # IMMEDIATE takes the write lock at the start, where waiting for it is safe
        self._forgetting = False
        try:
            with named(self.path), self._database.atomic("IMMEDIATE"):
                yield
        except BaseException:
            self._links.forget()
            raise
        self._links.told()
        if self._forgetting:
            self._forget()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """For what only reads: raises StoreError when the database cannot be read."""
        with named(self.path):
            yield

    def changed_elsewhere(self) -> bool:
        """Whether another connection has written since the last call; the first call says no. Raises StoreError."""
        with self.reading():
            version = int(self._database.execute_sql("PRAGMA data_version").fetchone()[0])
        before, self._data_version = self._data_version, version
        return before is not None and before != version

    def alterations(self) -> list[str]:
        """What of the schema is not as this program made it, in words. Raises StoreError."""
        with self.reading():
            return alterations(self._database)

    def examine(self) -> None:
        """Check the whole database, every index too, which takes seconds for a large one. Raises StoreError when it is damaged."""
        with self.reading():
            try:
                check_wholly(self._database)
            except Damaged as damage:
                raise StoreError(f"{self.path}: damaged ({damage}); {REMEDY}") from None
            self._database.execute_sql("PRAGMA optimize")

    def reseal(self, old: bytes, new: bytes) -> int:
        """Seal templates, PINs and badges by another key, 32 bytes each; returns how many. Raises KeyMissing where one does not open, StoreError."""
        with self.transaction():
            count = reseal(self._database, TemplateCipher(old), TemplateCipher(new))
        self._key = new
        return count

    def connection(self) -> sqlite3.Connection:
        """SQLite's own, for what must write very many rows at once; within a transaction."""
        connection: sqlite3.Connection = self._database.connection()
        return connection

    def close(self) -> None:
        """Close the database; may be called twice."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _cipher(self, may_create: bool) -> TemplateCipher:
        if self._key is None:
            sealed = self._some_sealed()
            # a second key would keep the terminal from reading what the first one sealed
            key = template_key(self._state_dir, create=may_create and sealed is None)
            if sealed is not None:
                sealed(TemplateCipher(key))
            self._key = key
        return TemplateCipher(self._key)

    def _some_sealed(self) -> Callable[[TemplateCipher], object] | None:
        """How to open one of the sealed records, which shows whether a key is the right one; None where there is none."""
        row = self._database.execute_sql("SELECT id, person_id, model_id, sealed FROM templates ORDER BY rowid LIMIT 1").fetchone()
        if row is not None:
            id_, person, model, sealed = row
            return lambda cipher: cipher.open(id_, person, model, bytes(sealed))
        row = self._database.execute_sql("SELECT id, person_id, kind, sealed FROM credentials LIMIT 1").fetchone()
        if row is None:
            return None
        name, owner, kind, text = row
        return lambda cipher: cipher.open_text(name, owner, kind, bytes(text))

    def _forget(self) -> None:
        """Empty the write-ahead log, which still holds what has just been deleted.

        What was deleted is deleted, so this raises nothing: while somebody reads, the log stays, and a warning says so. Within a
        transaction it is put off to its end.
        """
        if self._database.in_transaction():
            self._forgetting = True
            return
        try:
            busy = self._database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except DATABASE_ERRORS as error:  # a read of our own that has not ended
            busy = str(error)
        if busy:
            log.warning(
                "%s: deleted, but %s-wal still holds it while another command reads; restart the daemon to empty it", self.path, self.path
            )


def make_folder(state_dir: Path) -> None:
    """Make the state folder, closed to others, if it is missing. Raises StoreError."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{state_dir}: cannot be made or is no folder ({error.strerror}); set state_dir or BLINKD_STATE_DIR to a folder that you may write"
        ) from None


def _make_file(path: Path) -> None:
    """Make the database's file if there is none, closed to others; never open one that is there. Raises StoreError.

    Closing a file takes away every lock that this process has on it, and with them the right of another connection of ours to its log: the
    next process that closes the database would then delete the log under it (SQLite, "How To Corrupt An SQLite Database File", 2.2).
    """
    try:
        if path.exists():
            if not os.access(path, os.W_OK):
                read_only = os.statvfs(path).f_flag & os.ST_RDONLY
                raise (
                    OSError(errno.EROFS, os.strerror(errno.EROFS))
                    if read_only
                    else PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                )
            return
        with suppress(FileExistsError):  # another process was faster
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be opened for writing: {error.strerror}; check owner, mode and mount of the state folder"
        ) from None


@contextmanager
def _repairing(state_dir: Path) -> Iterator[None]:
    """One process at a time: a second one must not set aside what the first has just begun anew."""
    try:
        descriptor = os.open(state_dir / REPAIR_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{state_dir / REPAIR_FILE}: cannot be opened: {error.strerror}; free some space and check the owner") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_through(path: Path) -> None:
    """Raise StoreError when the disk cannot read the files: SQLite calls some of these errors damage too (SQLITE_IOERR_CORRUPTFS)."""
    for suffix in JOURNALS:
        part = path.with_name(path.name + suffix)
        try:
            descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(part, error) from None
        try:
            offset = 0
            while taken := len(os.pread(descriptor, READ_BYTES, offset)):
                offset += taken
        except OSError as error:
            raise _unreadable(part, error) from None
        finally:
            os.close(descriptor)


def _unreadable(part: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{part}: the disk cannot read it ({error.strerror}); nothing was changed: copy {part.parent} to a sound disk, or restore a backup"
    )


def _set_aside(path: Path) -> Path:
    """Rename the file and its companions; a name that is taken is never used again. Raises StoreError."""
    stamp = SystemClock().now().utc.strftime("%Y%m%dT%H%M%SZ")
    number, aside = 0, path.with_name(f"{path.name}.corrupt-{stamp}")
    while any(aside.with_name(aside.name + suffix).exists() for suffix in SIDE_FILES):
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    companions = [path.with_name(path.name + suffix) for suffix in SIDE_FILES if suffix and path.with_name(path.name + suffix).exists()]
    try:
        # The companions get their new names while they keep the old ones: a crash after the database has moved leaves them beside an empty
        # one, where SQLite throws a log away, and a crash before leaves everything for the next attempt.
        for old in companions:
            aside.with_name(aside.name + old.name.removeprefix(path.name)).hardlink_to(old)
        sync_folder(path.parent)
        path.rename(aside)
        for old in companions:
            old.unlink()
        head = path.with_name(HEAD_FILE)
        if head.exists():
            head.rename(aside.with_name(f"{aside.name}-head"))  # it tells of that book's length
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: damaged, and cannot be set aside: {error.strerror}; check the owner of {path.parent}") from None
    return aside
