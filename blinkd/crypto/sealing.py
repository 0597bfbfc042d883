"""Seals what this terminal sends and opens what others sent, with the working keys of the organisation's keyring."""

import secrets
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from blinkd.crypto.envelope import IV_BYTES, SIZES, TAG_BYTES, TEMPLATE_SIZES, VERSION, Envelope, associated_data, pad, unpad
from blinkd.errors import EnvelopeRejected, KeyMissing

ENTRIES, PEOPLE = "attendance", "people"  # purposes of working keys
PURPOSES = {"entry": ENTRIES}  # of record types; every other one is PEOPLE
PADDED = {"template": TEMPLATE_SIZES}  # sizes of record types; every other one has SIZES
MOST_CIPHERS = 512  # that are kept: terminals times epochs times purposes


class Keys(Protocol):
    """The keyring, as far as sealing needs it."""

    @property
    def organisation(self) -> str:
        """Whose it is."""

    @property
    def current(self) -> str:
        """The epoch by which new envelopes are sealed."""

    def working_key(self, epoch: str, purpose: str, terminal: str) -> bytes:
        """32 bytes. Raises KeyMissing for an epoch that is not in it."""


class Sealer:
    """For one terminal. Each sender has keys of its own, so that none comes near the 2^32 messages that random IVs of 96 bits allow."""

    def __init__(self, keys: Keys, terminal: str) -> None:
        self._keys = keys
        self._terminal = terminal
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    def seal(self, record_type: str, record_id: str, content: bytes) -> Envelope:
        """Pad and encrypt, bound to type and id. Raises EnvelopeRejected (too_large), KeyMissing."""
        kid = f"{self._keys.current}.{self._terminal}"
        padded, iv = pad(content, PADDED.get(record_type, SIZES)), secrets.token_bytes(IV_BYTES)
        sealed = self._cipher(kid, record_type).encrypt(iv, padded, self._bound(kid, record_type, record_id))
        return Envelope(sealed[:-TAG_BYTES], iv, sealed[-TAG_BYTES:], VERSION, kid)

    def open(self, envelope: Envelope, record_type: str, record_id: str) -> bytes:
        """The content. Raises EnvelopeRejected: unknown_key where a later keyring may open it; tampered, bad_padding, other_version where none will."""
        if envelope.v != VERSION:
            raise EnvelopeRejected(
                "other_version", f"{record_id}: an envelope of version {envelope.v}; this blinkd reads version {VERSION}"
            )
        try:
            cipher = self._cipher(envelope.kid, record_type)
        except KeyMissing as error:
            raise EnvelopeRejected("unknown_key", f"{record_id}: {error}") from None
        try:
            padded = cipher.decrypt(envelope.iv, envelope.ciphertext + envelope.tag, self._bound(envelope.kid, record_type, record_id))
        except InvalidTag:
            raise EnvelopeRejected(
                "tampered", f"{record_id}: the envelope was changed, or is another record's, terminal's or organisation's"
            ) from None
        return unpad(padded)

    def _bound(self, kid: str, record_type: str, record_id: str) -> bytes:
        return associated_data(kid, self._keys.organisation, record_type, record_id)

    def _cipher(self, kid: str, record_type: str) -> AESGCM:
        purpose = PURPOSES.get(record_type, PEOPLE)
        if (cipher := self._ciphers.get((kid, purpose))) is None:
            epoch, _, terminal = kid.partition(".")
            cipher = AESGCM(self._keys.working_key(epoch, purpose, terminal))
            if len(self._ciphers) >= MOST_CIPHERS:
                self._ciphers.clear()
            self._ciphers[kid, purpose] = cipher
        return cipher
