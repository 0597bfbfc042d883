"""Who comes from this machine: by its address, and by the name under which it believes to have come."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from blinkd.serving.server import is_loopback

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether the peer is this machine, and asked for it by a name of it: a page of elsewhere whose name leads here is not ours."""
    client = scope.get("client")
    host = urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname  # type: ignore[arg-type]
    return client is not None and is_loopback(client[0]) and host is not None and is_loopback(host)


def is_same_origin(scope: Mapping[str, Any]) -> bool:
    """Whether the page that asks is one of ours. Browsers send Origin with what changes something, and with every WebSocket."""
    headers = Headers(scope=scope)  # type: ignore[arg-type]
    origin = urlsplit(headers.get("origin", ""))
    if origin.scheme not in DEFAULT_PORTS:
        return False
    return origin.netloc == headers.get("host", "")
