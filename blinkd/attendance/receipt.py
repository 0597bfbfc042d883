"""The receipt of a deletion: what HR keeps to show that a person was erased, and anyone can check."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blinkd.crypto.chain import canonical
from blinkd.crypto.signing import Signer, Verifier
from blinkd.errors import NotAllowed

FORM = "blinkd deletion receipt 1"
KEY_BYTES, SIGNATURE_BYTES = 32, 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """content: whole numbers and text; public: the terminal's key, 32 bytes; signature: 64 bytes, over the canonical content."""

    content: Mapping[str, Any]
    public: bytes
    signature: bytes

    def as_json(self) -> dict[str, Any]:
        """What is handed out."""
        return {"receipt": FORM, **self.content, "public_key": self.public.hex(), "signature": self.signature.hex()}


def sign(content: Mapping[str, Any], signer: Signer) -> Receipt:
    """Make a receipt."""
    return Receipt(content, signer.public, signer.sign(_message(content, signer.public)))


def read(path: Path) -> Receipt:
    """Read a receipt and check its signature. Raises NotAllowed when it is torn, altered, or none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        content = {key: entry for key, entry in value.items() if key not in ("receipt", "public_key", "signature")}
        public, signature = bytes.fromhex(value["public_key"]), bytes.fromhex(value["signature"])
        form = value["receipt"]
    except OSError as error:
        raise NotAllowed(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotAllowed(f"{path}: torn, or no receipt; give the file as people delete wrote it") from None
    if form != FORM or len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise NotAllowed(f"{path}: no receipt of the form {FORM!r}")
    if not Verifier(public).holds(_message(content, public), signature):
        raise NotAllowed(f"{path}: altered: the signature is not that of its key over what it says")
    return Receipt(content, public, signature)


def _message(content: Mapping[str, Any], public: bytes) -> bytes:
    return canonical({"receipt": FORM, **content, "public_key": public.hex()})
