"""Reads request bodies, within limits of size and time that hold while reading, whatever the headers promise."""

import asyncio
import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from blinkd.errors import RequestRefused
from blinkd.relay.api.plain import refuse_plain
from blinkd.sync.wire import LONGEST_MESSAGE

READ_S = 30.0  # for a whole body: a phone on a poor line sends 10 MB in it, and a client that trickles is let go
JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"


async def read_json(request: Request) -> bytes:
    """The bytes of a JSON body. Raises RequestRefused: 415 for another kind, 413, 408, 400."""
    _demand_kind(request, JSON_TYPE)
    return await read_body(request, LONGEST_MESSAGE)


async def read_form(request: Request, most: int) -> tuple[str, bytes]:
    """Content type with its boundary, and the bytes of a form. Raises as `read_json`."""
    _demand_kind(request, FORM_TYPE)
    return request.headers["content-type"], await read_body(request, most)


async def read_body(request: Request, most: int) -> bytes:
    """Up to so many bytes, into memory. Raises RequestRefused: 413 too_large, 408 too_slow, 400 broken_off."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.stream():
                if len(body) + len(chunk) > most:
                    _too_large(most)
                body += chunk
    except TimeoutError:
        raise RequestRefused(408, "too_slow", f"the body took longer than {READ_S:g} s; send smaller batches") from None
    except ClientDisconnect:
        raise RequestRefused(400, "broken_off", "the connection ended before the body did") from None
    return bytes(body)


def parse(body: bytes) -> Any:  # noqa: ANN401  any JSON value
    """The JSON value, without a plain embedding anywhere. Raises RequestRefused (422): malformed, plain_embedding."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_number, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):  # also what is not UTF-8, and whole numbers of more digits than Python reads
        raise RequestRefused(422, "malformed", "the body is not JSON in UTF-8") from None
    refuse_plain(value)
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):  # readers of JSON differ in which one they take
        raise ValueError("a member stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _demand_kind(request: Request, kind: str) -> None:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != kind:
        raise RequestRefused(415, "wrong_content_type", f"send the body as {kind}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestRefused(415, "wrong_content_type", "send the body uncompressed")


def _too_large(most: int) -> NoReturn:
    raise RequestRefused(413, "too_large", f"the body has more than {most} bytes; send smaller batches")
