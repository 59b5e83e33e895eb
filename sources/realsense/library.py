"""The library of RealSense cameras, where it is installed."""

from importlib import import_module
from typing import Any

from streamer.errors import SourceLost


def library() -> Any:
    """`pyrealsense2`: compiled and without stubs, hence Any. Raises SourceLost without it."""
    try:
        return import_module("pyrealsense2")
    except ImportError as error:
        raise SourceLost(
            f"RealSense needs pyrealsense2: install imagebind-streamer[realsense] ({error})"
        ) from None
