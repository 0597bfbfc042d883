"""The C structures of SQLite's file layer, as its header file declares them, and the way to the one that this process uses.

The standard library links SQLite dynamically (Debian) or has it built in without exported names (uv's own Pythons), so no library is
asked for a symbol: an open connection leads to its `sqlite3_vfs`. Two private facts are used for that, that a `sqlite3.Connection` begins
with its `sqlite3 *` and a `sqlite3` with its `sqlite3_vfs *`, and what is found is checked before anything is changed.
"""

import ctypes
import sqlite3
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p

# names as addresses: SQLite keeps the pointer, and reads on behind the end of the name
Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
Close = CFUNCTYPE(c_int, c_void_p)
Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
Sync = CFUNCTYPE(c_int, c_void_p, c_int)
ShmLock = CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int)
SetSystemCall = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
GetSystemCall = CFUNCTYPE(c_void_p, c_void_p, c_char_p)


class Vfs(ctypes.Structure):
    """`struct sqlite3_vfs`."""

    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", c_void_p),
        ("xDelete", c_void_p),
        ("xAccess", c_void_p),
        ("xFullPathname", c_void_p),
        ("xDlOpen", c_void_p),
        ("xDlError", c_void_p),
        ("xDlSym", c_void_p),
        ("xDlClose", c_void_p),
        ("xRandomness", c_void_p),
        ("xSleep", c_void_p),
        ("xCurrentTime", c_void_p),
        ("xGetLastError", c_void_p),
        ("xCurrentTimeInt64", c_void_p),
        ("xSetSystemCall", c_void_p),
        ("xGetSystemCall", c_void_p),
        ("xNextSystemCall", c_void_p),
    ]


class IoMethods(ctypes.Structure):
    """`struct sqlite3_io_methods`: what can be done with an open file, whose own structure begins with a pointer to it."""

    _fields_ = [
        ("iVersion", c_int),
        ("xClose", c_void_p),
        ("xRead", c_void_p),
        ("xWrite", c_void_p),
        ("xTruncate", c_void_p),
        ("xSync", c_void_p),
        ("xFileSize", c_void_p),
        ("xLock", c_void_p),
        ("xUnlock", c_void_p),
        ("xCheckReservedLock", c_void_p),
        ("xFileControl", c_void_p),
        ("xSectorSize", c_void_p),
        ("xDeviceCharacteristics", c_void_p),
        ("xShmMap", c_void_p),
        ("xShmLock", c_void_p),
        ("xShmBarrier", c_void_p),
        ("xShmUnmap", c_void_p),
        ("xFetch", c_void_p),
        ("xUnfetch", c_void_p),
    ]


WITH_SYSTEM_CALLS = 3  # iVersion of a VFS whose system calls can be replaced; of methods: with xFetch, the last one above


def unix_vfs() -> Vfs:
    """Return the live structure of the VFS that new connections of this process use. Raises RuntimeError when it is not the expected one."""
    connection = sqlite3.connect(":memory:")
    try:
        handle = c_void_p.from_address(id(connection) + object.__basicsize__).value
        address = c_void_p.from_address(handle).value if handle else None
        found = Vfs.from_address(address) if address else None
    finally:
        connection.close()
    if found is None or found.iVersion != WITH_SYSTEM_CALLS or found.zName != b"unix":
        raise RuntimeError("this Python's SQLite does not use the VFS 'unix' in its third version; these tests know no other")
    return found
