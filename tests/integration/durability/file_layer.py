"""Stands between SQLite and the files: tells a watcher of every step before and after it is taken, and lets it decide otherwise.

Why so, and not otherwise: the standard library's own SQLite is what must be tested, in the ordinary test command, without root, compiler or
further package. That rules out a FUSE or loop file system, LD_PRELOAD, strace, and apsw (which brings a SQLite of its own). SQLite's
`sqlite3_vfs` is a table of functions in writable memory, and it offers to have its system calls replaced for tests, so ctypes is enough: the
structures stay SQLite's own, locks and the shared-memory index too; only the entries named here go through Python.

Two levels. The file level (open, delete, write, truncate, sync, lock of the log) knows path and offset and is for recording, killing and
failing syncs. The level of system calls is below SQLite's translation of errno, so what an ENOSPC or EROFS turns into is SQLite's doing. An
fsync cannot be replaced there; failing ones are answered at the file level with the code that SQLite's own VFS gives for them.

A layer changes SQLite for the whole process and is never taken away, so only processes that these tests start themselves put one in place.
"""

import ctypes
import os
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tests.integration.durability import sqlite_vfs as c

OK = 0
SQLITE_OPEN_CREATE = 0x4
SHM_UNLOCK, SHM_EXCLUSIVE = 1, 8  # flags of xShmLock
LOG_LOCKS = ("write", "checkpoint", "recover")  # the first three locks of a log, by their number; the rest are readers'
METHODS = {"xClose": c.Close, "xWrite": c.Write, "xTruncate": c.Truncate, "xSync": c.Sync, "xShmLock": c.ShmLock}

