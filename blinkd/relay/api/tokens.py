"""Bearer tokens: one for each client of an organisation, random, shown once, kept as a digest."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from blinkd.errors import RequestRefused

SECRET_BYTES = 32  # 256 random bits: no salt or slow hash is needed, since nobody can guess through them
FORM = re.compile(r"blinkd_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
CHALLENGE_WORDS = "send a valid token as 'Authorization: Bearer blinkd_…'; `blinkd relay token add` makes one"


class Scope(StrEnum):
    """What a token's holder may do."""

    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    ATTENDANCE_WRITE = "attendance:write"
    EMBEDDINGS = "embeddings"
    DASHBOARD_READ = "dashboard:read"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept. id: 16 hexadecimal digits, no secret; digest: SHA-256 of the secret; times in UTC; used_on: ISO day."""

    id: str
    org: str
    label: str
    digest: bytes
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_on: str | None = None

    def state(self, now: datetime) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "valid"


def new_token(org: str, label: str, scopes: frozenset[Scope], now: datetime, expires_at: datetime | None) -> tuple[Token, str]:
    """A token to keep, and the text that is shown once."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    token = Token(secrets.token_hex(8), org, label, _digest(secret), scopes, now.astimezone(UTC), expires_at)
    return token, f"blinkd_{token.id}_{secret}"


def token_id_of(text: str) -> str | None:
    """The id in a token's text; None for what is none."""
    found = FORM.fullmatch(text)
    return None if found is None else found[1]


def admit(text: str, kept: Token | None, now: datetime) -> Token:
    """The token, when the text is that of the kept one.

    Raises RequestRefused (401): only who knows the secret learns that it has expired or been revoked.
    """
    found = FORM.fullmatch(text)
    digest = _digest(found[2] if found else "")
    # with a token or without, there is one comparison, which takes as long wherever the first difference is
    same = hmac.compare_digest(digest, kept.digest if kept is not None else bytes(32))
    if found is None or kept is None or not same or found[1] != kept.id:
        raise RequestRefused(401, "unauthorized", CHALLENGE_WORDS)
    if (state := kept.state(now)) != "valid":
        raise RequestRefused(401, f"token_{state}", f"this token is {state}; ask the relay's operator for a new one")
    return kept


def demand(token: Token, scope: Scope) -> None:
    """Raises RequestRefused (403) when the token has not the scope."""
    if scope not in token.scopes:
        raise RequestRefused(403, "scope", f"this token has not the scope {scope}; the relay's operator can make one that has it")


def revoked(token: Token, now: datetime) -> Token:
    """The same token, of no use; one that is revoked already keeps its time."""
    return token if token.revoked_at is not None else replace(token, revoked_at=now.astimezone(UTC))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
