import pytest

from blinkd.crypto import names
from blinkd.crypto.passwords import check_new_password, password_bytes
from blinkd.errors import PasswordRefused
from blinkd.sync import topics


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "Zug um 7 nach Ulm, drei Katzen", "k9#Vq2!xW8$m", "x7" * 3 + "plover mango quartz" * 20]
)
def test_a_password_that_nobody_guesses_is_taken(password: str) -> None:
    check_new_password(password, "acme")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "0 characters"),
        ("k9#Vq2!xW8$", "11 characters"),
        ("x" * 1025, "1025 characters"),
        ("password1234", "would be guessed: this is a very common password"),
        ("qwertyuiopasdf", "would be guessed"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "would be guessed"),
        ("acme-corporation acme", "would be guessed"),
        ("blinkdblinkdblinkd", "would be guessed"),
        ("\udcff" * 12, "no text"),
    ],
)
def test_a_password_that_would_be_guessed_is_refused_with_the_reason(password: str, words: str) -> None:
    with pytest.raises(PasswordRefused) as error:
        check_new_password(password, "acme-corporation", "acme")
    assert words in str(error.value)
    assert password not in str(error.value) or len(password) < 2


def test_a_password_of_any_length_is_judged_in_no_time_worth_speaking_of() -> None:
    with pytest.raises(PasswordRefused, match="would be guessed"):
        check_new_password("ab" * 500)


def test_composed_and_decomposed_letters_are_the_same_bytes() -> None:
    assert password_bytes("\u00e9\u00e5") == password_bytes("e\u0301\u212b".replace("\u212b", "a\u030a")) == "\u00e9\u00e5".encode()


@pytest.mark.parametrize(
    "name", ["a", "terminal-1", "A.b_c-9", "x" * 63, "", "x" * 64, "-a", ".a", "a/b", "a+", "#", "$a", "ä", "a\n", "a b"]
)
def test_names_in_certificates_and_in_topics_are_the_same(name: str) -> None:
    assert names.is_name(name) is topics.is_name(name)
