"""An HTTP server of one file, that misbehaves as told."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Served:
    """What is served, and how. Change it between requests."""

    content: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    ignores_if_range: bool = False
    cuts: list[int] = field(default_factory=list[int])
    """After how many bytes the next answers break off; whole ones follow."""
    statuses: list[int] = field(default_factory=list[int])
    """What the next answers are instead."""
    location: str = ""
    claimed: str | None = None
    """Content-Length, where it is not the truth; empty: none is sent."""
    content_range: str | None = None
    coding: str | None = None
    """Transfer-Encoding."""
    kind: str | None = None
    """Content-Type."""
    free: threading.Event = field(default_factory=threading.Event)
    """Clear between `hold` and `release`: then an answer falls silent where it would end."""
    sent: threading.Event = field(default_factory=threading.Event)
    """Set when the bytes of an answer are on their way."""
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Headers of the requests, in small letters."""
    url: str = ""

    def hold(self) -> None:
        self.free.clear()

    def release(self) -> None:
        self.free.set()


@contextmanager
def serving(content: bytes) -> Generator[Served, None, None]:
    """Serve on a port of its own on loopback."""
    served = Served(content)
    served.release()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, served)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # closing the server waits for them
        served.url = f"http://127.0.0.1:{server.server_port}/weights.pth"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            served.release()
            server.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    headers = {name.lower(): value for name, value in handler.headers.items()}
    served.asked.append(headers)
    if served.statuses:
        handler.send_response(served.statuses.pop(0))
        if served.location:
            handler.send_header("Location", served.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start, total = _start(headers, served), len(served.content)
    if start >= total > 0:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{total}")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    if start:
        said = served.content_range or f"bytes {start}-{total - 1}/{total}"
        handler.send_header("Content-Range", said)
    for name, value in (
        ("ETag", served.etag),
        ("Transfer-Encoding", served.coding),
        ("Content-Type", served.kind),
    ):
        if value is not None:
            handler.send_header(name, value)
    length = str(total - start) if served.claimed is None else served.claimed
    if length:
        handler.send_header("Content-Length", length)
    handler.end_headers()
    body = served.content[start:]
    if served.cuts:
        body = body[: served.cuts.pop(0)]
    try:
        handler.wfile.write(body)
        handler.wfile.flush()
        served.sent.set()
        served.free.wait(100)
    except OSError:
        pass  # the client has gone


def _start(headers: dict[str, str], served: Served) -> int:
    """Where the answer starts: at 0 unless the range holds."""
    asked = headers.get("range", "")
    if not served.ranges or not asked:
        return 0
    if not served.ignores_if_range and headers.get("if-range") != served.etag:
        return 0
    return int(asked.removeprefix("bytes=").removesuffix("-"))
