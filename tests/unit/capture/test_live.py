import itertools
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from blinkd.capture import live
from blinkd.capture.factory import open_source
from blinkd.capture.frame import Frame, FrameSource
from blinkd.capture.live import CameraState, LiveCapture
from blinkd.capture.reader import same
from blinkd.errors import CameraLost, MediaError
from blinkd.settings import CameraSettings
from tests.unit.capture.cameras import PATIENCE_S, Bench, FastClock, ManualClock, Told, capturing, next_frame, wait_until


def test_frames_come_with_rising_index_and_time() -> None:
    with capturing(Bench()) as capture:
        frames = [next_frame(capture)]
        while len(frames) < 10:
            frames.append(next_frame(capture, frames[-1].index))
    assert all(b.index > a.index and b.t > a.t for a, b in itertools.pairwise(frames))


def test_a_slow_consumer_gets_the_newest_frame_and_never_holds_up_the_reader() -> None:
    bench = Bench()
    with capturing(bench) as capture:
        first = next_frame(capture)
        wait_until(lambda: bench.pictures > 20)  # nobody asks, the reader goes on
        second = next_frame(capture, first.index)
    assert second.index - first.index > 10


def test_latest_gives_nothing_when_there_is_nothing_newer() -> None:
    bench = Bench()
    with capturing(bench) as capture:
        next_frame(capture)
        bench.go.clear()
        wait_until(bench.stuck.is_set)
        newest = capture.state.frames - 1
        assert capture.latest(newest + 1, 0.02) is None


def test_the_state_counts_frames_and_measures_their_rate() -> None:
    told = Told()
    with capturing(Bench(), told) as capture:
        next_frame(capture, 30)
        told.wait_for("open")
        assert capture.state.frames > 30
        assert 20 < capture.state.fps < 201  # 5 ms a frame, or slower where the machine is busy
        assert capture.state.attempts == 0


def test_an_unplugged_camera_is_noticed_told_once_and_found_again() -> None:
    bench, told = Bench(), Told()
    with capturing(bench, told) as capture:
        before = next_frame(capture)
        told.wait_for("opening", "open")
        bench.plugged = False
        told.wait_for("open", "lost", "lost")  # the read that failed, then the device that is missing; never again
        wait_until(lambda: capture.state.attempts >= 4)
        assert [state.status for state in told.states] == ["opening", "open", "lost", "lost"]
        assert "unplugged" in told.states[-2].reason
        assert "no such device" in told.states[-1].reason
        assert capture.latest(before.index, 0.01) is None
        bench.plugged = True
        told.wait_for("lost", "open")
        after = next_frame(capture, before.index)
        assert after.t > before.t
        assert after.index > before.index
        assert capture.state.attempts == 0
    assert all(source.closed.wait(PATIENCE_S) for source in bench.sources)


def test_a_camera_that_is_missing_at_the_start_is_lost_and_comes_later() -> None:
    bench, told = Bench(), Told()
    bench.plugged = False
    with capturing(bench, told) as capture:
        told.wait_for("opening", "lost")
        assert told.states[-1].next_try_in_s == pytest.approx(0.05)
        bench.plugged = True
        next_frame(capture)
        told.wait_for("lost", "open")


def test_the_delay_doubles_to_its_ceiling_and_starts_anew_after_a_success() -> None:
    bench, told, delays = Bench(), Told(), []
    bench.plugged = False
    clock = FastClock(20)
    with capturing(bench, told, clock, reopen_first_s=1, reopen_max_s=4) as capture:
        for _ in range(5):
            wait_until(lambda: capture.state.attempts == len(delays) + 1 and capture.state.next_try_in_s > 0)
            delays.append(capture.state.next_try_in_s)
        assert delays == pytest.approx([1, 2, 4, 4, 4])
        bench.plugged = True
        next_frame(capture)
        bench.plugged = False
        wait_until(lambda: capture.state.status == "lost" and capture.state.next_try_in_s > 0)
        assert capture.state.next_try_in_s == pytest.approx(1)