Kind = Literal["create", "delete", "write", "truncate", "sync", "sync_folder", "lock", "unlock"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that SQLite does to a file. offset: of a write, or the size to truncate to; data: of a write; lock: one of LOG_LOCKS."""

    kind: Kind
    path: str
    offset: int = 0
    data: bytes = b""
    lock: str = ""


class Watcher(Protocol):
    """Is told of every step; may kill the process."""

    def before(self, step: Step) -> int | None:
        """Return None to let it happen, or the result code that SQLite shall get instead."""

    def after(self, step: Step) -> None:
        """It has happened, without an error."""


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. count, offset: bytes to write or read, and where (-1: where the file stands); flags: of an open; fd: -1 for calls
    by name.
    """

    name: Literal["open", "unlink", "write", "read", "truncate"]
    fd: int
    count: int = 0
    offset: int = -1
    flags: int = 0

    @property
    def path(self) -> str:
        """Of the open file."""
        return str(Path(f"/proc/self/fd/{self.fd}").readlink())


@dataclass(frozen=True, slots=True)
class Failure:
    """What a system call answers instead of working: an errno, after having moved so many bytes in a call of its own."""

    errno: int
    moved: int = 0


Clerk = Callable[[Call], Failure | None]


class FileLayer:
    """In place from its making to the end of the process."""

    def __init__(self, folder: Path, watcher: Watcher | None = None, system_calls: Clerk | None = None) -> None:
        """Watch files below `folder`; system calls are asked about wherever they go, for SQLite does not tell."""
        self.watcher = watcher
        self.system_calls = system_calls
        self._below = os.fsencode(folder)
        self._vfs = c.unix_vfs()
        self._vfs_address = ctypes.addressof(self._vfs)
        self._native: dict[int, dict[str, Any]] = {}  # functions by address of SQLite's own table
        self._tables: dict[int, c.IoMethods] = {}  # ours for each of SQLite's
        self._paths: dict[int, tuple[str, dict[str, Any]]] = {}  # open files by address: path, SQLite's own functions
        self._cut_short: dict[int, int] = {}  # errno that follows a short write, by descriptor
        self._callbacks: list[Any] = []
        self._open = c.Open(self._vfs.xOpen or 0)
        self._delete = c.Delete(self._vfs.xDelete or 0)
        if system_calls is not None:
            self._replace_system_calls()
        else:
            self._watch_folder_syncs()
        self._vfs.xDelete = self._keep(c.Delete(self._on_delete))
        self._vfs.xOpen = self._keep(c.Open(self._on_open))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))  # files that are open go on calling into it

    def _keep(self, function: Any) -> int | None:
        self._callbacks.append(function)
        return ctypes.cast(function, c_void_p).value

    def _step(self, step: Step, work: Callable[[], int]) -> int:
        watcher = self.watcher
        if watcher is None:
            return work()
        verdict = watcher.before(step)
        if verdict is not None:
            return verdict
        result = work()
        if result == OK:
            watcher.after(step)
        return result

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out_flags: Any) -> int:
        text = ctypes.string_at(name) if name else b""
        if not text.startswith(self._below):
            return self._open(vfs, name, file, flags, out_flags)
        path = os.fsdecode(text)
        if flags & SQLITE_OPEN_CREATE and not Path(path).exists():
            result = self._step(Step("create", path), lambda: self._open(vfs, name, file, flags, out_flags))
        else:
            result = self._open(vfs, name, file, flags, out_flags)
        slot = c_void_p.from_address(file)
        if result == OK and slot.value:
            native = self._functions_of(slot.value)
            self._paths[file] = (path, native)
            slot.value = ctypes.addressof(self._tables[slot.value])
        return result

    def _functions_of(self, table: int) -> dict[str, Any]:
        if table not in self._native:
            theirs = c.IoMethods.from_address(table)
            ours = c.IoMethods()
            # as far as the version of theirs goes there is something to copy
            size = ctypes.sizeof(c.IoMethods) if theirs.iVersion >= c.WITH_SYSTEM_CALLS else c.IoMethods.xShmMap.offset
            ctypes.memmove(ctypes.addressof(ours), table, size)
            self._native[table] = {}
            for name, form in METHODS.items():
                if address := getattr(ours, name):
                    self._native[table][name] = form(address)
                    setattr(ours, name, self._keep(form(getattr(self, f"_on_{name}"))))
            self._tables[table] = ours
        return self._native[table]

    def _on_xClose(self, file: int) -> int:  # noqa: N802  SQLite's names
        _, native = self._paths.pop(file)
        return int(native["xClose"](file))

    def _on_xWrite(self, file: int, buffer: int, count: int, offset: int) -> int:  # noqa: N802
        path, native = self._paths[file]
        step = Step("write", path, offset, ctypes.string_at(buffer, count))
        return self._step(step, lambda: native["xWrite"](file, buffer, count, offset))

    def _on_xTruncate(self, file: int, size: int) -> int:  # noqa: N802
        path, native = self._paths[file]
        return self._step(Step("truncate", path, size), lambda: native["xTruncate"](file, size))

    def _on_xSync(self, file: int, flags: int) -> int:  # noqa: N802
        path, native = self._paths[file]
        return self._step(Step("sync", path), lambda: native["xSync"](file, flags))

    def _on_xShmLock(self, file: int, first: int, count: int, flags: int) -> int:  # noqa: N802
        path, native = self._paths[file]
        if not flags & SHM_EXCLUSIVE or first >= len(LOG_LOCKS):
            return int(native["xShmLock"](file, first, count, flags))
        kind: Kind = "unlock" if flags & SHM_UNLOCK else "lock"
        # recovery takes all of them at once, from the first that it does not hold yet
        name = "recover" if count > 1 else LOG_LOCKS[first]
        return self._step(Step(kind, path, lock=name), lambda: native["xShmLock"](file, first, count, flags))

    def _on_delete(self, vfs: int, name: bytes, sync_folder: int) -> int:
        if not name.startswith(self._below):
            return self._delete(vfs, name, sync_folder)
        return self._step(Step("delete", os.fsdecode(name)), lambda: self._delete(vfs, name, sync_folder))

    # --- system calls

    def _replace(self, name: str, form: Any, make: Callable[[Any], Callable[..., int]]) -> None:
        vfs, encoded = self._vfs_address, name.encode()
        native = c.GetSystemCall(self._vfs.xGetSystemCall or 0)(vfs, encoded)
        if native:  # which of write, pwrite and pwrite64 is there depends on how SQLite was compiled
            done = c.SetSystemCall(self._vfs.xSetSystemCall or 0)(vfs, encoded, self._keep(form(make(form(native)))))
            assert done == OK, name

    def _watch_folder_syncs(self) -> None:
        """SQLite opens a folder for nothing but to sync it."""
        form = CFUNCTYPE(c_int, c_char_p, c_void_p, use_errno=True)

        def make(native: Any) -> Callable[..., int]:
            def open_directory(name: bytes, descriptor: int) -> int:
                path = os.fsdecode(name)
                if not name.startswith(self._below):
                    return int(native(name, descriptor))
                return self._step(Step("sync_folder", str(Path(path).parent)), lambda: native(name, descriptor))

            return open_directory

        self._replace("openDirectory", form, make)

    def _replace_system_calls(self) -> None:
        by_offset = CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, c_int64, use_errno=True)
        here = CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, use_errno=True)
        for name in ("pwrite64", "pwrite"):
            self._replace(name, by_offset, lambda native: self._moving("write", native))
        for name in ("pread64", "pread"):
            self._replace(name, by_offset, lambda native: self._moving("read", native))
        self._replace("write", here, lambda native: self._moving("write", native))
        self._replace("read", here, lambda native: self._moving("read", native))
        size = CFUNCTYPE(c_int, c_int, c_int64, use_errno=True)
        self._replace("ftruncate", size, lambda native: lambda fd, length: self._plain(Call("truncate", fd), native, fd, length))
        opening = CFUNCTYPE(c_int, c_char_p, c_int, c_int, use_errno=True)
        self._replace(
            "open",
            opening,
            lambda native: lambda name, flags, bits: self._plain(Call("open", -1, flags=flags), native, name, flags, bits),
        )
        by_name = CFUNCTYPE(c_int, c_char_p, use_errno=True)
        self._replace("unlink", by_name, lambda native: lambda name: self._plain(Call("unlink", -1), native, name))

    def _ask(self, call: Call) -> Failure | None:
        return self.system_calls(call) if self.system_calls is not None else None

    def _plain(self, call: Call, native: Any, *arguments: Any) -> int:
        if (failure := self._ask(call)) is not None:
            ctypes.set_errno(failure.errno)
            return -1
        return int(native(*arguments))

    def _moving(self, name: Literal["write", "read"], native: Any) -> Callable[..., int]:
        def move(fd: int, buffer: int, count: int, *offset: int) -> int:
            if code := self._cut_short.pop(fd, 0):
                ctypes.set_errno(code)
                return -1
            failure = self._ask(Call(name, fd, count, *offset))
            if failure is None:
                return int(native(fd, buffer, count, *offset))
            if 0 < failure.moved < count:
                self._cut_short[fd] = failure.errno  # SQLite asks again for the rest, and hears why
                return int(native(fd, buffer, failure.moved, *offset))
            ctypes.set_errno(failure.errno)
            return -1

        return move
