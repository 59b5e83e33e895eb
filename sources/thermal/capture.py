"""The seam to V4L2: the one place that opens a thermal camera. Runs in the camera's process."""

from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from sources.thermal.frames import Y16
from streamer.errors import SourceLost


class Capture(Protocol):
    """What is used of OpenCV's `VideoCapture`."""

    def grab(self) -> bool:
        """Wait for a frame. False if the camera has gone."""
        ...

    def retrieve(self) -> tuple[bool, NDArray[Any]]: ...

    def get(self, propId: int, /) -> float: ...  # noqa: N803 - OpenCV's name

    def release(self) -> None: ...


def v4l2(path: Path, sixteen_bits: bool) -> Capture:
    """The open camera at `path`, asked for its 16 bits untouched. Raises `SourceLost`."""
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
    if not capture.isOpened():
        raise SourceLost(f"{path}: no camera there, or it cannot be opened")
    if sixteen_bits:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*Y16))
        # Else OpenCV makes 8 bits of them.
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    return capture
