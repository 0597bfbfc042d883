"""PINs and badge codes as hashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.crypto.pins import LONGEST_CODE, SHORTEST_CODE, check_pin, code_digest, hash_pin, holds, new_code, well_formed
from blinkd.errors import PinRefused


def test_only_the_right_pin_holds_and_two_hashes_of_one_differ() -> None:
    first, second = hash_pin("928471"), hash_pin("928471")
    assert first != second
    assert holds("928471", first)
    assert holds("928471", second)
    assert not holds("928472", first)
    assert not holds("", first)
    assert "928471" not in first


def test_nobodys_pin_is_never_right() -> None:
    assert not holds("928471", None)


def test_a_hash_from_another_terminal_may_not_hold_up_the_door() -> None:
    good = hash_pin("928471")
    assert well_formed(good)
    for log_n, r, p in ((25, 8, 1), (15, 99, 1), (15, 8, 9), (3, 8, 1), (15, 0, 1)):
        costly = "$".join(("scrypt", str(log_n), str(r), str(p), *good.split("$")[4:]))
        assert not well_formed(costly)
        assert not holds("928471", costly)  # at once: nothing is computed


@pytest.mark.parametrize("torn", ["", "scrypt", "scrypt$15$8$1$$", "md5$x", "scrypt$15$8$1$AAAA$BBBB"])
def test_what_is_no_hash_is_no_pins(torn: str) -> None:
    assert not well_formed(torn)
    assert not holds("928471", torn)


@pytest.mark.parametrize(
    "pin",
    ["111111", "121212", "123456", "654321", "890123", "00001066", "10662", "92847", "9284713605928", "92 471", "٩٢٨٤٧١", "abcdef", ""],
)
def test_pins_that_are_guessed_first_or_are_none_are_refused(pin: str) -> None:
    with pytest.raises(PinRefused):
        check_pin(pin, 6, "E-1066")


@pytest.mark.parametrize("pin", ["928471", "070359", "928471360592"])
def test_others_are_taken(pin: str) -> None:
    check_pin(pin, 6, "E-1066")


def test_codes_of_badges_are_random_and_known_however_a_reader_writes_capitals() -> None:
    first, second = new_code(), new_code()
    assert first != second
    assert len(first) >= 26
    assert code_digest(first) == code_digest(f" {first.lower()} ")
    assert code_digest(first) != code_digest(second)


@given(st.text(max_size=200))
def test_a_code_too_short_or_too_long_is_refused_and_any_other_has_one_digest(code: str) -> None:
    if SHORTEST_CODE <= len(code.strip().upper()) <= LONGEST_CODE:
        assert code_digest(code) == code_digest(code)
        assert len(code_digest(code)) == 64
    else:
        with pytest.raises(PinRefused):
            code_digest(code)
