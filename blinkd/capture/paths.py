"""What can be said about a path before a decoder sees it, in words that tell the person what to do."""

from pathlib import Path

from blinkd.errors import MediaError


def file_size(path: Path, wanted: str) -> int:
    """Return the size in bytes of a regular file that holds something.

    wanted: what the caller expects, as in "a picture". Raises MediaError naming path and remedy for what is missing, a folder, a pipe or a
    device (opening one could wait for ever), unreadable or empty.
    """
    try:
        if path.is_dir():
            raise MediaError(f"{path}: is a folder; name {wanted}")
        if not path.exists():
            raise MediaError(f"{path}: no such file; check the spelling")
        if not path.is_file():
            raise MediaError(f"{path}: is no regular file; name {wanted}")
        with path.open("rb") as file:
            empty = not file.read(1)
        size = path.stat().st_size
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}; check its owner and mode") from None
    if empty:
        raise MediaError(f"{path}: is empty (0 bytes); copy it again from its source")
    return size


def looks_like_text(path: Path) -> bool:
    """Whether the file begins as text does.

    Video containers hold binary numbers in their first bytes; play lists, which could send a decoder to other files or addresses, are text.
    """
    with path.open("rb") as file:
        head = file.read(256)
    return all(byte >= 0x20 or byte in b"\t\r\n" for byte in head)
