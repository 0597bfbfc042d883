"""Stores and values that the tests of this folder share."""

import ctypes
import hashlib
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from blinkd.attendance.clerk import Clerk
from blinkd.attendance.punch import Direction, Punch, Punctuality, SyncState, pseudonym
from blinkd.clock import Clock
from blinkd.parts import Parts
from blinkd.settings import AttendanceSettings, Settings, StoreSettings, TerminalSettings
from blinkd.store.database import DATABASE_FILE, Store
from blinkd.store.schema import migrations
from blinkd.vision.face import Embedding

MODEL = "mobilefacenet@1"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUICK = StoreSettings(busy_timeout_ms=100)
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Sample:
    """A template as enrolment hands it over."""

    vectors: Mapping[str, Embedding]
    quality: float = 0.8
    source: str = "a.jpg"
    view: str = "front"
    label: str = ""


def vector(seed: int, dimension: int = 192) -> Embedding:
    drawn = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def sample(seed: int, dimension: int = 192, model: str = MODEL) -> Sample:
    return Sample({model: vector(seed, dimension)})


def subject_of(person_id: str) -> int:
    """A pseudonym for somebody who is not enrolled."""
    return int.from_bytes(hashlib.sha256(person_id.encode()).digest()[:6])


def clerk_of(store: Store, clock: Clock, attendance: AttendanceSettings | None = None, terminal: TerminalSettings | None = None) -> Clerk:
    attendance, terminal = attendance or AttendanceSettings(), terminal or TerminalSettings()
    parts = Parts(Settings(attendance=attendance, terminal=terminal))
    return parts.clerk(store, store, clock)


def open_store(folder: Path, settings: StoreSettings = QUICK) -> Store:
    return Store.open(folder, settings)


def punch(seq: int, person_id: str = "E-1", *, minutes: float | None = None, status: Direction = Direction.CHECK_IN) -> Punch:
    return Punch(
        id=str(uuid.UUID(int=seq)),
        seq=seq,
        subject=subject_of(person_id),
        person_id=pseudonym(subject_of(person_id)),
        utc=START + timedelta(minutes=seq if minutes is None else minutes),
        boot_s=100.0 + seq,
        boot_id="boot-1",
        clock="synced",
        status=status,
        punctuality=Punctuality.ON_TIME,
        minutes=0,
        shift=None,
        terminal="t-1",
        similarity=0.7,
        sync=SyncState.PENDING,
    )


def old_database(path: Path, version: int) -> None:
    """A database as the origin left it at that version: no schema_history, rows in every table that it had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as raw:
        for migration in migrations()[:version]:
            raw.executescript(migration.sql)
        if version >= 1:
            raw.executemany(
                "INSERT INTO users (id, name, embedding, model_mode, enrolled_at) VALUES (?, ?, ?, 'int8', ?)",
                [
                    ("u1", "Zoë O'Neill", b"PLAINTEXT-EMBEDDING" * 40, "2025-01-02T07:59:58.123Z"),
                    ("u2", "Bo", None, "2025-01-03 10:00:00"),
                ],
            )
            raw.executemany(
                "INSERT INTO authentication_logs VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    ("a2", None, "2025-01-05T08:00:05.000Z", 0, 0.2, 1, "unknown_face"),
                    ("a1", "u1", "2025-01-05T08:00:00.000Z", 1, 0.71, 1, None),
                ],
            )
            raw.execute(
                "INSERT INTO sync_queue (job_type, record_id, payload, created_at) VALUES ('user', 'u1', '{}', '2025-01-02T08:00:00Z')"
            )
        if version >= 2:
            raw.executemany(
                "INSERT INTO attendance VALUES (?, ?, ?, ?, ?, ?)",
                [
                    ("p2", "u1", "2025-01-05T17:00:00.500Z", "CHECK_OUT", "ON_TIME", "PENDING"),
                    ("p1", "u1", "2025-01-05T08:00:00.000Z", "CHECK_IN", "LATE", "SYNCED"),
                    ("p3", "u2", "2025-01-06 09:00:00", "CHECK_IN", "ON_TIME", "FAILED"),
                    ("p4", "u2", "1736240400000", "CHECK_IN", "ON_TIME", "PENDING"),
                ],
            )
        if version >= 3:
            raw.execute("UPDATE users SET status = 'DEACTIVATED' WHERE id = 'u2'")
        if version >= 4:
            raw.execute("UPDATE users SET encrypted_envelope_json = '{\"iv\": 1}' WHERE id = 'u1'")
        raw.execute(f"PRAGMA user_version = {version}")
    raw.close()


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file in a folder."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    """What another program reads from the database."""
    raw = sqlite3.connect(folder / DATABASE_FILE)
    try:
        return list(raw.execute(sql))
    finally:
        raw.close()


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """The file or folder has this mode within, and it holds for root too."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        with _bound_by_modes():
            yield
    finally:
        path.chmod(before)


@contextmanager
def _bound_by_modes() -> Iterator[None]:
    """Within, root gives up the two capabilities with which it passes over file modes; anybody else has none to give up."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # twice: effective, permitted, inheritable
    assert libc.capget(header, data) == 0
    effective = data[0]
    data[0] = effective & ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    assert libc.capset(header, data) == 0
    try:
        yield
    finally:
        data[0] = effective
        assert libc.capset(header, data) == 0


def at_once(code: str, arguments: list[list[str]]) -> list[subprocess.CompletedProcess[str]]:
    """Run the code in one process for each list of arguments; all begin when the last one has imported what it needs.

    The code prints one line when it is ready and then waits for a line.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for words in arguments
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return [
        subprocess.CompletedProcess(child.args, child.wait(30), *output) for child in children for output in [child.communicate(timeout=30)]
    ]


def waiting(store: Store) -> list[str]:
    """Ids of the punches that the relay does not have, by number."""
    with store.reading():
        sql = "SELECT p.id FROM chain c JOIN punches p ON p.seq = c.seq WHERE c.sync = 'PENDING' ORDER BY c.seq"
        return [str(row[0]) for row in store.connection().execute(sql)]
