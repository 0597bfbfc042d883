from hypothesis import given
from hypothesis import strategies as st

from blinkd.supervision.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy(first_wait_s=1.0, most_wait_s=8.0, least_wait_s=0.5, good_s=60.0, most=4)


class Times:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(lives=st.lists(st.floats(0, 59), min_size=1, max_size=12))
def test_waits_stay_within_the_policy_and_end_when_they_say(lives: list[float]) -> None:
    times = Times()
    restarts = Restarts(POLICY, times)
    for number, life in enumerate(lives, 1):
        restarts.began()
        times.now += life
        wait = restarts.failed()
        assert 0.5 <= wait <= 8.0
        assert wait <= max(2.0 ** (number - 1), 0.5)
        assert restarts.failures == number
        assert restarts.given_up is (number >= 4)
        assert not restarts.due
        times.now += wait
        assert restarts.due


def test_a_long_life_makes_the_next_failure_the_first() -> None:
    times = Times()
    restarts = Restarts(POLICY, times)
    for _ in range(3):
        restarts.began()
        restarts.failed()
    restarts.began()
    times.now += 60.0
    restarts.failed()
    assert restarts.failures == 1
    assert not restarts.given_up


def test_what_may_never_be_given_up_is_not() -> None:
    restarts = Restarts(RestartPolicy(1.0, 8.0, 0.5, 60.0))
    for _ in range(1000):
        restarts.failed()
    assert not restarts.given_up
