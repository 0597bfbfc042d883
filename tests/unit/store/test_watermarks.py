"""What a terminal has reported is remembered and never goes back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peewee import IntegrityError

from blinkd.attendance.reports.watermark import Watermark
from tests.unit.store.stores import open_store

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def test_nothing_is_known_of_a_terminal_that_has_not_reported(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.watermarks.all() == {}


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(-50, 50), st.integers(0, 50)), max_size=12))
def test_a_watermark_is_the_highest_of_what_was_reported(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    with open_store(folder) as store:
        for terminal, hours, seq in told:
            mark = store.watermarks.report(terminal, START + timedelta(hours=hours), seq)
            assert mark == store.watermarks.all()[terminal]
    with open_store(folder) as store:
        for terminal in {name for name, _, _ in told}:
            highest = max(hours for name, hours, _ in told if name == terminal)
            number = max(seq for name, _, seq in told if name == terminal)
            assert store.watermarks.all()[terminal] == Watermark(terminal, START + timedelta(hours=highest), number)


def test_the_schema_refuses_a_watermark_that_goes_back(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.watermarks.report("a", START, 5)
        with pytest.raises(IntegrityError, match="never goes back"):
            store._database.execute_sql("UPDATE watermarks SET us = us - 1")
