"""Bytes of the device in, keys out."""

from hypothesis import given
from hypothesis import strategies as st

from blinkd.entry.keys import EV_KEY, EV_SYN, SYN_DROPPED, KeyDecoder
from tests.unit.entry.devices import BACK, CLEAR, CODES, LEFT_SHIFT, pressed, record, typed


def names(data: bytes) -> list[str]:
    return [key.name for key in KeyDecoder().feed(data)]


def test_digits_letters_and_the_keys_with_names() -> None:
    assert names(typed("E-1066") + pressed(BACK) + pressed(CLEAR)) == [*"E-1066", "enter", "back", "clear"]


def test_the_block_of_digits_types_digits_too() -> None:
    assert names(b"".join(pressed(code) for code in (79, 80, 81, 82, 96))) == ["1", "2", "3", "0", "enter"]


def test_what_is_let_go_or_held_down_is_no_key_and_unknown_keys_are_none() -> None:
    held = record(EV_KEY, CODES["7"], 2) * 20
    assert names(pressed(CODES["7"]) + held + pressed(200)) == ["7"]


def test_shift_makes_the_underscore_of_ids() -> None:
    down, up = record(EV_KEY, LEFT_SHIFT, 1), record(EV_KEY, LEFT_SHIFT, 0)
    assert names(down + pressed(CODES["-"]) + up + pressed(CODES["-"])) == ["_", "-"]


def test_keys_that_the_kernel_lost_are_said_to_be_lost() -> None:
    assert names(pressed(CODES["1"]) + record(EV_SYN, SYN_DROPPED, 0)) == ["1", "lost"]


@given(st.lists(st.integers(1, 60), max_size=6), st.text("0123456789", max_size=20))
def test_records_that_come_in_parts_make_the_same_keys(cuts: list[int], text: str) -> None:
    data, decoder, found = typed(text), KeyDecoder(), []
    for cut in cuts:
        found += decoder.feed(data[:cut])
        data = data[cut:]
    found += decoder.feed(data)
    assert [key.name for key in found] == [*text, "enter"]


@given(st.binary(max_size=2000))
def test_no_bytes_upset_it(data: bytes) -> None:
    for key in KeyDecoder().feed(data):
        assert key.name
