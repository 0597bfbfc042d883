"""Operators' passwords as hashes: argon2id (RFC 9106) by argon2-cffi."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from blinkd.crypto.encoding import b64
from blinkd.crypto.passwords import password_bytes
from blinkd.errors import PasswordRefused, RequestRefused

# The RFC's second recommendation (64 MiB, three passes, four lanes), for machines with little memory: a Raspberry Pi 4 takes about half a second
PARAMETERS = RFC_9106_LOW_MEMORY
LONGEST = 1024  # characters: more is no password
MOST_WAITING = 4  # beside the one that is computed: 64 MiB are taken once only, and who floods the log-in is turned away
BUSY_S = 5


class Hasher:
    """One hash is computed at a time; whoever comes while several wait is refused (RequestRefused, 503)."""

    def __init__(self, library: PasswordHasher | None = None) -> None:
        self._library = library or PasswordHasher.from_parameters(PARAMETERS)
        self._places = threading.BoundedSemaphore(1 + MOST_WAITING)
        self._turn = threading.Lock()

    def hash(self, password: str) -> str:
        """A new hash with a salt of its own, in the PHC string format. Raises PasswordRefused for what is no text or too long."""
        if len(password) > LONGEST:
            raise PasswordRefused(f"the password has {len(password)} characters; {LONGEST} are enough")
        with self._alone():
            return self._library.hash(password_bytes(password))

    def holds(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password of a hash; None: of nobody's, which takes as long and is never true."""
        try:
            given = password_bytes(password[:LONGEST])
        except PasswordRefused:
            given = b""  # never anybody's, and takes as long
        with self._alone():
            try:
                right = self._library.verify(hashed or self._nobodys(), given)
            except (VerificationError, InvalidHashError):
                return False
        return right and hashed is not None and len(password) <= LONGEST

    def outdated(self, hashed: str) -> bool:
        """Whether it was made with other parameters than new ones are."""
        return self._library.check_needs_rehash(hashed)

    def _nobodys(self) -> str:
        """What no password fits: random bytes in the place of a hash."""
        library = self._library
        assert library.type is Type.ID
        salt, tag = (b64(secrets.token_bytes(size)).rstrip("=") for size in (library.salt_len, library.hash_len))
        return f"$argon2id$v=19$m={library.memory_cost},t={library.time_cost},p={library.parallelism}${salt}${tag}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise RequestRefused(503, "busy", f"many are logging in at this moment; try again in {BUSY_S} s", BUSY_S)
        try:
            with self._turn:
                yield
        finally:
            self._places.release()
