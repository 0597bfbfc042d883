"""Whatever bytes come from the network: each decoder gives a message or says in its own words that it is none, and takes little for it."""

import base64
import json
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import unb64
from blinkd.crypto.envelope import Envelope, unpad
from blinkd.errors import EnvelopeRejected, MessageRejected
from blinkd.sync.messages import Batch, Changes, Page, Pull, Receipt, RegistryHead, Status
from blinkd.sync.topics import Topic, is_name
from blinkd.sync.wire import LONGEST_MESSAGE
from tests.unit.sync.fuzz import PARSERS, SAMPLES, STRANGE, bent, damaged, json_values, places, replaced

MEMORY_FACTOR = 60  # bytes for each byte of a message: Python's smallest object is some 24 times as long as its JSON
MEMORY_ROOM = 1 << 20
MANY = settings(max_examples=600)


def understood(parse: Callable[[bytes], Any], data: bytes) -> Any | None:
    """The message; None where it was rejected in words. Whatever is taken can be written, and is the same when it is read again."""
    try:
        message = parse(data)
    except MessageRejected as error:
        assert str(error) and len(str(error)) < 1000 and str(error).isprintable() and error.reason.isidentifier()
        return None
    assert parse(message.to_bytes()) == message
    return message


def of_all(data: bytes) -> list[Any]:
    return [message for parse in PARSERS if (message := understood(parse, data)) is not None]


@given(st.sampled_from(SAMPLES))
def test_true_messages_are_understood_by_their_own_decoder_and_by_no_other(sample: Any) -> None:
    assert of_all(sample.to_bytes()) == [sample]


@MANY
@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_message_or_rejected(data: bytes) -> None:
    of_all(data)


@MANY
@given(damaged())
def test_damaged_messages_are_a_message_or_rejected(data: bytes) -> None:
    of_all(data)


@MANY
@given(bent())
def test_messages_with_other_values_are_a_message_or_rejected(data: bytes) -> None:
    of_all(data)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_every_strange_value_in_every_place_is_a_message_or_rejected(sample: Any) -> None:
    value = json.loads(sample.to_bytes())
    for path in places(value):
        for text in STRANGE:
            understood(type(sample).parse, replaced(value, path, text))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_number_that_is_none_of_json_is_rejected_wherever_it_stands(sample: Any) -> None:
    value = json.loads(sample.to_bytes())
    for path in places(value):
        for text in ("NaN", "Infinity", "-Infinity"):
            assert understood(type(sample).parse, replaced(value, path, text)) is None


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_member_that_stands_twice_is_rejected_because_readers_differ_in_which_they_take(sample: Any) -> None:
    data = sample.to_bytes()
    value = json.loads(data)
    for key, inner in value.items():
        member = json.dumps(key).encode() + b":" + json.dumps(inner).encode()
        assert understood(type(sample).parse, data[:-1] + b"," + member + b"}") is None


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_only_utf_8_without_a_mark_is_read(sample: Any, coding: str) -> None:
    assert understood(type(sample).parse, sample.to_bytes().decode().encode(coding)) is None


