"""A V4L2 camera that is none: the machines that build this have no V4L2.

A double stands where `cv2.VideoCapture` would; the rest is real, the process and its watch too.
"""

import time
from typing import Any

import cv2
import numpy as np

from sources.camera.capture import Capture
from sources.camera.frames import Frames
from sources.camera.source import Camera
from sources.camera.stamps import DriverClock, Stamps
from sources.v4l2 import Node


class Device:
    """Does as it is asked, and keeps the order of asking. Its pictures are noise."""

    def __init__(self, **fails: bool) -> None:
        self.values: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: 640,
            cv2.CAP_PROP_FRAME_HEIGHT: 480,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_POS_MSEC: 1234.5,
        }
        self.asked: list[tuple[int, float]] = []
        self.fails = fails
        self.takes_s = 0.0
        self._noise = np.random.default_rng(0)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803
        self.asked.append((propId, value))
        self.values[propId] = value
        return True

    def get(self, propId: int) -> float:  # noqa: N803
        return self.values.get(propId, 0.0)

    def grab(self) -> bool:
        time.sleep(self.takes_s)
        return not self.fails.get("grab", False)

    def retrieve(self) -> tuple[bool, Any]:
        if self.fails.get("retrieve"):
            return False, None
        return True, self._noise.integers(0, 256, (480, 640, 3), np.uint8)

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def release(self) -> None:
        pass


class Plugged(Camera):
    """Finds its node as any camera does, and opens the double there."""

    def frames(self, node: Node | None) -> tuple[Frames, Stamps]:
        device = Device()
        device.takes_s = 1 / 30
        return Capture(device, str(node.path if node else ""), 2), DriverClock()
