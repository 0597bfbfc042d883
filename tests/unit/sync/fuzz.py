"""What hypothesis makes out of true messages: values in the wrong places, bytes that are none, JSON that only Python takes."""

import copy
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from blinkd.crypto.envelope import Envelope
from blinkd.sync.messages import (
    Batch,
    ChainState,
    Change,
    Changes,
    Page,
    PagedChange,
    Pull,
    Receipt,
    RegistryHead,
    Rejected,
    SealedEntry,
    Settled,
    Status,
    Stored,
)

SENDER = ("acme", "door")
BOOK = str(uuid.UUID(int=5))
ENVELOPE = Envelope(bytes(1024), bytes(12), bytes(16), 2, "0011aabb.door")
CERTIFICATE = b"DER"
DIGEST = "2ee306475ab7cfd9c7c2f01c7a8a85c4a1a3ba4de3ae79d2b83aa0a9fa9d4c63"


def _samples() -> Iterator[Any]:
    """One true message of each kind, with everything in it that may be."""
    digest = hashlib.sha256(CERTIFICATE).hexdigest()
    entries = (SealedEntry(3, bytes(32), bytes(64), ENVELOPE), SealedEntry(4, bytes(32), bytes(64), None, "erased"))
    changes = (
        Change("aa" * 16, "person", 0, 1, ENVELOPE, None, bytes(64)),
        Change("aa" * 16, "person", 1, 2, None, None, bytes(64), again=True),
        Change("epoch.00112233.door", "epoch", 0, 1, None, {"grant": {"to": ["door", 1, True, None]}}, bytes(64), bytes(64)),
    )
    yield Batch(*SENDER, BOOK, CERTIFICATE, bytes(32), entries)
    yield Changes(*SENDER, CERTIFICATE, changes)
    yield Pull(*SENDER, 4, 500, "00ff", "0abc")
    yield Page(
        "00ff", 4, 9, 12, True, {digest: CERTIFICATE}, tuple(PagedChange(change, "gate", 5 + n, digest) for n, change in enumerate(changes))
    )
    yield Receipt(
        Stored(BOOK, 4, bytes(32)),
        (Settled("aa" * 16, 1, "rejected", 0, "bad_signature"),),
        (Rejected("attendance", 3, "bad_signature", "entry 3: …"),),
        ChainState("gap", "after entry 2"),
    )
    yield RegistryHead(17)
    yield Status(*SENDER, True, "0.1", {"outbox": 3, "disk": "ok"})


SAMPLES = list(_samples())
PARSERS: list[Callable[[bytes], Any]] = [type(sample).parse for sample in SAMPLES]

# What JSON can say and no message does: also what only some readers of JSON take.
STRANGE = [
    "NaN", "Infinity", "-Infinity", "1e999", "-0.0", "1.5", "2.0", "1e2", "-1", "9007199254740992", "9" * 400, "-" + "9" * 5000, "true",
    "null", '""', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"' + "x" * 70_000 + '"', '"../../etc"', '"+/#"', '"a/b"', "[]", "{}", "[[]]",
    '{"v":2}', '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}', '"AA=="', '"AAA"', '"AB=="', '"A A="', "[" * 200 + "]" * 200,
    "[" * 100_000, "0x10", "01", "'a'", "",
]  # fmt: skip


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything within a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def replaced(value: Any, path: tuple[str | int, ...], text: str) -> bytes:
    """The JSON of a value with this text in the place of what stands there."""
    mark = str(uuid.UUID(int=99))
    if not path:
        return text.encode("utf-8", "surrogatepass")
    made = copy.deepcopy(value)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = mark
    return json.dumps(made).replace(json.dumps(mark), text).encode("utf-8", "surrogatepass")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["acme", "door", BOOK, DIGEST, "AAAA", "stored"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.sampled_from(["v", "seq", "open"]), inner, max_size=4)
    ),
    max_leaves=12,
)
any_json = json_values.map(json.dumps)
any_text = any_json | st.sampled_from(STRANGE)


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A true message with one to three of its values exchanged, or members left out, added or doubled."""
    sample = draw(st.sampled_from(SAMPLES))
    value = json.loads(sample.to_bytes())
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from([one for one in places(value) if one]))
        at = value
        for step in path[:-1]:
            at = at[step]
        what = draw(st.sampled_from(["remove", "add", "exchange"]))
        if what == "remove":
            del at[path[-1]]
        elif what == "exchange":
            at[path[-1]] = draw(json_values)
        elif isinstance(at, dict):
            at[draw(st.text(max_size=4))] = draw(json_values)
        else:
            at.append(draw(json_values))
    path = draw(st.sampled_from(list(places(value))))
    return replaced(value, path, draw(any_text))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A true message with some bytes changed, cut out or doubled."""
    data = bytearray(draw(st.sampled_from(SAMPLES)).to_bytes())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 20)))
        data[start:end] = draw(st.binary(max_size=4) | st.just(bytes(data[start:end]) * 2))
    return bytes(data)
