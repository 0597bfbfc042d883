"""A new terminal is claimed: it makes its keys, shows a code, and belongs to whoever answers it with that code.

Whoever carries request and answer (a USB stick, a LAN, a relay) is trusted with nothing. The console, and whoever reads the code off it, is the
one way between terminal and administrator that nobody else can change. The code is 160 bits:

    80 bits   of the SHA-256 of the request: all three public keys of the terminal, and the name that it would like
    80 bits   at random, known to the terminal and to who has read the code

Towards the administrator: the request that arrives has the code's hash, or it is refused. To slip in another key, the carrier would have to find
a second request with the same 80 bits while the first one is waiting; having read the code does not help with that.

Towards the terminal: the answer carries an HMAC-SHA256 by the random half over the request's hash and the whole answer, or it is refused. So it
is from somebody who has read the code; the carrier, who has seen the request only, would have to guess 80 bits, and gets nothing to test
guesses against before the true answer is there, when the terminal takes no second one. An answer to one request answers no other.

Secrecy: the answer is a bundle, sealed to the terminal's box (X25519), whose private key never leaves the terminal. That holds whoever reads the
code, then or later, so the code need not be kept secret for it; and the keyring in the bundle is sealed a second time, as ever.

What remains: somebody who photographs the code and also commands the carrier can answer in the administrator's place, and bring the terminal into
an organisation of his own. He learns nothing of the true one by that, and the true administrator sees that the terminal never comes.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blinkd.crypto.box import Box, seal_to
from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import b64, unb64
from blinkd.crypto.envelope import IV_BYTES
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.request import UNCLAIMED, Request
from blinkd.crypto.signing import Signer
from blinkd.errors import BundleRefused, CertificateRefused, EnvelopeRejected
from blinkd.fleet.bundle import Bundle
from blinkd.fleet.codes import code_of, value_of

CLAIM_FILE = "claim.json"  # in the state folder, until the answer is installed
KIND, VERSION = "blinkd answer", 1
HASH_BYTES = SECRET_BYTES = 10
KEY_BYTES = 32
ANSWER, MAC = b"blinkd answer 1\n", b"blinkd answer mac 1\n"
MEMBERS = frozenset({"kind", "v", "handle", "grant", "iv", "sealed", "mac"})
QR_SCHEME = "blinkd:claim:"  # before the code in a QR, so that whoever scans it sees what it is


@dataclass(frozen=True, slots=True)
class Claim:
    """On the terminal. request: as it goes on its way; secret: 10 bytes, the half of the code that does not."""

    request: Request
    sent: Mapping[str, Any]
    secret: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """For the console."""
        return code_of(_hash(self.request) + self.secret)

    @property
    def handle(self) -> str:
        """What the carrier calls the request by: the hash, 20 hexadecimal characters."""
        return handle(self.request)

    @classmethod
    def begin(cls, state_dir: Path, request: Request, signer: Signer) -> "Claim":
        """The claim that is under way, or a new one where the terminal has other keys or another name since. Raises StoreError."""
        try:
            kept = cls._kept(json.loads((state_dir / CLAIM_FILE).read_bytes()))
            if _keys(kept.request) == _keys(request):
                return kept
        except (OSError, KeyError, TypeError, ValueError, CertificateRefused):
            pass  # none, or torn: another code is shown then
        claim = cls(request, request.to_json(signer), secrets.token_bytes(SECRET_BYTES))
        write_whole(state_dir / CLAIM_FILE, canonical({"request": dict(claim.sent), "secret": b64(claim.secret)}) + b"\n")
        return claim

    @classmethod
    def load(cls, state_dir: Path) -> "Claim":
        """The claim that is under way. Raises BundleRefused."""
        try:
            return cls._kept(json.loads((state_dir / CLAIM_FILE).read_bytes()))
        except (OSError, KeyError, TypeError, ValueError, CertificateRefused):
            raise BundleRefused(
                f"{state_dir / CLAIM_FILE}: this terminal waits for no answer; `blinkd fleet claim` shows a new code"
            ) from None

    def open(self, value: object, box: Box) -> Bundle:
        """The bundle in an answer. Raises BundleRefused."""
        other = (
            "the answer is for another terminal, or not from who has read this terminal's code; `blinkd fleet claim` shows the code again"
        )
        try:
            if not isinstance(value, Mapping) or value.keys() != MEMBERS or value["kind"] != KIND:
                raise BundleRefused("the answer is torn; bring it again")
            if value["v"] != VERSION:
                raise BundleRefused("the answer is of a newer blinkd; upgrade this terminal first")
            said = {name: value[name] for name in MEMBERS - {"mac"}}
            if not hmac.compare_digest(unb64(value["mac"]), _mac(self.secret, _hash(self.request), said)):
                raise BundleRefused(other)
            key = box.open(value["grant"], UNCLAIMED, "answer", self.request.terminal)
            opened = AESGCM(key).decrypt(unb64(value["iv"], IV_BYTES), unb64(value["sealed"]), ANSWER + _hash(self.request))
        except (TypeError, ValueError, EnvelopeRejected, InvalidTag):
            raise BundleRefused(other) from None
        return Bundle.parse(opened)

    @classmethod
    def _kept(cls, value: Mapping[str, Any]) -> "Claim":
        return cls(Request.of(value["request"]), value["request"], unb64(value["secret"], SECRET_BYTES))


def handle(request: Request) -> str:
    """What a carrier calls a request by: the hash, 20 hexadecimal characters."""
    return _hash(request).hex()


def checked(code: str, request: Request) -> bytes:
    """The secret half of a code, once the request is found to be the one that the code stands for. Raises BundleRefused."""
    value = value_of(code, HASH_BYTES + SECRET_BYTES)
    if not hmac.compare_digest(value[:HASH_BYTES], _hash(request)):
        raise BundleRefused(
            "the request is not the one whose code this is: another terminal's, or changed on its way; read the code from the console again, "
            "and bring the request again"
        )
    return value[HASH_BYTES:]


def handle_of(code: str) -> str:
    """What the carrier calls the request of a code by. Raises BundleRefused."""
    return value_of(code, HASH_BYTES + SECRET_BYTES)[:HASH_BYTES].hex()


def answer(request: Request, secret: bytes, bundle: Bundle) -> dict[str, Any]:
    """A bundle on its way to the terminal that has asked. secret: of its code."""
    key, iv = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(IV_BYTES)
    sealed = AESGCM(key).encrypt(iv, bundle.to_bytes(), ANSWER + _hash(request))
    grant = seal_to(request.box, UNCLAIMED, "answer", request.terminal, key)
    said = {"kind": KIND, "v": VERSION, "handle": handle(request), "grant": grant, "iv": b64(iv), "sealed": b64(sealed)}
    return said | {"mac": b64(_mac(secret, _hash(request), said))}


def _keys(request: Request) -> tuple[object, ...]:
    return request.terminal, request.signing, request.box, request.tls_key(UNCLAIMED).public_numbers()


def _hash(request: Request) -> bytes:
    return bytes.fromhex(request.fingerprint().replace(" ", ""))[:HASH_BYTES]


def _mac(secret: bytes, request: bytes, said: Mapping[str, Any]) -> bytes:
    key = HKDF(SHA256(), KEY_BYTES, salt=None, info=MAC + request).derive(secret)
    return hmac.digest(key, canonical(said), "sha256")
