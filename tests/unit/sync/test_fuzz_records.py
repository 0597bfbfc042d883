"""Whatever an envelope holds that opens: a terminal that has the keys may still be broken, or in somebody else's hands."""

import json
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blinkd.attendance.punch import PersonStatus
from blinkd.crypto.chain import canonical, subject_of
from blinkd.crypto.encoding import b64
from blinkd.errors import EnvelopeRejected
from blinkd.store.replica import CredentialReplica, PersonReplica, TemplateReplica
from blinkd.sync.records import EntryContent, pack, pack_entry, unpack_entry, unpack_person, unpack_template
from tests.unit.sync.fuzz import STRANGE, any_text, json_values, places, replaced
from tests.unit.sync.test_fuzz import MANY

SALT = bytes(16)
VECTOR = np.eye(1, 8, dtype=np.float32)[0]
SAMPLES: list[Any] = [
    EntryContent(3, {"kind": "punch", "at": 5, "list": [1, None]}, SALT, "words", SALT),
    PersonReplica(
        "E-1",
        "Sam Sample",
        next(iter(PersonStatus)),
        datetime(2026, 1, 2, tzinfo=UTC),
        subject_of(SALT, "E-1"),
        SALT,
        date(2026, 1, 2),
        None,
        ("day",),
        (
            {
                "id": "e1",
                "kind": "new",
                "at": "2026-01-02",
                "moments": 1,
                "replaced": 0,
                "consent": None,
                "own_similarity": 0.5,
                "decision": "none_needed",
            },
        ),
        (
            CredentialReplica("c1", "badge", "0a" * 32, "2026-01-02T00:00:00+00:00"),
            CredentialReplica("c2", "pin", f"scrypt$15$8$1${b64(SALT)}${b64(bytes(32))}", "2026-01-02T00:00:00+00:00"),
        ),
    ),
    TemplateReplica("t1", "E-1", "mobilefacenet", VECTOR, 0.5, "image", "2026-01-02T00:00:00+00:00", "front", "", "m1"),
]
JSON_SAMPLES = SAMPLES[:2]


UNPACK: dict[type, Callable[[bytes], Any]] = {
    EntryContent: unpack_entry,
    PersonReplica: unpack_person,
    TemplateReplica: unpack_template,
}


def packed_form(record: Any) -> bytes:
    return pack_entry(record) if isinstance(record, EntryContent) else pack(record)


def understood(kind: Any, data: bytes) -> Any | None:
    try:
        found = UNPACK[kind](data)
    except EnvelopeRejected as error:
        assert error.reason == "bad_content"
        return None
    again = packed_form(found)
    assert packed_form(UNPACK[kind](again)) == again
    return found


def with_fields(fields: bytes, numbers: bytes) -> bytes:
    return len(fields).to_bytes(2, "big") + fields + numbers


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_record_comes_back_as_it_was(sample: Any) -> None:
    assert understood(type(sample), packed_form(sample)) is not None


@MANY
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_record_or_rejected(data: bytes) -> None:
    for sample in SAMPLES:
        understood(type(sample), data)


@MANY
@given(st.data())
def test_records_with_other_values_are_records_or_rejected(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(JSON_SAMPLES))
    value = json.loads(packed_form(sample))
    path = data.draw(st.sampled_from(list(places(value))))
    understood(type(sample), replaced(value, path, data.draw(any_text)))


@pytest.mark.parametrize("sample", JSON_SAMPLES, ids=lambda sample: type(sample).__name__)
def test_every_strange_value_in_every_place_of_a_record_is_one_or_rejected(sample: Any) -> None:
    value = json.loads(packed_form(sample))
    for path in places(value):
        for text in STRANGE:
            understood(type(sample), replaced(value, path, text))


def test_every_strange_value_in_every_place_of_a_templates_fields_is_one_or_rejected() -> None:
    packed = packed_form(SAMPLES[2])
    length = int.from_bytes(packed[:2], "big")
    value = json.loads(packed[2 : 2 + length])
    for path in places(value):
        for text in STRANGE:
            fields = replaced(value, path, text)
            if len(fields) < 1 << 16:
                understood(TemplateReplica, with_fields(fields, packed[2 + length :]))


@MANY
@given(st.lists(st.floats(width=32), max_size=12))
@example([3e38] * 8)
@example([float("nan")] * 8)
@example([])
def test_any_numbers_are_a_vector_of_unit_length_or_rejected(numbers: list[float]) -> None:
    packed = packed_form(SAMPLES[2])
    length = int.from_bytes(packed[:2], "big")
    found = understood(TemplateReplica, packed[: 2 + length] + struct.pack(f"<{len(numbers)}f", *numbers))
    if found is not None:
        assert float(np.linalg.norm(found.vector)) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("depth", [1, 100, *range(600, 1100, 10), 5_000])
def test_a_nested_content_is_rejected_or_can_be_worked_with_at_any_depth_of_the_stack(depth: int) -> None:
    value = json.loads(packed_form(SAMPLES[0]))
    found = understood(EntryContent, replaced(value, ("content", "at"), "[" * depth + "]" * depth))
    if found is not None:
        deeper(found)


def deeper(found: EntryContent, levels: int = 300) -> None:
    if levels:
        deeper(found, levels - 1)
    else:
        assert canonical(found.content)
