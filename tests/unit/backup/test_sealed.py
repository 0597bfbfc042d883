"""The encrypted file: what is written comes back, and nothing else does."""

import io
import secrets
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.backup import sealed
from blinkd.backup.sealed import PORTION, Header, SealedReader, SealedWriter, read_header
from blinkd.errors import BackupRefused

KEY = bytes(range(32))
HEADER = Header("acme", "door-a", "e1", bytes(32), datetime(2026, 3, 2, tzinfo=UTC), "1.0", None)


def written(*parts: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, HEADER, key)
    for part in parts:
        writer.write(part)
    writer.finish()
    return file.getvalue()


def opened(data: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO(data)
    _, line = read_header(file, "F")
    reader, found = SealedReader(file, line, key, "F"), bytearray()
    while part := reader.read(10_000):
        found += part
    return bytes(found)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_what_goes_in_comes_out(parts: list[bytes]) -> None:
    assert opened(written(*parts)) == b"".join(parts)
    assert read_header(io.BytesIO(written(*parts)), "F")[0] == HEADER


@pytest.mark.parametrize("size", [0, PORTION - 1, PORTION, PORTION + 1, 2 * PORTION])
def test_at_the_edges_of_a_portion_too(size: int) -> None:
    content = secrets.token_bytes(size)
    assert opened(written(content)) == content


def test_every_bit_flip_is_refused_wherever_it_is() -> None:
    whole = bytearray(written(b"keys and names"))
    for place in range(len(whole)):
        for bit in range(8):
            whole[place] ^= 1 << bit
            with pytest.raises(BackupRefused):
                opened(bytes(whole))
            whole[place] ^= 1 << bit


def test_no_end_that_was_cut_off_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "PORTION", 16)
    whole = written(bytes(100))
    assert opened(whole) == bytes(100)
    for length in range(len(whole)):
        with pytest.raises(BackupRefused):
            opened(whole[:length])


def test_portions_cannot_change_places_or_be_doubled_or_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "PORTION", 16)
    whole = written(bytes(range(64)))
    start, size = len(HEADER.to_bytes()), 4 + 16 + 16
    portions = [whole[place : place + size] for place in range(start, len(whole), size)]
    for order in ((1, 0, 2, 3), (0, 0, 1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2), (0, 1, 2, 3, 3)):
        with pytest.raises(BackupRefused):
            opened(whole[:start] + b"".join(portions[number] for number in order))


def test_another_key_and_another_header_open_nothing() -> None:
    with pytest.raises(BackupRefused, match="another organisation"):
        opened(written(b"x"), bytes(32))
    with pytest.raises(BackupRefused):
        opened(written(b"x").replace(b'"door-a"', b'"door-b"', 1))


@given(st.binary(max_size=400))
def test_whatever_is_no_back_up_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(BackupRefused, match="F"):
        opened(data)


def test_nothing_of_the_content_shows() -> None:
    assert b"Ann Example" not in written(b"Ann Example" * 100)
