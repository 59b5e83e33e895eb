"""A log as the program sees it: channels with messages in them, and what is told about the whole.

Recordings (`sources.recording`) write into it, and `sinks.mcap` knows how it lies on the disk.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Schema:
    """How the messages of a channel are read."""

    name: str
    encoding: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel before it has a number. `encoding` is that of its messages."""

    topic: str
    encoding: str
    schema: Schema | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class LogFile(Protocol):
    """Everything here raises OSError when the disk does not take it."""

    @property
    def path(self) -> Path: ...

    @property
    def chunk_bytes(self) -> int:
        """In the open chunk, before compression."""
        ...

    @property
    def bytes_written(self) -> int:
        """What the disk has taken."""
        ...

    def message(self, channel: ChannelSpec, log_ns: int, sensor_ns: int, payload: bytes) -> None:
        """`log_ns`: when it was captured, on the host clock; `sensor_ns`: on the sensor's own."""
        ...

    def metadata(self, name: str, data: dict[str, str]) -> None: ...

    def close_chunk(self) -> None:
        """What has been written so far survives the end of this process."""
        ...

    def close(self) -> None: ...

    def abandon(self) -> None:
        """The disk takes no more: leave what is whole, and let go of the file. Never raises."""
        ...
