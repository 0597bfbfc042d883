"""From keys to what somebody wants."""

import pytest

from blinkd.crypto.pins import new_code
from blinkd.entry.keys import KeyDecoder
from blinkd.entry.typing import CodeRead, PinTyped, Typing, Wanted
from tests.unit.entry.devices import BACK, CLEAR, CODES, HAND_S, READER_S, pressed, typed

TIMEOUT_S = 15.0


def meant(typing: Typing, data: bytes, at: float = 0.0) -> list[Wanted]:
    found = (typing.take(key, at + key.t) for key in KeyDecoder().feed(data))
    return [one for one in found if one is not None]


@pytest.fixture
def typing() -> Typing:
    return Typing(TIMEOUT_S)


def test_number_enter_pin_enter(typing: Typing) -> None:
    assert typing.asks_for == "nothing"
    assert meant(typing, typed("1066")) == []
    assert typing.asks_for == "pin"
    assert meant(typing, typed("928471", 2.0)) == [PinTyped("1066", "928471")]
    assert typing.asks_for == "nothing"


def test_a_digit_can_be_taken_back_and_all_of_it(typing: Typing) -> None:
    assert meant(typing, pressed(CODES["9"]) + pressed(BACK) + typed("1066")) == []
    assert meant(typing, pressed(CODES["9"]) + pressed(CLEAR)) == []
    assert typing.asks_for == "nothing"
    assert meant(typing, typed("1066") + typed("928471")) == [PinTyped("1066", "928471")]


def test_what_a_reader_types_is_a_code_and_what_a_hand_types_is_not(typing: Typing) -> None:
    assert meant(typing, typed("0009152763", every_s=READER_S)) == [CodeRead("0009152763")]
    assert meant(typing, typed("0009152763", every_s=HAND_S)) == []
    assert typing.asks_for == "pin"


def test_a_badge_of_ours_is_a_code_at_any_speed(typing: Typing) -> None:
    code = new_code()
    assert meant(typing, typed(code, every_s=HAND_S)) == [CodeRead(code)]


def test_a_card_held_there_while_a_pin_is_asked_for_is_the_card_and_never_the_pin(typing: Typing) -> None:
    assert meant(typing, typed("1066")) == []
    assert meant(typing, typed("0009152763", 2.0, READER_S)) == [CodeRead("0009152763")]
    assert typing.asks_for == "nothing"


def test_whoever_went_away_leaves_nothing_for_the_next(typing: Typing) -> None:
    assert meant(typing, typed("1066")) == []
    typing.forget_old(TIMEOUT_S + 3)
    assert typing.asks_for == "nothing"
    assert meant(typing, typed("928471", TIMEOUT_S + 3)) == []


def test_where_keys_are_missing_nothing_counts_until_the_next_enter(typing: Typing) -> None:
    from blinkd.entry.keys import Key

    assert meant(typing, typed("1066")) == []
    typing.take(Key(1.0, "lost"), 1.0)
    assert meant(typing, typed("8471", 1.0)) == []
    assert typing.asks_for == "nothing"
    assert meant(typing, typed("1066", 2.0) + typed("928471", 4.0)) == [PinTyped("1066", "928471")]


def test_a_text_without_end_is_nobodys(typing: Typing) -> None:
    assert meant(typing, typed("1" * 5000, every_s=READER_S)) == []
    assert typing.asks_for == "nothing"


def test_numbers_and_pins_do_not_show_where_they_are_printed() -> None:
    assert "928471" not in repr(PinTyped("1066", "928471"))
    assert "SECRET" not in repr(CodeRead("SECRET"))