@pytest.mark.parametrize("depth", [1, 10, 15, 16, 17, 100, *range(600, 1100, 10), 5_000, 100_000])
@pytest.mark.parametrize("form", [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_deep_nesting_is_rejected_or_can_be_worked_with_at_any_depth_of_the_stack(depth: int, form: tuple[str, str]) -> None:
    opening, closing = form
    nest = opening * depth + "1" + closing * depth
    for sample in (SAMPLES[1], SAMPLES[-1]):
        value = json.loads(sample.to_bytes())
        for path in places(value):
            if path and path[-1] in ("v", "open", "health", "grant", "changes", "id"):
                work_with(understood(type(sample).parse, replaced(value, path, nest)))


def work_with(message: Any, levels: int = 300) -> None:
    """As the relay does, where some of the stack is already used."""
    if levels:
        work_with(message, levels - 1)
    elif isinstance(message, Changes):
        assert all(len(change.digest()) == 32 for change in message.changes)
    elif isinstance(message, Status):
        assert canonical(message.health)


@pytest.mark.parametrize("filling", [b" ", b"[", b"{", b"0", b'"', b"\xff", b"[],", b'{"a":1},', b'"",', b"\\u0041", b"[[],{}],"])
@pytest.mark.parametrize("opening", [b"", b'{"v":2,"entries":[', b'{"v":2,"a":"', b'{"v":'])
def test_a_flood_of_one_thing_is_rejected_within_memory_in_proportion(opening: bytes, filling: bytes) -> None:
    whole = opening + filling * ((LONGEST_MESSAGE - len(opening)) // len(filling))
    for data in (whole, whole + b"1" * 10_000_000, opening + filling.rstrip(b",") * 3 + b"]}"):
        limit = MEMORY_ROOM + MEMORY_FACTOR * (len(data) if len(data) <= LONGEST_MESSAGE else 0)
        for parse in (Batch.parse, Changes.parse, Page.parse):
            assert peak(lambda: understood(parse, data)) < limit  # noqa: B023  called at once


@pytest.mark.parametrize("parse", PARSERS)
def test_what_is_longer_than_a_message_is_not_even_looked_at(parse: Callable[[bytes], Any]) -> None:
    flood = b"[" * 10_000_000
    with pytest.raises(MessageRejected) as refused:
        parse(flood)
    assert refused.value.reason == "too_large"
    assert peak(lambda: understood(parse, flood)) < 100_000


def test_as_many_members_as_fit_are_rejected_within_memory_in_proportion() -> None:
    members = ",".join(f'"{number}":0' for number in range(80_000))
    data = ('{"v":2,' + members + "}").encode()
    for parse in PARSERS:
        assert peak(lambda: understood(parse, data)) < MEMORY_ROOM + MEMORY_FACTOR * len(data)  # noqa: B023


@pytest.mark.parametrize("parse", [Batch.parse, Changes.parse, Pull.parse, Page.parse, Receipt.parse, RegistryHead.parse, Status.parse])
def test_a_whole_number_of_a_million_digits_is_rejected(parse: Callable[[bytes], Any]) -> None:
    assert understood(parse, b'{"v":' + b"9" * 1_000_000 + b"}") is None
    assert understood(parse, b'{"v":' + b"9" * (sys.get_int_max_str_digits() - 1) + b"}") is None


@MANY
@given(json_values | st.fixed_dictionaries(dict.fromkeys(("ciphertext", "iv", "tag", "v", "kid"), json_values)))
@example({"ciphertext": "A" * 1368, "iv": "AAAAAAAAAAAAAAAA", "tag": "A" * 22 + "==", "v": True, "kid": "x"})
@example({"ciphertext": "", "iv": "", "tag": "", "v": 10**4299, "kid": ""})
@example({"ciphertext": "", "iv": "", "tag": "", "v": [[[]]], "kid": []})
def test_any_value_is_an_envelope_or_rejected(value: object) -> None:
    try:
        envelope = Envelope.of(value)
    except EnvelopeRejected as error:
        assert error.reason and str(error)
    else:
        assert Envelope.of(envelope.to_json()) == envelope


@given(st.binary(max_size=64) | st.binary(max_size=8).map(lambda content: content + bytes(1000)))
def test_any_padding_is_taken_off_or_rejected(padded: bytes) -> None:
    try:
        content = unpad(padded)
    except EnvelopeRejected as error:
        assert error.reason == "bad_padding"
    else:
        assert padded == content + b"\x80" + bytes(len(padded) - len(content) - 1)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_the_one_base64_form_or_no_value(text: str) -> None:
    try:
        value = unb64(text)
    except ValueError:
        return

    assert base64.b64encode(value).decode() == text


@given(
    st.text(max_size=80) | st.lists(st.sampled_from(["blink", "v1", "acme", "door", "+", "#", "", "$share", "receipt", "\0"])).map("/".join)
)
@example("blink/v1/acme/door/receipt\n")
@example("blink/v1/acme\n/door/receipt")
def test_any_text_is_a_topic_or_none(text: str) -> None:
    topic = Topic.of(text)
    if topic is not None:
        assert str(topic) == text
        assert not set(text) & set("+#$\0\n ")
        assert is_name(topic.org) and is_name(topic.terminal)


def peak(work: Callable[[], object]) -> int:
    """Bytes that were in use at once, beyond what was before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
