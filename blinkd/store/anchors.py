"""The heads of the book that were written down outside of the database: in the file beside it, and in the system's journal."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from blinkd.attendance.proof import Anchor
from blinkd.crypto.signing import Verifier
from blinkd.errors import StoreError
from blinkd.store.links import HEAD_FILE

JOURNAL_LINE = re.compile(r"book (?P<book>[0-9a-f-]{36}): entry (?P<seq>\d+), head (?P<hash>[0-9a-f]{64})")  # as ChainWriter logs it
JOURNAL_TIMEOUT_S = 60
FORM = "SEQ:HASH, as `blinkd log verify` prints the head"


def other_heads(state_dir: Path, key: bytes | None) -> list[Anchor]:
    """Heads of books that this terminal had before this one, which were kept when it began. Raises StoreError as `head_file`."""
    names = sorted(path.name for path in state_dir.glob(f"{HEAD_FILE}.*"))
    return [anchor for name in names if (anchor := head_file(state_dir, key, name)) is not None]


def head_file(state_dir: Path, key: bytes | None, name: str = HEAD_FILE) -> Anchor | None:
    """What book.head says; None when there is none. Raises StoreError when it is torn, or not signed by the terminal."""
    path = state_dir / name
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        anchor = Anchor(name, str(content["book"]), int(content["seq"]), bytes.fromhex(content["hash"]))
        signature = bytes.fromhex(content["signature"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}; run the command as the owner of the state folder") from None
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{path}: torn or edited; it tells how long the book is: compare with the journal, then remove it") from None
    if key is not None and not Verifier(key).holds(anchor.hash, signature):
        raise StoreError(f"{path}: not signed by this terminal; it was exchanged: compare with the journal, then remove it")
    return anchor


def journal() -> list[Anchor]:
    """Every head that the system's journal holds; empty where there is no journal, or none that may be read."""
    program = shutil.which("journalctl")
    if program is None:
        return []
    command = [program, "--quiet", "--no-pager", "--output=cat", "--identifier=blinkd", "--grep=^(.* )?book [0-9a-f-]{36}: entry"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=JOURNAL_TIMEOUT_S, check=False)  # noqa: S603  words of our own
    except (OSError, subprocess.TimeoutExpired):
        return []
    return heads_in(found.stdout, "the journal")


def heads_in(text: str, source: str) -> list[Anchor]:
    """The heads that lines of a log tell of."""
    return [Anchor(source, match["book"], int(match["seq"]), bytes.fromhex(match["hash"])) for match in JOURNAL_LINE.finditer(text)]
