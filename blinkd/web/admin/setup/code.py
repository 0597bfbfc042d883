"""The one-time code by which the first operator of a terminal shows that root has sent them."""

import hashlib
import hmac
import json
import secrets

from blinkd.clock import Instant
from blinkd.errors import BundleRefused, OperatorRefused
from blinkd.fleet.codes import code_of, value_of
from blinkd.store.database import Store

KEPT_AS = "web_setup_code"  # the preference that holds its digest, and when it was made
CODE_BYTES = 10  # 80 bits
VALID_S = 3600.0
REMEDY = "run `sudo blinkd web setup-code` on the terminal for a new one"


def make_setup_code(store: Store, now: Instant) -> str:
    """A new code in the place of the one there was. Raises OperatorRefused where somebody can log in already, StoreError."""
    if store.operators.any():
        raise OperatorRefused("the terminal has an operator already; a forgotten password: `sudo blinkd web operators reset NAME`")
    value = secrets.token_bytes(CODE_BYTES)
    store.preferences.set(KEPT_AS, json.dumps({"digest": _digest(value), "boot_id": now.boot_id, "boot_s": now.boot_s}))
    return code_of(value)


def check_setup_code(store: Store, typed: str, now: Instant) -> None:
    """Raise OperatorRefused unless it is the code, and still valid."""
    try:
        value = value_of(typed, CODE_BYTES)
    except BundleRefused as error:
        raise OperatorRefused(str(error)) from None
    kept = json.loads(store.preferences.get(KEPT_AS) or "{}")
    if not hmac.compare_digest(str(kept.get("digest", "")), _digest(value)):
        raise OperatorRefused(f"this is not the code, or it was used already; {REMEDY}")
    # by the clock that nobody can set; after a restart of the machine it is over
    if kept["boot_id"] != now.boot_id or now.boot_s - kept["boot_s"] >= VALID_S:
        raise OperatorRefused(f"the code is older than an hour, or from before a restart; {REMEDY}")


def spend_setup_code(store: Store) -> None:
    """It is good for nothing any more. Within the transaction of what it was good for."""
    store.preferences.set(KEPT_AS, "{}")


def _digest(value: bytes) -> str:
    return hashlib.sha256(b"blinkd setup code 1\n" + value).hexdigest()
