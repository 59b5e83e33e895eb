"""Cameras that OpenCV opens: V4L2 nodes, RTSP and HTTP addresses.

The backend is always named: left to itself OpenCV tries them all and ignores time-outs
(opencv#23207). It says why something cannot be opened on stderr alone, so that is where it is read.
"""

import math
import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sources.camera.address import Address
from sources.camera.frames import Grab
from sources.camera.refusal import http_refusal
from sources.v4l2 import Node
from streamer.clock import monotonic_ns
from streamer.errors import SourceLost
from streamer.types import NS_PER_S

# TCP, since a lost packet of UDP is a grey smear for seconds; nothing held back; and no second of
# pictures read only to guess the rate.
_FFMPEG = "rtsp_transport;tcp|fflags;nobuffer|fpsprobesize;0"
_WORDS = 8192


class Video(Protocol):
    """The part of `cv2.VideoCapture` in use."""

    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, Any]: ...
    def get(self, propId: int) -> float: ...  # noqa: N803 - OpenCV's name
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803
    def isOpened(self) -> bool: ...  # noqa: N802
    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a V4L2 camera is asked for; None leaves it as it is. It may do something else."""

    width: int | None = None
    height: int | None = None
    rate_hz: float | None = None
    fourcc: str | None = None
    exposure_ms: float | Literal["auto"] | None = None


class Capture:
    """`Frames` of an open `cv2.VideoCapture`. A read that took `read_s` or more is a time-out,
    even if it gave a picture: it is one from the decoder's store, and each costs as long again."""

    order: Literal["RGB", "BGR"] = "BGR"

    def __init__(self, video: Video, name: str, read_s: float) -> None:
        import cv2

        self._video, self._name, self._read_s = video, name, read_s
        self._position = int(cv2.CAP_PROP_POS_MSEC)
        self.rate_hz = video.get(cv2.CAP_PROP_FPS)
        width, height = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
        parts = [f"{name}: {width:g}x{height:g}"]
        if 0 < self.rate_hz < math.inf:
            parts.append(f"at {self.rate_hz:g} fps")
        self.what = " ".join(parts)
        if code := fourcc_text(video.get(cv2.CAP_PROP_FOURCC)):
            self.what += f", {code}"

    def grab(self) -> Grab | None:
        before_ns = monotonic_ns()
        came = self._video.grab()
        at_ns = monotonic_ns()
        if at_ns - before_ns >= self._read_s * NS_PER_S:
            raise SourceLost(f"{self._name}: no picture for {self._read_s:g} s")
        if not came:
            raise SourceLost(f"{self._name}: no more pictures: unplugged, or the stream has ended")
        return Grab(at_ns, self._video.get(self._position))

    def picture(self) -> NDArray[Any]:
        came, picture = self._video.retrieve()
        if not came or not isinstance(picture, np.ndarray):
            raise SourceLost(f"{self._name}: a picture came that cannot be decoded")
        return picture

    def close(self) -> None:
        self._video.release()


def open_address(address: Address, open_s: float, read_s: float) -> Capture:
    """Raises `SourceLost`, after about `open_s` at most, without the address's secrets."""
    cv2 = _cv2()
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", _FFMPEG)
    options = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(open_s * 1e3),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(read_s * 1e3),
        # Each further thread of the decoder holds back one picture more.
        cv2.CAP_PROP_N_THREADS, 1,
    ]  # fmt: skip
    began_ns = monotonic_ns()
    with _stderr() as said:
        video = cv2.VideoCapture(address.url, cv2.CAP_FFMPEG, options)
    if not video.isOpened():
        video.release()
        if monotonic_ns() - began_ns >= open_s * NS_PER_S:
            raise SourceLost(f"{address.shown}: no answer for {open_s:g} s")
        why = reason(said())
        if not why and address.url.lower().startswith("http"):
            why = http_refusal(address.url, open_s)
        why = address.without_secrets(why) or "cannot be opened, and nothing says why"
        raise SourceLost(f"{address.shown}: {why}")
    return Capture(video, address.shown, read_s)


def open_node(node: Node, wish: Wish, read_s: float) -> Capture:
    """Raises `SourceLost`."""
    cv2 = _cv2()
    name = f"{node.path} {node.name}".rstrip()
    with _stderr() as said:
        video = cv2.VideoCapture(str(node.path), cv2.CAP_V4L2)
    if not video.isOpened():
        video.release()
        raise SourceLost(f"{name}: no camera that OpenCV can open: {reason(said())}".rstrip(": "))
    arrange(video, wish)
    return Capture(video, name, read_s)


def arrange(video: Video, wish: Wish) -> None:
    """Ask for what is wished. A camera that cannot do it goes on with what it can."""
    import cv2

    # In this order: the format decides which sizes there are, and the size which rates.
    if wish.fourcc is not None:
        video.set(cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*wish.fourcc)))
    for name, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, wish.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, wish.height),
        (cv2.CAP_PROP_FPS, wish.rate_hz),
    ):
        if value is not None:
            video.set(name, float(value))
    # V4L2's numbers: 3 is automatic ("aperture priority"), 1 manual, in units of 0.1 ms.
    if wish.exposure_ms == "auto":
        video.set(cv2.CAP_PROP_AUTO_EXPOSURE, 3.0)
    elif wish.exposure_ms is not None:
        video.set(cv2.CAP_PROP_AUTO_EXPOSURE, 1.0)
        video.set(cv2.CAP_PROP_EXPOSURE, float(round(wish.exposure_ms * 10)))


def fourcc_text(code: float) -> str:
    """The four characters of a format's code; "" where it is none."""
    if not 0 < code < 1 << 32:
        return ""
    characters = int(code).to_bytes(4, "little").rstrip(b"\0 ")
    printable = all(32 <= byte < 127 for byte in characters)
    return characters.decode("ascii") if printable else ""


def reason(said: str) -> str:
    """The one line that tells why, of what OpenCV wrote to stderr; "" if none does."""
    lines = [line.strip() for line in said.splitlines()]
    # "[rtsp @ 0x55ba] method DESCRIBE failed: 401 (Unauthorized)" is FFmpeg, and knows best.
    best = [line for line in lines if re.match(r"\[\w+ @ 0x", line)] or [
        line for line in lines if line and "backend is generally available" not in line
    ]
    return re.sub(r"^\[[^\]]*\]\s*", "", best[-1])[:200] if best else ""


def _cv2() -> Any:
    try:
        import cv2
    except ImportError:
        raise SourceLost("a camera needs OpenCV: install opencv-python-headless") from None
    return cv2


@contextmanager
def _stderr() -> Generator[Callable[[], str], None, None]:
    """Keep what C libraries write to stderr meanwhile; the function gives it afterwards."""
    kept, before = os.memfd_create("stderr"), os.dup(2)
    words = b""
    try:
        os.dup2(kept, 2)
        try:
            yield lambda: words.decode(errors="replace")
        finally:
            os.dup2(before, 2)
            # Whole lines: the rest of one that was cut could no longer be masked.
            words, _, _ = os.pread(kept, _WORDS, 0).rpartition(b"\n")
    finally:
        os.close(before)
        os.close(kept)
