import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from blinkd.capture.factory import open_source
from blinkd.capture.live import LiveCapture
from blinkd.capture.opencv import StreamCamera
from blinkd.errors import CameraLost
from blinkd.settings import CameraSettings
from tests.integration.capture.mjpeg_server import MjpegServer
from tests.unit.capture.cameras import Told, next_frame


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    server = MjpegServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def camera(server: MjpegServer) -> CameraSettings:
    return CameraSettings(driver="stream", url=server.url, stall_timeout_s=1.0, reopen_first_s=0.1, reopen_max_s=0.2)


def test_frames_come_over_http_in_order_and_colour(camera: CameraSettings) -> None:
    source = StreamCamera(camera)
    source.open()
    frames = [frame for _ in range(5) if (frame := source.read())]
    source.close()
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert all(frame.image.shape == (120, 160, 3) for frame in frames)
    assert all(frame.image[20, 20, 2] > 240 > frame.image[100, 140, 2] for frame in frames)
    assert all(later.t > earlier.t for earlier, later in itertools.pairwise(frames))


def test_a_server_that_dies_is_lost_without_showing_the_password(server: MjpegServer, camera: CameraSettings) -> None:
    source = StreamCamera(camera)
    source.open()
    assert source.read() is not None
    server.stop()
    with pytest.raises(CameraLost) as caught:
        while source.read():
            pass
    source.close()
    assert "hunter2" not in str(caught.value)
    assert f"127.0.0.1:{server.port}" in str(caught.value)


def test_a_server_that_accepts_and_says_nothing_is_given_up(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = StreamCamera(CameraSettings(driver="stream", url=f"http://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/v"))
        began = time.monotonic()
        with pytest.raises(CameraLost, match="gives no video"):
            source.open()
        assert time.monotonic() - began < 6
    assert "hunter2" not in capfd.readouterr().err


def test_a_server_that_hangs_ends_the_read_in_time(server: MjpegServer, camera: CameraSettings) -> None:
    source = StreamCamera(camera)
    source.open()
    assert source.read() is not None
    server.hang.set()
    began = time.monotonic()
    with pytest.raises(CameraLost):
        while source.read():
            began = time.monotonic()
    assert time.monotonic() - began < 5
    source.close()


def test_live_capture_survives_a_server_that_dies_and_comes_back(server: MjpegServer, camera: CameraSettings) -> None:
    told = Told()
    capture = LiveCapture(lambda: open_source(camera), camera, told)
    capture.start()
    before = next_frame(capture)
    told.wait_for("open")
    server.stop()
    told.wait_for("open", "lost")
    assert capture.latest(-1, 0.01) is None
    server.start()
    told.wait_for("open")
    after = next_frame(capture, capture.state.frames - 1)
    assert after.index > before.index
    assert after.t > before.t
    capture.close()
    assert all("hunter2" not in state.reason for state in told.states)


def test_live_capture_notices_a_server_that_hangs_within_two_seconds(server: MjpegServer, camera: CameraSettings) -> None:
    told = Told()
    wanted = camera.model_copy(update={"stall_timeout_s": CameraSettings().stall_timeout_s})
    capture = LiveCapture(lambda: open_source(wanted), wanted, told)
    capture.start()
    next_frame(capture)
    told.wait_for("open")
    server.hang.set()
    began = time.monotonic()
    told.wait_for("open", "lost")
    assert time.monotonic() - began < 2.0
    assert capture.latest(-1, 0.01) is None
    server.hang.clear()
    told.wait_for("lost", "open")
    next_frame(capture)
    capture.close()
