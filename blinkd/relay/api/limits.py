"""How often a client may ask: sliding windows of a minute, by the library `limits`, in this process's memory.

Several relay processes count each for itself, so the limits of a deployment are these times its processes.
"""

import ipaddress
import math
from collections.abc import Callable
from datetime import datetime

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from blinkd.errors import RequestRefused
from blinkd.relay.api.options import CLAIM_RATE, MINUTE_S, ApiOptions

IPV6_SITE_BITS = 64  # whoever has one address of such a network has them all


class RateLimits:
    """Counts requests. Every method raises RequestRefused (429) with the seconds after which to try again."""

    def __init__(self, options: ApiOptions, now: Callable[[], datetime]) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._now = now
        self._token = RateLimitItemPerMinute(options.token_rate, namespace="token")
        self._address = RateLimitItemPerMinute(options.address_rate, namespace="address")
        self._embedding = RateLimitItemPerMinute(options.embedding_rate, namespace="embedding")
        self._claim = RateLimitItemPerMinute(CLAIM_RATE, namespace="claim")

    def address(self, address: str) -> None:
        """Count a request of an address."""
        self._hit(self._address, site_of(address))

    def token(self, token_id: str) -> None:
        """Count a request of a token."""
        self._hit(self._token, token_id)

    def embedding(self, token_id: str) -> None:
        """Count a picture of a token."""
        self._hit(self._embedding, token_id)

    def claim(self, address: str) -> None:
        """Count what somebody without a token wants to leave here."""
        self._hit(self._claim, site_of(address))

    def _hit(self, item: RateLimitItem, key: str) -> None:
        if not self._limiter.hit(item, key):
            self._refuse(item, key)

    def _refuse(self, item: RateLimitItem, key: str) -> None:
        wait = math.ceil(self._limiter.get_window_stats(item, key).reset_time - self._now().timestamp())
        seconds = min(max(wait, 1), MINUTE_S)
        raise RequestRefused(429, "too_many_requests", f"more than {item.amount} requests a minute; try again in {seconds} s", seconds)


def site_of(address: str) -> str:
    """The address by which a client is counted: an IPv4 address, the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"  # a socket without an address: all of them together
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, IPV6_SITE_BITS), strict=False))
    return str(found)
