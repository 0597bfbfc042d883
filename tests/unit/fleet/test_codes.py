import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.errors import BundleRefused
from blinkd.fleet.codes import ALPHABET, code_of, value_of

VALUES = st.binary(min_size=10, max_size=10)


@given(VALUES)
def test_a_code_gives_back_what_it_was_made_of(value: bytes) -> None:
    code = code_of(value)
    assert value_of(code, 10) == value
    assert [len(group) for group in code.split("-")] == [4] * 5
    assert set(code) <= {*ALPHABET, "-"}


@given(VALUES)
def test_how_somebody_types_it_does_not_matter(value: bytes) -> None:
    typed = code_of(value).lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert value_of(f"  {typed}\n", 10) == value
    assert value_of(f"blinkd:claim:{code_of(value)}", 10) == value


@pytest.mark.parametrize("position", range(20))
def test_a_slip_in_any_one_place_is_noticed(position: int) -> None:
    code = code_of(bytes(range(10))).replace("-", "")
    for letter in ALPHABET:
        if letter != code[position]:
            with pytest.raises(BundleRefused, match="character of the code is wrong"):
                value_of(code[:position] + letter + code[position + 1 :], 10)


def test_two_letters_exchanged_are_noticed() -> None:
    code = code_of(b"0123456789").replace("-", "")
    for place in range(len(code) - 1):
        if code[place] != code[place + 1]:
            with pytest.raises(BundleRefused):
                value_of(code[:place] + code[place + 1] + code[place] + code[place + 2 :], 10)


@pytest.mark.parametrize(("code", "word"), [("", "0 characters"), ("ABCD", "4 characters"), ("U" * 20, "holds U"), ("é" * 20, "holds É")])
def test_what_is_no_code_is_refused_in_words(code: str, word: str) -> None:
    with pytest.raises(BundleRefused, match=word):
        value_of(code, 10)
