"""PINs and badge codes as hashes: what a thief of the database would have to guess against.

A PIN is short, so its hash is slow: scrypt (RFC 7914). A badge's code is 128 random bits, which nobody guesses, so its hash is SHA-256; the number of
a card that is used as a badge may be guessed, which is why both are sealed at rest besides (`at_rest`).
"""

import base64
import hashlib
import hmac
import re
import secrets
from itertools import pairwise

from blinkd.errors import PinRefused

LOG_N, R, P = 15, 8, 1  # 32 MiB and about 0.1 s here: a guess is slow, and a Pi still answers within a second
MOST_LOG_N, MOST_R, MOST_P = 17, 8, 2  # of a hash that another terminal made: no record may hold up the door
SALT_BYTES, HASH_BYTES = 16, 32
MEMORY = 2 * 128 * (1 << MOST_LOG_N) * MOST_R  # bytes that scrypt may take; OpenSSL's own limit is too small
LONGEST_PIN = 12
FEWEST_DIGITS = 3  # different ones: 121212 is no secret
FORM = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d)\$([A-Za-z0-9+/=]{24})\$([A-Za-z0-9+/=]{44})")
BADGE_CONTEXT = b"blinkd badge 1\n"
BADGE_PREFIX = "BLINKD"  # letters and digits only, which keyboards of every language type alike but for Y and Z
BADGE_BYTES = 16
SHORTEST_CODE, LONGEST_CODE = 8, 128  # characters of a card's number or a badge's code
DIGEST = re.compile(r"[0-9a-f]{64}")


def hash_pin(pin: str) -> str:
    """A new hash with a salt of its own: scrypt$log2(N)$r$p$salt$hash, base64."""
    salt = secrets.token_bytes(SALT_BYTES)
    return "$".join(("scrypt", str(LOG_N), str(R), str(P), _b64(salt), _b64(_scrypt(pin, salt, LOG_N, R, P))))


def holds(pin: str, hashed: str | None) -> bool:
    """Whether it is the PIN of a hash; None: of nobody's, which takes as long and is never true."""
    if hashed is None:
        _scrypt(pin, bytes(SALT_BYTES), LOG_N, R, P)
        return False
    found = FORM.fullmatch(hashed)
    if found is None or not well_formed(hashed):
        return False
    log_n, r, p = (int(number) for number in found.groups()[:3])
    salt, wanted = (base64.b64decode(text) for text in found.groups()[3:])
    return hmac.compare_digest(_scrypt(pin, salt, log_n, r, p), wanted)


def well_formed(hashed: str) -> bool:
    """Whether it is the hash of a PIN as `hash_pin` makes them, and may be computed."""
    found = FORM.fullmatch(hashed)
    if found is None:
        return False
    log_n, r, p = (int(number) for number in found.groups()[:3])
    return 10 <= log_n <= MOST_LOG_N and 1 <= r <= MOST_R and 1 <= p <= MOST_P


def check_pin(pin: str, digits: int, person_id: str) -> None:
    """Raise PinRefused unless it is a PIN of at least so many digits that is not the first to be guessed."""
    if not (pin.isascii() and pin.isdigit()):
        raise PinRefused("a PIN is digits only, for a keypad has no others")
    if not digits <= len(pin) <= LONGEST_PIN:
        raise PinRefused(f"the PIN has {len(pin)} digits; give {digits} (entry.pin_digits) to {LONGEST_PIN}")
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    own = "".join(character for character in person_id if character.isdigit())
    if len(set(pin)) < FEWEST_DIGITS or steps in ({1}, {9}) or (own and (pin.strip("0") == own.strip("0") or pin in own)):
        raise PinRefused("this PIN is among the first that anybody tries: repeated digits, a row of them, or the person's own number")


def new_code() -> str:
    """The code of a new badge: 128 random bits as letters and digits."""
    return BADGE_PREFIX + base64.b32encode(secrets.token_bytes(BADGE_BYTES)).decode().rstrip("=")


def code_digest(code: str) -> str:
    """Of a badge's code or a card's number, however the reader writes capitals. Hexadecimal. Raises PinRefused for one that is too short or long."""
    cleaned = code.strip().upper()
    if not SHORTEST_CODE <= len(cleaned) <= LONGEST_CODE:
        raise PinRefused(f"the code has {len(cleaned)} characters; a badge or card has {SHORTEST_CODE} to {LONGEST_CODE}")
    return hashlib.sha256(BADGE_CONTEXT + cleaned.encode()).hexdigest()


def _scrypt(pin: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=MEMORY, dklen=HASH_BYTES)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
