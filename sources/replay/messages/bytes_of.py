"""Bytes, however an encoding keeps them. Pure."""

import base64
import binascii
from typing import Any, cast


def bytes_of(data: Any) -> bytes | memoryview:
    """JSON has them as base64 or as a list of numbers. Raises ValueError."""
    if isinstance(data, bytes | memoryview):
        return data
    try:
        if isinstance(data, str):
            return base64.b64decode(data, validate=True)
        if isinstance(data, list):
            return bytes(cast("list[int]", data))
    except (binascii.Error, ValueError, TypeError):
        pass
    raise ValueError(f"bytes expected, got {type(data).__name__}")
