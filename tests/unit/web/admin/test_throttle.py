from blinkd.web.admin.operators.throttle import MOST_KEYS, Throttle


def test_so_many_tries_within_a_time_and_then_a_wait_that_ends() -> None:
    throttle = Throttle(3, 60)
    for now in (0.0, 10.0, 20.0):
        assert throttle.wait_s("a", now) == 0
        throttle.count("a", now)
    assert throttle.wait_s("a", 21) == 39
    assert throttle.wait_s("b", 21) == 0
    assert throttle.wait_s("a", 59) == 1  # asking does not lengthen it
    assert throttle.wait_s("a", 60) == 0
    throttle.count("a", 60)
    assert throttle.wait_s("a", 61) == 9


def test_what_was_right_is_forgotten() -> None:
    throttle = Throttle(1, 60)
    throttle.count("a", 0)
    assert throttle.wait_s("a", 1) == 59
    throttle.forget("a")
    throttle.forget("a")
    assert throttle.wait_s("a", 1) == 0


def test_it_remembers_so_many_keys_and_the_newest_of_them() -> None:
    throttle = Throttle(1, 1e9)
    for number in range(MOST_KEYS + 10):
        throttle.count(str(number), 0)
    assert throttle.wait_s("0", 1) == 0
    assert throttle.wait_s(str(MOST_KEYS + 9), 1) > 0
    assert len(throttle._tries) == MOST_KEYS
