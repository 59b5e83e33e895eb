"""A Lepton at the seam to V4L2: real frames, in the shapes in which OpenCV hands frames over."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from sources.thermal.camera import Thermal
from sources.thermal.capture import Capture
from sources.v4l2 import Node
from tests.cptvfiles import as_the_library_reads

TELEMETRY = 0xBEEF


class Lepton(Thermal):
    """Frames of a real recording, `frames` of them, then unplugged or hanging."""

    recording: Path
    shape: Literal["words", "bytes"] = "words"
    rows: int = 0
    """Of telemetry, at the end that `telemetry` says."""
    fourcc: str = "Y16 "
    swapped: bool = False
    eight: Literal[0, 1, 3] = 0
    """Channels of a camera of 8 bits; 0 is one of 16."""
    palette: bool = False
    wrong_first: int = 0
    """So many frames of zeros come first."""
    hotter_after: int | None = None
    """From this frame on, everything is 400 counts hotter."""
    frames: int = 12
    then: Literal["unplugged", "hang"] = "unplugged"

    socket: Path | None = None
    """What is there as long as it is plugged in."""

    def node(self) -> Node:
        return Node(self.socket or self.recording)

    def capture(self, node: Node) -> Capture:
        del node
        return _Frames(self)


class _Frames:
    def __init__(self, config: Lepton) -> None:
        self._config = config
        self._frames = self._made()
        self._next: NDArray[Any] | None = None

    def grab(self) -> bool:
        time.sleep(0.05)
        self._next = next(self._frames, None)
        if self._next is None and self._config.then == "hang":
            time.sleep(3600)
        return self._next is not None

    def retrieve(self) -> tuple[bool, NDArray[Any]]:
        frame = self._next
        return (False, np.empty(0)) if frame is None else (True, frame)

    def get(self, propId: int, /) -> float:  # noqa: N803
        return {
            cv2.CAP_PROP_FRAME_WIDTH: 160.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 120.0 + self._config.rows,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*self._config.fourcc)),
            cv2.CAP_PROP_FPS: 9.0,
        }.get(propId, 0.0)

    def release(self) -> None:
        self._frames = iter(())

    def _made(self) -> Iterator[NDArray[Any]]:
        config = self._config
        for _ in range(config.wrong_first):
            yield np.zeros((120 + config.rows, 160), np.uint16)
        pictures = as_the_library_reads(config.recording)[: config.frames]
        for number, taken in enumerate(pictures):
            hotter = config.hotter_after is not None and number >= config.hotter_after
            picture = taken + np.uint16(400 if hotter else 0)
            telemetry = np.full((config.rows, 160), TELEMETRY, np.uint16)
            parts = [picture, telemetry] if config.telemetry == "end" else [telemetry, picture]
            whole = np.vstack(parts)
            if config.eight:
                yield self._eight_bits(whole)
                continue
            whole = whole.byteswap() if config.swapped else whole
            yield whole if config.shape == "words" else whole.view(np.uint8).reshape(1, -1)

    def _eight_bits(self, picture: NDArray[np.uint16]) -> NDArray[Any]:
        grey = as_8_bits(picture)
        if self._config.palette:
            return cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
        return grey if self._config.eight == 1 else np.repeat(grey[:, :, None], 3, axis=2)


def as_8_bits(picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """As a camera with a gain of its own shows it."""
    low, high = int(picture.min()), int(picture.max())
    return ((picture.astype(np.float64) - low) * 255 / (high - low)).astype(np.uint8)
