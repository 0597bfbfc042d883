"""`blinkd bench --web`: from a decision to its greeting at the display's end of the WebSocket, with the mirror's pictures on the same way."""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from blinkd.capture.frame import Frame
from blinkd.cli.output import console, notes
from blinkd.clock import SystemClock
from blinkd.errors import ServerFailed
from blinkd.measure.bench import BENCH_SIZE, Timing
from blinkd.measure.servers.ports import free_ports
from blinkd.ourselves import COMMAND
from blinkd.outputs.screen import Screen
from blinkd.session.events import Event
from blinkd.settings import Settings

GREETINGS = 200
EVERY_S = 0.05  # between greetings; far more than come at a door
STARTS_S = 60.0  # until the pages are served
ANSWER_S = 10.0
MB = 1024  # kB


def figures(settings: Settings) -> dict[str, Any]:
    """Run a web process of its own on an empty state folder and a free port; returns what --json prints. Raises ServerFailed."""
    screen = Screen(settings.kiosk, SystemClock())
    with tempfile.TemporaryDirectory(prefix="blinkd-bench-") as folder, notes().status("timing"):
        try:
            began = time.perf_counter()
            with _process(screen, Path(folder)) as (process, port):
                socket = _socket(port, process)
                start_s = time.perf_counter() - began
                stop = threading.Event()
                camera = threading.Thread(target=_film, args=(screen, settings.camera.fps, stop), daemon=True)
                camera.start()
                began = time.perf_counter()
                greetings, pictures, picture_bytes = _greet(screen, socket)
                seconds = time.perf_counter() - began
                stop.set()
                camera.join()
                memory_mb = _resident_mb(process.pid)
                socket.close()
        finally:
            screen.close()
    return {
        "greeting_ms": greetings.as_json(),
        "greetings": GREETINGS,
        "pictures_per_s": round(pictures / seconds, 1),
        "picture_kb": round(picture_bytes / max(pictures, 1) / 1024, 1),
        "dropped": screen.dropped,
        "start_s": round(start_s, 2),
        "rss_mb": memory_mb,
    }


def show(answer: dict[str, Any]) -> None:
    """Print what `figures` returned, for people."""
    out, greeting = console(), answer["greeting_ms"]
    out.print(
        f"decision to WebSocket message: {greeting['p50']:.2f} ms median, {greeting['p95']:.2f} ms 95th percentile "
        f"of {answer['greetings']} greetings, {answer['dropped']} messages dropped"
    )
    out.print(f"mirror beside it: {answer['pictures_per_s']} pictures/s of {answer['picture_kb']} kB")
    out.print(f"web process: {answer['start_s']} s until its pages are served, {answer['rss_mb']} MB resident")


@contextmanager
def _process(screen: Screen, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    (port,) = free_ports(1)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BLINKD_")}
    environment |= {"BLINKD_STATE_DIR": str(folder), "BLINKD_WEB__PORT": str(port), "BLINKD_LOG__LEVEL": "WARNING"}
    with screen.channel() as (events, pictures):
        ends = ["--events", str(events), "--pictures", str(pictures)]
        command = [*COMMAND, "web", "run", "--parent", str(os.getpid()), *ends]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, pass_fds=(events, pictures))  # noqa: S603  ourselves
    with process:
        try:
            yield process, port
        finally:
            process.terminate()


def _socket(port: int, process: subprocess.Popen[bytes]) -> ClientConnection:
    deadline = time.monotonic() + STARTS_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return connect(f"ws://127.0.0.1:{port}/kiosk/live", origin=f"http://127.0.0.1:{port}", max_size=None)  # type: ignore[arg-type]
        except (OSError, WebSocketException):
            time.sleep(0.05)  # it is not there yet, and nobody tells when it is
    raise ServerFailed("the web process does not serve its pages; `blinkd web run` says why")


def _film(screen: Screen, fps: float, stop: threading.Event) -> None:
    """Pictures of noise are larger than a camera's, so this is rather too much."""
    width, height = BENCH_SIZE
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(128, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    index = 0
    while not stop.wait(1 / fps):
        index += 1
        screen.picture(Frame(image, time.monotonic(), index), None, "tracking", "", mirrored=False)


def _greet(screen: Screen, socket: ClientConnection) -> tuple[Timing, int, int]:
    """Times; pictures that came meanwhile, and their bytes."""
    spent: list[float] = []
    while isinstance(socket.recv(ANSWER_S), bytes):  # until it has said hello, what is told goes into that
        pass
    pictures = picture_bytes = 0
    for number in range(GREETINGS):
        details = {"person_id": "E-1", "name": "Sam Sample", "status": "CHECK_IN", "punctuality": "ON_TIME", "minutes": 0, "seq": number}
        began = time.perf_counter()
        screen.event(Event(0.0, number, "punch", details))
        while True:
            if time.perf_counter() - began > ANSWER_S:
                raise ServerFailed("the web process does not say what it is told; its log says why")
            message = socket.recv(ANSWER_S)
            if isinstance(message, bytes):
                pictures, picture_bytes = pictures + 1, picture_bytes + len(message)
            elif json.loads(message).get("seq") == number:
                spent.append(time.perf_counter() - began)
                break
        time.sleep(EVERY_S)
    return Timing.of(spent), pictures, picture_bytes


def _resident_mb(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / MB)
