"""Log-in: name and password, and how often they may be wrong."""

import logging
import math
import threading
from dataclasses import dataclass

from blinkd.clock import Clock
from blinkd.crypto.argon import Hasher
from blinkd.errors import RequestRefused, StoreError
from blinkd.store.operators import Operator, known_as
from blinkd.web.admin.operators.throttle import Throttle
from blinkd.web.admin.recorder import Recorder
from blinkd.web.shared_store import SharedStore

WRONG = "wrong name or password"
WITHIN_S = 600.0
TRIES_OF_NAME = (
    8  # within that time, at one name from the network; at the terminal itself counted apart, so that nobody outside can shut out who
)
# stands before it
TRIES_OF_ADDRESS = 30  # of anybody from one address: a site's operators may share one

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody typed, and where. address: as `address_of` says."""

    name: str
    password: str
    address: str


class SigningIn:
    """Says who somebody is. The answer to an unknown name, a wrong password and somebody who is shut out is one, and takes as long."""

    def __init__(self, store: SharedStore, clock: Clock, hasher: Hasher, recorder: Recorder) -> None:
        self._store = store
        self._clock = clock
        self._hasher = hasher
        self._recorder = recorder
        self._names = Throttle(TRIES_OF_NAME, WITHIN_S)
        self._addresses = Throttle(TRIES_OF_ADDRESS, WITHIN_S)
        self._lock = threading.Lock()

    def sign_in(self, attempt: Attempt) -> Operator:
        """Raises RequestRefused: 401 wrong, 429 too often, 503 too many at once."""
        self.take_turn(attempt.name, attempt.address)
        with self._store.use() as store:
            found = store.operators.find(attempt.name)
        operator, hashed = (None, None) if found is None else found
        right = self._hasher.holds(attempt.password, hashed)  # not under the lock: it takes a while
        if operator is None or not right or operator.disabled:
            why = "unknown" if operator is None else "disabled" if right else "password"
            target = "" if operator is None else f"operator {operator.id}"
            self._recorder.refused(None, "login", target, f"{why}, from {attempt.address}")
            raise RequestRefused(401, "wrong", WRONG)
        with self._lock:
            self._names.forget(self._key(attempt.name, attempt.address))
        assert hashed is not None
        self._renew(operator, attempt.password, hashed)
        return operator

    def take_turn(self, name: str, address: str) -> None:
        """Count a try of a name at an address, before anything is computed for it. Raises RequestRefused (429)."""
        now_s, key = self._clock.now().boot_s, self._key(name, address)
        with self._lock:
            wait_s = max(self._names.wait_s(key, now_s), self._addresses.wait_s(address, now_s))
            if wait_s <= 0:
                self._names.count(key, now_s)
                self._addresses.count(address, now_s)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            self._recorder.refused(None, "login", "", f"too often, from {address}")
            minutes = math.ceil(wait_s / 60)
            raise RequestRefused(429, "too_often", f"too many wrong tries; try again in {minutes} min", seconds)

    def _key(self, name: str, address: str) -> str:
        return f"{'here' if address == 'local' else 'network'} {known_as(name[:200])}"

    def _renew(self, operator: Operator, password: str, hashed: str) -> None:
        """Hash anew where the parameters have changed since."""
        if not self._hasher.outdated(hashed):
            return
        try:
            new = self._hasher.hash(password)
            with self._store.use() as store:
                store.operators.rehash(operator.id, hashed, new)
        except (StoreError, RequestRefused) as error:  # the next log-in tries again
            log.warning("the password of operator %d could not be hashed anew: %s", operator.id, error)
