"""State folders with people in them, and networks that are loaded once."""

import shutil
from pathlib import Path

import pytest

from blinkd.parts import Parts
from blinkd.settings import Settings
from tests.integration.faces.commands import blinkd

MAN, OBAMA, BIDEN = "E-1", "E-2", "E-3"
PEOPLE = ((MAN, "Sam Sample", "single_face.jpg"), (OBAMA, "Robin Sample", "obama.jpg"), (BIDEN, "Kim Sample", "biden.jpg"))


@pytest.fixture(scope="session")
def networks() -> Parts:
    """Parts whose networks every test may use; nobody opens its state folder."""
    return Parts(Settings(state_dir=Path("/nonexistent/blinkd")))


@pytest.fixture(scope="session")
def enrolled(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder in which the three of PEOPLE were enrolled by the command; tests take a copy."""
    folder = tmp_path_factory.mktemp("enrolled") / "state"
    for number, name, picture in PEOPLE:
        done = blinkd("enroll", "--name", name, "--id", number, "--image", media / picture, "--json", state=folder)
        assert done.code == 0, done.err
    return folder


@pytest.fixture
def state(enrolled: Path, tmp_path: Path) -> Path:
    """A state folder of the test's own with the three of PEOPLE."""
    return Path(shutil.copytree(enrolled, tmp_path / "state"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A state folder of the test's own that does not exist yet."""
    return tmp_path / "empty"
