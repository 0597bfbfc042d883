"""How long to wait after wrong tries."""

from hypothesis import given
from hypothesis import strategies as st

from blinkd.entry.limits import TERMINAL_MOST_S, Limits
from blinkd.settings import EntrySettings
from blinkd.store.tries import Tries

SETTINGS = EntrySettings(free_tries=3, wait_first_s=30, wait_most_s=900)
LIMITS = Limits(SETTINGS)
wrongs, times = st.integers(0, 10_000), st.floats(0, 1e7)


def test_a_few_are_free_then_it_doubles_up_to_the_longest() -> None:
    assert [LIMITS.person_s(Tries(wrong, 0.0)) for wrong in (0, 2, 3, 4, 5, 8, 60, 10**6)] == [0, 0, 30, 60, 120, 900, 900, 900]


@given(wrongs, times)
def test_nobody_waits_for_longer_than_the_longest_and_time_lets_everybody_in(wrong: int, since: float) -> None:
    assert 0 <= LIMITS.person_s(Tries(wrong, since)) <= 900
    assert LIMITS.person_s(Tries(wrong, 900.0)) == 0
    assert 0 <= LIMITS.terminal_s(Tries(wrong, since)) <= TERMINAL_MOST_S


@given(wrongs, times, times)
def test_waiting_never_makes_the_wait_longer_and_trying_never_shorter(wrong: int, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert LIMITS.person_s(Tries(wrong, late)) <= LIMITS.person_s(Tries(wrong, early))
    assert LIMITS.terminal_s(Tries(wrong, late)) <= LIMITS.terminal_s(Tries(wrong, early))
    assert LIMITS.person_s(Tries(wrong + 1, early)) >= LIMITS.person_s(Tries(wrong, early))


def test_the_terminals_wrong_tries_are_forgiven_one_a_minute() -> None:
    assert [LIMITS.counted(Tries(5, seconds)) for seconds in (0, 59, 60, 150, 3600)] == [5, 5, 4, 3, 0]


def test_a_six_digit_pin_lasts_for_years_of_guessing() -> None:
    """By the waits of one person: tries in a year, against the PINs that there are."""
    seconds, tries = 0.0, 0
    while seconds < 365 * 86_400:
        seconds += LIMITS.person_s(Tries(tries, 0.0)) + 1.0
        tries += 1
    assert tries < 0.05 * 10**6
