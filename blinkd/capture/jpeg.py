"""Is a JPEG file whole? Decoders fill what is missing with grey and say nothing."""

from typing import BinaryIO

START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
CHUNK_BYTES = 1 << 20
LENGTHLESS = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and the restart markers carry no length (ITU-T T.81, B.1.1.3)


def is_whole(file: BinaryIO) -> bool:
    """Whether the picture's own end marker follows its first scan.

    Inside a scan 0xFF is always followed by zero or a restart number (ITU-T T.81, B.1.1.5), so an end marker found after the start of the
    scan is a real one; that of an embedded preview lies in a segment before it and is stepped over. This also finds files whose tail was
    never written and reads as zeros. Bytes after the end marker, as cameras append them, are allowed.
    """
    file.seek(0)
    if file.read(2) != START_OF_IMAGE:
        return False
    while True:
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            return False
        if marker[1] == 0xFF:  # padding before a marker
            file.seek(-1, 1)
            continue
        if marker[1] == START_OF_SCAN:
            return _end_follows(file)
        if marker[1] in LENGTHLESS:
            continue
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            return False
        file.seek(length - 2, 1)


def _end_follows(file: BinaryIO) -> bool:
    last = b""
    while chunk := file.read(CHUNK_BYTES):
        if END_OF_IMAGE in last + chunk:
            return True
        last = chunk[-1:]
    return False
