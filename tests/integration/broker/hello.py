"""Begins TLS by hand in versions that this Python may no longer speak itself."""

import os
import socket

TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303
ALERT, HANDSHAKE = 21, 22
PROTOCOL_VERSION = 70  # RFC 5246, 7.2
CIPHERS = (0xC02B, 0xC009, 0xC00A)  # ECDHE-ECDSA with AES128-GCM (1.2), and with AES-CBC and SHA (from 1.0 on)
GROUPS, FORMATS, SIGNATURES = 10, 11, 13  # numbers of extensions
P256, UNCOMPRESSED, ECDSA_SHA256 = 23, 0, 0x0403


def answer_to_hello(port: int, version: int) -> tuple[int, int]:
    """Kind of the server's first record, and of an alert its description (else 0)."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection, connection.makefile("rb") as reader:
        connection.sendall(_hello(version))
        kind, *_, high, low = reader.read(5)
        body = reader.read(high * 256 + low)
        return kind, body[1] if kind == ALERT else 0


def _hello(version: int) -> bytes:
    extensions = (
        _extension(GROUPS, _long(P256.to_bytes(2)))
        + _extension(FORMATS, bytes([1, UNCOMPRESSED]))
        + (_extension(SIGNATURES, _long(ECDSA_SHA256.to_bytes(2))) if version == TLS_1_2 else b"")
    )
    ciphers = b"".join(cipher.to_bytes(2) for cipher in CIPHERS)
    body = version.to_bytes(2) + os.urandom(32) + b"\0" + _long(ciphers) + b"\x01\0" + _long(extensions)
    message = b"\x01" + len(body).to_bytes(3) + body
    return bytes([HANDSHAKE]) + TLS_1_0.to_bytes(2) + _long(message)


def _extension(number: int, value: bytes) -> bytes:
    return number.to_bytes(2) + _long(value)


def _long(value: bytes) -> bytes:
    return len(value).to_bytes(2) + value
