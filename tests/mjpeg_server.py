"""An HTTP camera for tests: one JPEG after the other in a multipart answer, in a thread.

Its pictures carry the number that `tests.rtsp_server.number` reads.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.clock import monotonic_ns
from streamer.types import NS_PER_S
from tests.rtsp_server import BITS

HEIGHT, WIDTH = 240, 320


@dataclass(slots=True)
class HttpCamera:
    """Change it while it runs. Clear `going`: connections stay, and nothing comes."""

    rate_hz: int = 20
    going: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    @property
    def number(self) -> int:
        return monotonic_ns() * self.rate_hz // NS_PER_S % (1 << BITS)


def jpeg(number: int) -> bytes:
    """As `tests.rtsp_server_child` draws it: the bits above, highest first; red below."""
    picture: NDArray[np.uint8] = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[HEIGHT // 2 :] = (0, 0, 255)
    cell = WIDTH // BITS
    for bit in range(BITS):
        if number >> (BITS - 1 - bit) & 1:
            picture[: HEIGHT // 2, bit * cell : (bit + 1) * cell] = 255
    return cv2.imencode(".jpg", picture)[1].tobytes()


@contextmanager
def http_camera(rate_hz: int = 20) -> Generator[HttpCamera, None, None]:
    camera = HttpCamera(rate_hz)
    camera.going.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            camera.asked.append(self.path)
            self.send_response(camera.status)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            self.end_headers()
            try:
                while camera.status == 200 and not camera.over.wait(1 / camera.rate_hz):
                    camera.going.wait(60)
                    body = jpeg(camera.number)
                    head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}"
                    self.wfile.write(head.encode() + b"\r\n\r\n" + body + b"\r\n")
            except OSError:
                pass  # the client has gone

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # closing the server waits for them
        camera.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield camera
        finally:
            camera.over.set()
            camera.going.set()
            server.shutdown()
            thread.join()