def test_a_hung_read_is_noticed_within_two_seconds_by_the_default_settings() -> None:
    bench, told = Bench(), Told()
    with capturing(bench, told, stall_timeout_s=CameraSettings().stall_timeout_s) as capture:
        next_frame(capture)
        told.wait_for("open")
        bench.go.clear()
        began = time.monotonic()
        told.wait_for("open", "lost")
        assert time.monotonic() - began < 2.0
        assert "no frames any more" in told.states[-1].reason
        assert capture.latest(-1, 0.01) is None


def test_the_last_frame_before_a_hang_is_not_handed_out_as_live() -> None:
    bench, clock = Bench(), ManualClock()
    with capturing(bench, clock=clock, stall_timeout_s=1.0) as capture:
        next_frame(capture)
        bench.go.clear()
        wait_until(bench.stuck.is_set)
        assert capture.latest(-1, 0.01) is not None
        clock.now += 0.99
        assert capture.latest(-1, 0.01) is not None
        clock.now += 0.02
        assert capture.latest(-1, 0.01) is None


def test_a_hung_thread_is_left_alone_and_a_new_one_opens_another_source() -> None:
    bench, told = Bench(), Told()
    with capturing(bench, told) as capture:
        before = next_frame(capture)
        told.wait_for("open")
        hung = bench.sources[-1]
        bench.go.clear()
        told.wait_for("open", "lost")
        assert not hung.closed.is_set()
        bench.go.set()
        told.wait_for("lost", "open")
        assert next_frame(capture, before.index).index > before.index
        assert hung.closed.wait(PATIENCE_S)  # by its own thread, once its read returned
        assert bench.most_reading_one == 1


def test_what_an_abandoned_thread_still_delivers_is_ignored() -> None:
    go = threading.Event()
    hang_over = threading.Event()

    class Camera:
        """The first one hangs in its fourth read and then delivers; later ones show brighter pictures."""

        live = True
        name = "camera"
        made = 0

        def __init__(self) -> None:
            self.first = Camera.made == 0
            Camera.made += 1
            self.reads = 0

        def open(self) -> None:
            pass

        def read(self) -> Frame | None:
            self.reads += 1
            if self.first and self.reads > 3:
                go.wait()
            time.sleep(0.005)
            return Frame(np.full((8, 8, 3), self.reads % 100 + (0 if self.first else 150), np.uint8), time.monotonic(), self.reads)

        def close(self) -> None:
            if self.first:
                hang_over.set()

    told = Told()
    capture = LiveCapture(Camera, CameraSettings(stall_timeout_s=0.5, reopen_first_s=0.05), told)
    capture.start()
    told.wait_for("open", "lost")
    told.wait_for("lost", "open")
    frame = next_frame(capture)
    go.set()
    assert hang_over.wait(PATIENCE_S)
    for _ in range(10):
        assert frame.image[0, 0, 0] >= 150
        frame = next_frame(capture, frame.index)
    capture.close()


def test_one_source_object_is_never_read_by_two_threads() -> None:
    bench, told = Bench(), Told()
    shared = bench.source()
    settings = CameraSettings(stall_timeout_s=0.3, reopen_first_s=0.05, reopen_max_s=0.1)
    capture = LiveCapture(lambda: shared, settings, told)
    capture.start()
    next_frame(capture)
    bench.go.clear()
    told.wait_for("lost", "lost")
    assert "an earlier read of it still hangs" in told.states[-1].reason
    assert not shared.closed.is_set()
    bench.go.set()
    told.wait_for("lost", "open")
    capture.close()
    assert bench.most_reading_one == 1


def test_a_driver_that_hangs_in_every_opening_is_not_given_more_and_more_threads() -> None:
    bench, told = Bench(), Told()
    bench.hang_in_open = True
    bench.go.clear()
    with capturing(bench, told, FastClock(40), reopen_first_s=0.1, reopen_max_s=1) as capture:
        wait_until(lambda: "hang in the driver" in capture.state.reason)
        attempts = len(bench.sources)
        assert attempts == live.HUNG_MOST
        began = capture.state
        wait_until(lambda: capture.state.next_try_in_s > 0)
        assert len(bench.sources) == attempts
        assert began.status == "lost"
        bench.hang_in_open = False
        bench.go.set()
        next_frame(capture)


