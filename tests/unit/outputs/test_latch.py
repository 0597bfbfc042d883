import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.outputs.latch import SETTLE_S, STALE_S, Latch, LatchRules

PULSE = 5.0
RULES = LatchRules(pulse_s=PULSE, held_open_s=30.0)


@pytest.fixture
def latch() -> Latch:
    latch = Latch(RULES)
    latch.look(0.0, False, False)
    return latch


def test_it_begins_locked_and_a_pulse_ends(latch: Latch) -> None:
    assert not latch.unlocked
    assert latch.unlock(10.0, 10.0)
    assert latch.unlocked
    latch.look(10.0 + PULSE - 0.01, False, False)
    assert latch.unlocked
    latch.look(10.0 + PULSE, False, False)
    assert not latch.unlocked


@pytest.mark.parametrize("age", [STALE_S + 0.01, 60.0, -0.5])
def test_what_was_decided_too_long_ago_or_in_the_future_opens_nothing(latch: Latch, age: float) -> None:
    assert not latch.unlock(100.0, 100.0 - age)
    assert not latch.unlocked


def test_it_locks_as_soon_as_the_door_has_closed_behind_somebody(latch: Latch) -> None:
    latch.unlock(10.0, 10.0)
    assert latch.look(11.0, True, False) == []
    assert latch.unlocked
    assert latch.look(12.0, False, False) == []
    assert not latch.unlocked


def test_a_door_that_opens_while_it_is_locked_is_forced_and_closing_it_ends_the_alarm(latch: Latch) -> None:
    assert latch.look(20.0, True, False) == ["forced_open"]
    assert latch.alarm == "forced_open"
    assert latch.look(21.0, True, False) == []
    assert latch.look(22.0, False, False) == ["closed"]
    assert latch.alarm is None


def test_a_door_that_opens_just_after_the_pulse_was_still_let_go(latch: Latch) -> None:
    latch.unlock(10.0, 10.0)
    latch.look(15.0, False, False)
    assert latch.look(15.0 + SETTLE_S - 0.1, True, False) == []
    later = Latch(RULES)
    later.look(0.0, False, False)
    later.unlock(10.0, 10.0)
    later.look(15.0, False, False)
    assert later.look(15.0 + SETTLE_S + 0.1, True, False) == ["forced_open"]


def test_the_exit_button_opens_and_never_counts_as_forced(latch: Latch) -> None:
    latch.look(10.0, False, True)
    assert latch.unlocked
    assert latch.look(11.0, True, False) == []
    assert latch.look(12.0, False, False) == []
    assert not latch.unlocked


def test_an_exit_button_that_sticks_opens_once(latch: Latch) -> None:
    for tenth in range(200):
        latch.look(10.0 + tenth / 10, False, True)
    assert not latch.unlocked
    latch.look(40.0, False, False)
    latch.look(41.0, False, True)
    assert latch.unlocked


def test_a_door_that_is_held_open_is_told_once_and_again_when_it_is_closed(latch: Latch) -> None:
    latch.unlock(10.0, 10.0)
    told = [alarm for second in range(11, 60) for alarm in latch.look(float(second), True, False)]
    assert told == ["held_open"]
    assert latch.look(60.0, False, False) == ["closed"]


def test_without_a_limit_a_door_may_stand_open() -> None:
    latch = Latch(LatchRules(PULSE, 0.0))
    latch.look(0.0, False, False)
    latch.unlock(1.0, 1.0)
    assert [alarm for second in range(2, 4000) for alarm in latch.look(float(second), True, False)] == []


def test_a_door_that_stands_open_at_the_start_was_not_forced() -> None:
    latch = Latch(RULES)
    assert latch.look(0.0, True, False) == []
    assert latch.look(31.0, True, False) == ["held_open"]


STEP = st.tuples(st.floats(0.01, 4.0), st.booleans(), st.booleans(), st.sampled_from(["none", "unlock", "old", "lock"]))


@given(st.lists(STEP, max_size=60), st.booleans())
def test_the_lock_is_never_open_longer_than_a_pulse_after_somebody_was_let_through(
    steps: list[tuple[float, bool, bool, str]], wired: bool
) -> None:
    latch, now, granted, pressed = Latch(RULES), 0.0, float("-inf"), False
    for wait, door_open, button, what in steps:
        now += wait
        if what == "unlock" and latch.unlock(now, now - STALE_S / 2):
            granted = now
        elif what == "old":
            before = latch.unlocked
            assert not latch.unlock(now, now - STALE_S - 1)
            assert latch.unlocked == before
        elif what == "lock":
            latch.lock(now)
            assert not latch.unlocked
        if button and not pressed:
            granted = now
        pressed = button
        latch.look(now, door_open if wired else None, button)
        if latch.unlocked:
            assert now - granted < PULSE


def test_a_loose_contact_is_an_alarm_each_time_but_is_told_once_a_minute(latch: Latch) -> None:
    told = []
    for flap in range(600):  # a minute of ten flaps a second
        told += latch.look(100.0 + flap / 10, True, False)
        assert latch.alarm == "forced_open"
        told += latch.look(100.05 + flap / 10, False, False)
    assert told == ["forced_open", "closed"]
