"""Files that are written whole or not at all."""

import os
import secrets
import sys
from pathlib import Path

from blinkd.errors import ReportRefused

STANDARD_OUTPUT = "-"
OWNER_ONLY = 0o600  # hours and names are nobody else's business


def write_whole(target: str, content: bytes) -> None:
    """Put the content in the place of a file, which only its owner may then read; `-` is standard output.

    What was there stays until the new content is on the disk. Raises ReportRefused when it cannot be written; nothing is left then.
    """
    if target == STANDARD_OUTPUT:
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:  # a test's, which holds text
            sys.stdout.write(content.decode())
        else:
            binary.write(content)
        sys.stdout.flush()
        return
    path = Path(target)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.exists() and not path.is_file():
            raise ReportRefused(f"{path}: is no plain file; name another, or - for standard output")
        try:
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY), "wb") as file:  # noqa: PTH123  a descriptor
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ReportRefused(f"{path}: cannot be written: {reason}; nothing was written: name another file or free some space") from None