def test_a_frozen_picture_is_lost_and_trusted_again_only_when_it_changes() -> None:
    bench, told = Bench(), Told()
    with capturing(bench, told, FastClock(4), stall_timeout_s=1.5, reopen_first_s=0.5, reopen_max_s=30) as capture:
        before = next_frame(capture)
        told.wait_for("open")
        bench.frozen = True
        told.wait_for("open", "lost")
        assert "same picture" in told.states[-1].reason
        wait_until(lambda: len(bench.sources) == 3)  # opened again twice, and still frozen
        assert capture.latest(before.index, 0.01) is None
        assert [state.status for state in told.states] == ["opening", "open", "lost"]
        bench.frozen = False
        told.wait_for("lost", "open")
        assert next_frame(capture, before.index).t > before.t


def test_a_frozen_picture_is_noticed_within_two_seconds() -> None:
    bench, told = Bench(), Told()
    with capturing(bench, told, stall_timeout_s=1.5) as capture:
        next_frame(capture)
        told.wait_for("open")
        bench.frozen = True
        began = time.monotonic()
        told.wait_for("open", "lost")
        assert time.monotonic() - began < 2.0


def test_a_coded_stream_may_repeat_a_still_scene_until_its_next_key_frame() -> None:
    bench, told, clock = Bench(), Told(), FastClock(10)
    with capturing(bench, told, clock, driver="stream", url="rtsp://camera/s", stall_timeout_s=5) as capture:
        next_frame(capture)
        bench.frozen = True
        frozen_at = clock()
        told.wait_for("open", "lost")
        assert clock() - frozen_at > live.FROZEN_CODED_S - 1


def test_a_recording_stands_in_for_a_camera_at_its_own_speed_and_may_repeat_pictures() -> None:
    bench, told = Bench(), Told()
    bench.live, bench.frozen = False, True
    counter = iter(range(10_000))
    bench.stamp = lambda: next(counter) * 0.06
    began = time.monotonic()
    with capturing(bench, told) as capture:
        next_frame(capture, 29)  # repeats its picture for longer than a camera may
        assert time.monotonic() - began >= 29 * 0.06  # the bench alone would take 0.15 s
        assert [state.status for state in told.states] == ["opening", "open"]


@pytest.mark.parametrize("error", [CameraLost("x: gone"), MediaError("x: torn")])
def test_a_factory_that_refuses_is_a_lost_camera(error: Exception) -> None:
    def factory() -> FrameSource:
        raise error

    told = Told()
    capture = LiveCapture(factory, CameraSettings(reopen_first_s=0.05), told)
    capture.start()
    told.wait_for("opening", "lost")
    assert told.states[-1].reason == str(error)
    capture.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_program_in_the_reader_is_a_lost_camera_too() -> None:
    bench, told = Bench(), Told()

    def broken() -> float:
        raise ZeroDivisionError

    with capturing(bench, told) as capture:
        next_frame(capture)
        bench.stamp = broken
        told.wait_for("open", "lost")
        assert "error of the program" in told.states[-1].reason
        bench.stamp = time.monotonic
        told.wait_for("lost", "open")
        assert bench.sources[0].closed.is_set()


@pytest.mark.parametrize(
    ("error", "kind"), [(OSError(19, "No such device rtsp://u:secret@h"), "OSError"), (cv2.error("secret: bad argument"), "in OpenCV")]
)
def test_an_error_of_the_driver_is_a_lost_camera_whose_reason_holds_no_address(error: Exception, kind: str) -> None:
    bench, told = Bench(), Told()

    def broken() -> float:
        raise error

    with capturing(bench, told) as capture:
        next_frame(capture)
        bench.stamp = broken
        told.wait_for("open", "lost")
        assert told.states[-1].reason == f"bench: the driver failed ({kind}); check cable, power and network"
        bench.stamp = time.monotonic
        told.wait_for("lost", "open")


