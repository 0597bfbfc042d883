"""A relay carries claims: the terminal's side and the administrator's, over HTTP.

Nothing here is trusted: whoever sits between may read, change and keep back what passes, and `claim.py` notices. So plain http:// is taken too.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from blinkd.errors import BundleRefused, CarrierAway

PATH = "/api/v1/claims"
ANSWER_S = 15.0  # for one request
MOST_BYTES = 1 << 18  # of an answer


class Carrier:
    """A relay at an address like https://relay.example. Every method raises CarrierAway when it cannot be reached or has no room."""

    def __init__(self, address: str) -> None:
        """Raises BundleRefused for what is no address."""
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BundleRefused(f"{address[:80]!r} is no address of a relay; write it like https://relay.example or http://192.0.2.7:8000")
        self._base = address.rstrip("/") + PATH

    def begin(self, sent: Mapping[str, Any]) -> None:
        """Leave a request there."""
        self._call("POST", "", sent)

    def find(self, handle: str) -> tuple[Any, Any] | None:
        """Request and answer, as JSON values, the answer None while there is none; None when nothing is known by that handle."""
        value = self._call("GET", f"/{handle}", None)
        return None if value is None else (value.get("request"), value.get("answer"))

    def answer(self, handle: str, answer: Mapping[str, Any]) -> bool:
        """Leave an answer there; whether anybody waits for it."""
        return self._call("PUT", f"/{handle}/answer", answer) is not None

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  __init__ has looked at the scheme
            self._base + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310  the same
                value = json.loads(answer.read(MOST_BYTES + 1)[:MOST_BYTES])
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404 and path:
                    return None
                raise CarrierAway(f"{self._base}: {_words(error)}") from None
        except OSError as error:  # URLError is one
            raise CarrierAway(f"{self._base}: cannot be reached: {getattr(error, 'reason', None) or error}") from None
        except (ValueError, RecursionError):
            raise CarrierAway(f"{self._base}: answers something else than a relay does; check the address") from None
        if not isinstance(value, dict):
            raise CarrierAway(f"{self._base}: answers something else than a relay does; check the address")
        return value


def _words(error: urllib.error.HTTPError) -> str:
    if error.code == 404:
        return "takes no claims; set relay.claims = true there"
    try:
        return f"answers {error.code}: {str(json.loads(error.read(MOST_BYTES))['detail'])[:200]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return f"answers {error.code}"
