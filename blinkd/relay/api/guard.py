"""Lets a request in: its token, the token's scope, and how often it came."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from blinkd.clock import Clock
from blinkd.errors import RequestRefused
from blinkd.relay.api.limits import RateLimits
from blinkd.relay.api.storage import ApiStorage
from blinkd.relay.api.tokens import CHALLENGE_WORDS, Scope, Token, admit, demand, token_id_of

BEARER = HTTPBearer(auto_error=False, description="A token of `blinkd relay token add`.")

Admission = Callable[..., Token]


class Guard:
    """Knows the tokens."""

    def __init__(self, storage: ApiStorage, limits: RateLimits, clock: Clock) -> None:
        self._storage = storage
        self._limits = limits
        self._clock = clock

    def requires(self, scope: Scope) -> Admission:
        """What a route depends on: gives the token, or raises RequestRefused (401, 403, 429) before the body is read."""

        def admission(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> Token:
            token = self._admit(None if bearer is None else bearer.credentials)
            request.state.token_id = token.id
            self._limits.token(token.id)
            demand(token, scope)
            return token

        return admission

    def _admit(self, text: str | None) -> Token:
        if text is None:
            raise RequestRefused(401, "unauthorized", CHALLENGE_WORDS)
        now = self._clock.now().utc
        token_id = token_id_of(text)
        token = admit(text, None if token_id is None else self._storage.token(token_id), now)
        self._storage.used(token, now)
        return token
