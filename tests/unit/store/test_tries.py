"""Wrong tries, kept through restarts."""

from pathlib import Path

from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from blinkd.store.tries import TERMINAL, Tries
from tests.unit.attendance.clocks import SetClock


def test_they_outlast_the_process_and_count_the_time_of_the_clock_that_nobody_can_set(tmp_path: Path) -> None:
    clock = SetClock()
    with Store.open(tmp_path, StoreSettings()) as store:
        assert store.tries.of(TERMINAL, clock.now()) == Tries(0, 0.0)
        store.tries.set(TERMINAL, 4, clock.now())
        store.tries.set(7, 2, clock.now())
    clock.utc = clock.utc.replace(year=1970)
    clock.boot_s += 50
    with Store.open(tmp_path, StoreSettings()) as store:
        assert store.tries.of(TERMINAL, clock.now()) == Tries(4, 50.0)
        store.tries.set(TERMINAL, 0, clock.now())
        assert store.tries.of(TERMINAL, clock.now()) == Tries(0, 0.0)
        clock.reboot()
        assert store.tries.of(7, clock.now()) == Tries(2, clock.boot_s)  # how long the machine was off, nobody knows


def test_they_go_with_the_person(tmp_path: Path) -> None:
    clock = SetClock()
    with Store.open(tmp_path, StoreSettings()) as store:
        subject = store.people.enrol("E-1", "Ann", []).subject
        store.tries.set(subject, 3, clock.now())
        store.people.erase("E-1", keep_id=False)
        assert store.tries.of(subject, clock.now()) == Tries(0, 0.0)
