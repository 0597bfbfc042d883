"""Settings that are changed at the desk of a daemon at work: in force there without a restart, and after one."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from blinkd.overlay import OVERLAY_FILE
from tests.integration.faces.commands import blinkd
from tests.integration.faces.conftest import enrolled, state
from tests.integration.web.test_beside_the_door import House

__all__ = ["enrolled", "state"]

PASSWORD = "seven unlikely purple lamps"
pytestmark = pytest.mark.slow


@pytest.fixture
def house(state: Path, media: Path, tmp_path: Path) -> Iterator[House]:
    made = House(state, media, tmp_path)
    yield made
    made.daemon.close()


class Desk:
    """Whoever sits there."""

    def __init__(self, port: int) -> None:
        base = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=base, headers={"Origin": base}, timeout=60)

    def post(self, path: str, page: str = "", **fields: str) -> httpx.Response:
        token = re.search(r'name="csrf" value="(\w+)"', self.client.get(page).text)[1] if page else ""  # type: ignore[index]
        return self.client.post(path, data={"csrf": token, **fields})


def test_a_change_is_in_force_at_once_and_outlasts_both_processes(house: House) -> None:
    child = house.child()
    code = blinkd("web", "setup-code", "--json", state=house.state).json["code"]
    desk = Desk(house.port)
    begun = desk.post("/admin/setup", code=code, name="Ada", password_new=PASSWORD, password_again=PASSWORD)
    assert begun.headers["location"] == "/admin/setup/organisation"
    path = "/admin/settings/attendance"
    assert desk.post(path, path, **{"attendance.grace_min": "4"}).status_code == 303
    assert "attendance.grace_min" in house.daemon.wait_for("settings read: in force now")
    assert "In force within a second: attendance.grace_min." in desk.client.get(path).text
    assert house.child() == child  # what was begun at the desk is not lost
    assert desk.post(path, path, **{"attendance.grace_min": "-1"}).status_code == 422
    desk.client.close()


def test_what_cannot_stand_is_said_and_the_daemon_starts_by_the_file(state: Path, media: Path, tmp_path: Path) -> None:
    (state / OVERLAY_FILE).write_text('[liveness]\npolicy = "none"\n')
    house = House(state, media, tmp_path)
    try:
        said = house.daemon.wait_for("what was changed at the desk is not in force")
        assert "it lets a photo in" in said
        house.daemon.wait_for("ready")
    finally:
        house.daemon.close()
