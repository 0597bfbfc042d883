"""How long a terminal's certificate counts yet, and what is to be said about it.

Only the authority's key can make a certificate, and that key is kept off the network; so no terminal can renew itself without somebody at the
authority. What needs nobody at the terminal is all the rest: `renewal.py` says how.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509

from blinkd.clock import Instant
from blinkd.crypto.certificates import UNREADABLE
from blinkd.crypto.installation import TERMINAL_FILE
from blinkd.settings import Settings

WARN_DAYS = 30  # before the end: time for a visit, or a letter with a stick
DAY = timedelta(days=1)
RENEW = "run `blinkd fleet renew` here, and `blinkd fleet renewals` or `blinkd fleet issue` at the authority"


@dataclass(frozen=True, slots=True)
class Expiry:
    """state: none (no certificate is wanted, for there is no broker), missing, unreadable, early (not valid yet), ok, soon, over, unknown (this
    clock may be wrong); days: whole days left, negative once it is over, None where nothing can be said; not_after: aware UTC; words: for
    people.
    """  # fmt: skip

    state: Literal["none", "missing", "unreadable", "early", "ok", "soon", "over", "unknown"]
    days: int | None
    not_after: datetime | None
    words: str

    @property
    def troubles(self) -> bool:
        """Whether somebody should be told."""
        return self.state in ("missing", "unreadable", "early", "soon", "over")


def certificate_file(settings: Settings) -> Path:
    """Where the terminal's certificate is."""
    return settings.sync.certificate_file or settings.state_dir / TERMINAL_FILE


def expiry_of(settings: Settings, now: Instant) -> Expiry:
    """Look at the terminal's certificate; reads one file, raises nothing."""
    path = certificate_file(settings)
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except FileNotFoundError:
        if settings.sync.broker:
            return Expiry("missing", None, None, f"{path}: there is no certificate, so no broker lets this terminal in")
        return Expiry("none", None, None, "no certificate, and none is needed: sync.broker names no broker")
    except OSError as error:
        return Expiry("unreadable", None, None, f"{path}: cannot be read: {error.strerror}")
    except UNREADABLE:
        return Expiry("unreadable", None, None, f"{path}: torn")
    until = f"the certificate is valid until {end:%Y-%m-%d}"
    if now.confidence == "unsynced":
        return Expiry("unknown", None, end, f"{until}; this clock is not known to be right")
    days = math.floor((end - now.utc.astimezone(UTC)) / DAY)
    if now.utc < begin:
        return Expiry("early", days, end, f"the certificate is valid from {begin:%Y-%m-%d} on only")
    if days < 0:
        return Expiry("over", days, end, f"the certificate ended on {end:%Y-%m-%d}: the broker lets this terminal in no more")
    if days <= WARN_DAYS:
        return Expiry("soon", days, end, f"{until}, {days} days more")
    return Expiry("ok", days, end, f"{until}, {days} days more")
