"""A machine on which install.sh may do what it likes."""

from pathlib import Path

import pytest

from tests.unit.installation.machine import Machine, make_machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_machine(tmp_path)
