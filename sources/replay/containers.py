"""What every kind of log is to the code that makes samples of its messages."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from sources.replay.container import Message
from streamer.logfile import ChannelSpec


class Container(Protocol):
    """One log, open: a file, or a folder with the files of one.

    Messages carry how they are to be read in their `ChannelSpec`:

    ROS 1        encoding "ros1", Schema("sensor_msgs/Image", "ros1msg", definition text)
    ROS 2        encoding "cdr", Schema("sensor_msgs/msg/Image", "ros2msg", definition text)
    protobuf     encoding "protobuf", Schema(name, "protobuf", FileDescriptorSet)
    JSON         encoding "json", Schema(name, "jsonschema", schema) or none

    `metadata` of a channel may say what its topic does not: `stream`, `modality`, and for pictures
    of numbers `scale` and `offset` (value = number * scale + offset, in metres or degrees Celsius).
    """

    @property
    def problems(self) -> Counter[str]:
        """What has been found wrong so far, by cause. Grows while messages are read."""
        ...

    @property
    def start_ns(self) -> int | None:
        """The log's time of its first message, where that is known without reading all."""
        ...

    @property
    def end_ns(self) -> int | None: ...

    def topics(self) -> Mapping[ChannelSpec, int]:
        """Every channel, and how many messages it has; 0 where nobody knows."""
        ...

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        """In the order of the log's time, those of one instant as they lie in the file."""
        ...

    def close(self) -> None: ...
