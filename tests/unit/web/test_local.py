"""Who comes from this machine, and from our own pages."""

from typing import Any

import pytest

from blinkd.web.local import is_local, is_same_origin


def scope(address: str | None, **headers: str) -> dict[str, Any]:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "client": None if address is None else (address, 5), "headers": raw}


@pytest.mark.parametrize(
    ("address", "host", "local"),
    [
        ("127.0.0.1", "127.0.0.1:8480", True),
        ("::1", "[::1]:8480", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "terminal.example:8480", False),  # a name of elsewhere that leads here
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "", False),
        ("192.0.2.1", "127.0.0.1:8480", False),
        ("not an address", "127.0.0.1", False),
        (None, "127.0.0.1", False),
    ],
)
def test_local_is_the_peer_and_the_name(address: str | None, host: str, local: bool) -> None:
    assert is_local(scope(address, host=host)) is local


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://127.0.0.1:8480", True),
        ("https://127.0.0.1:8480", True),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:8481", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        ("file://127.0.0.1:8480", False),
        ("http://user@127.0.0.1:8480", False),
    ],
)
def test_an_origin_is_ours_when_it_is_where_we_are(origin: str, same: bool) -> None:
    assert is_same_origin(scope("127.0.0.1", host="127.0.0.1:8480", origin=origin)) is same


def test_without_an_origin_it_is_nobodys() -> None:
    assert is_same_origin(scope("127.0.0.1", host="127.0.0.1:8480")) is False