def test_a_recording_that_ends_is_lost_and_played_again_with_rising_index_and_time(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 30, 3), number, np.uint8))
    told = Told()
    settings = CameraSettings(driver="folder", path=tmp_path, fps=50, reopen_first_s=0.05, reopen_max_s=30)
    capture = LiveCapture(lambda: open_source(settings), settings, told)
    capture.start()
    frames: list[Frame] = []
    while len(frames) < 9:  # of three pictures: at least three times round
        frames.append(next_frame(capture, frames[-1].index if frames else -1))
    wait_until(lambda: len(told.states) >= 5)
    capture.close()
    assert all(a.index < b.index and a.t < b.t for a, b in itertools.pairwise(frames))
    assert [state.status for state in told.states[:5]] == ["opening", "open", "lost", "open", "lost"]
    assert all("has ended" in state.reason for state in told.states if state.status == "lost")


def test_a_recording_of_one_picture_counts_as_opened_however_soon_it_ends(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((20, 30, 3), np.uint8))
    told = Told()
    settings = CameraSettings(driver="file", path=tmp_path / "one.png", reopen_first_s=0.05)
    capture = LiveCapture(lambda: open_source(settings), settings, told)
    capture.start()
    wait_until(lambda: len(told.states) >= 7)
    capture.close()
    assert [state.status for state in told.states[:7]] == ["opening", *["open", "lost"] * 3]
    assert {state.next_try_in_s for state in told.states if state.status == "lost"} == {0.05}  # each time a success, so never doubled


def test_a_listener_that_raises_is_logged_and_the_camera_is_still_reopened(caplog: pytest.LogCaptureFixture) -> None:
    bench, told = Bench(), Told()

    def listener(state: CameraState) -> None:
        told(state)
        raise ZeroDivisionError(state.status)

    capture = LiveCapture(bench.source, CameraSettings(stall_timeout_s=0.3, reopen_first_s=0.05, reopen_max_s=0.2), listener)
    capture.start()
    before = next_frame(capture)
    bench.plugged = False
    told.wait_for("opening", "open", "lost")
    bench.plugged = True
    assert next_frame(capture, before.index).index > before.index
    capture.close()
    assert "telling of its state failed" in caplog.text
    assert "ZeroDivisionError: lost" in caplog.text


def test_times_stay_on_our_clock_when_the_source_s_clock_jumps() -> None:
    bench = Bench()
    jumps = [0.0]
    bench.stamp = lambda: time.monotonic() + jumps[-1]
    with capturing(bench) as capture:
        last = next_frame(capture)
        for jump in (5000.0, -5000.0, 0.0):
            jumps.append(jump)
            for _ in range(5):
                frame = next_frame(capture, last.index)
                assert frame.t > last.t
                assert abs(frame.t - time.monotonic()) < 1.0
                last = frame


def test_close_returns_within_two_seconds_although_the_driver_hangs() -> None:
    bench, told = Bench(), Told()
    with capturing(bench, told) as capture:
        next_frame(capture)
        bench.go.clear()
        wait_until(bench.stuck.is_set)
        began = time.monotonic()
        capture.close()
        assert time.monotonic() - began < 2.0
        assert capture.latest(-1, 5.0) is None
        assert time.monotonic() - began < 2.5


def test_close_releases_the_device_and_may_be_called_twice_or_before_start() -> None:
    bench = Bench()
    with capturing(bench) as capture:
        next_frame(capture)
        capture.close()
        assert bench.sources[0].closed.is_set()
        capture.close()
    LiveCapture(bench.source, CameraSettings()).close()


def test_close_wakes_whoever_waits_for_a_frame() -> None:
    bench = Bench()
    bench.go.clear()
    with capturing(bench) as capture:
        waited: list[Frame | None] = []
        waiter = threading.Thread(target=lambda: waited.append(capture.latest(-1, 60)))
        waiter.start()
        capture.close()
        waiter.join(PATIENCE_S)
        assert waited == [None]


def test_pictures_that_differ_in_one_bit_are_not_the_same() -> None:
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    other = image.copy()
    assert same(image, other)
    other[7, 9, 1] ^= 1
    assert not same(image, other)
    assert not same(image, image[:100])
