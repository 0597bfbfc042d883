"""A network camera: a real HTTP server on the loopback that sends JPEG after JPEG, and can die, hang and come back."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

BOUNDARY = "frame"
INTERVAL_S = 0.02


class MjpegServer:
    """Listens from `start` on at a port of its own that it keeps over restarts."""

    def __init__(self, size: tuple[int, int] = (160, 120)) -> None:
        self.hang = threading.Event()  # set: connections stay open, frames stop
        self.size = size
        self.sent = 0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self._stop = threading.Event()

    @property
    def url(self) -> str:
        return f"http://admin:hunter2@127.0.0.1:{self.port}/video.mjpg"

    def start(self) -> None:
        self._stop.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Die: every connection is cut and new ones are refused."""
        self._stop.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self.end_headers()
                try:
                    while not camera._stop.wait(INTERVAL_S):
                        if not camera.hang.is_set():
                            self.wfile.write(camera._part())
                except OSError:
                    return  # the client has gone

            def log_message(self, *_args: object) -> None:
                pass

        return Handler

    def _part(self) -> bytes:
        self.sent += 1
        width, height = self.size
        image = np.full((height, width, 3), self.sent % 200, np.uint8)
        image[: height // 2, : width // 2, 2] = 255  # red at the left above
        _, jpeg = cv2.imencode(".jpg", image)
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {jpeg.size}\r\n\r\n"
        return head.encode() + jpeg.tobytes() + b"\r\n"
