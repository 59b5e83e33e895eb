"""Recordings of RealSense cameras, `.bag` and `.db3`, with the times at which frames were taken.

Their containers count from the start of the recording. When a frame was taken stands in messages
of its own behind it (`.../metadata`), and in a `.bag` in the picture's header too. Here the log
time, the publish time and the header of each message say when it was taken: the stamps that the
camera's own library gives when it plays the file.

The library writes stamps of three clocks, named with each frame. Those of the host (system and
global time) are UTC. Those of the device's own clock are moved to the host's with the first frame
that has both, by one step for all of the device's streams.
"""

import re
import struct
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sources.replay.container import Message
from sources.replay.containers import Container
from streamer.logfile import ChannelSpec
from streamer.types import NS_PER_S

WAITING = 256
"""Frames and readings that wait for what is told about them; it comes directly behind."""
OPENING = 20_000
"""Messages among which the description of the device is looked for."""
LONGEST_TEXT = 1 << 16

_TOPIC = re.compile(r"(/device_\d+)(/sensor_\d+)(/[A-Za-z_]+_\d+)/(?:image|imu)/(data|metadata)\b")
_OPTION = re.compile(r"(/device_\d+/sensor_\d+)/option/Depth_Units/value$")
_DOMAIN, _SYSTEM, _STAMP = "timestamp_domain", "system_time", "timestamp"
_HEADER_AT = 4
"""Where the stamp of a header lies: behind ROS 1's counter, or behind the four bytes that begin
CDR."""


def is_realsense(topics: Mapping[ChannelSpec, int]) -> bool:
    return any(_TOPIC.match(channel.topic) for channel in topics)


@dataclass(slots=True)
class _Waiting:
    """A frame or reading, until it is known when it was taken."""

    message: Message
    device: str
    taken_ns: int | None
    told: dict[str, str] = field(default_factory=dict[str, str])
    ready: bool = False


class RealSenseLog:
    """A container of such a recording, seen through its metadata. It closes what it is given."""

    def __init__(self, inner: Container) -> None:
        self._inner = inner
        self._lost: Counter[str] = Counter()
        self._offsets: dict[str, int] = {}
        self._channels: dict[ChannelSpec, ChannelSpec] = {}
        self._units: dict[str, str] = {}
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        for number, message in enumerate(inner.messages()):
            option = _OPTION.match(message.channel.topic)
            if option is not None and (unit := _unit(message)) is not None:
                self._units[option.group(1)] = unit
            if _TOPIC.match(message.channel.topic) or number > OPENING:
                break
        first = next(self.messages(), None)
        if first is not None:
            self.start_ns = first.log_ns
            if inner.start_ns is not None and inner.end_ns is not None:
                self.end_ns = first.log_ns + inner.end_ns - inner.start_ns

    @property
    def problems(self) -> Counter[str]:
        return self._inner.problems + self._lost

    def topics(self) -> Mapping[ChannelSpec, int]:
        """Those of frames and readings. A hundred others describe the device."""
        return {
            self._channel(channel): count
            for channel, count in self._inner.topics().items()
            if (match := _TOPIC.match(channel.topic)) and match.group(4) == "data"
        }

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        """In the order in which they came in, which is not quite that of the times."""
        self._lost.clear()
        queue: deque[_Waiting] = deque()
        latest: dict[str, _Waiting] = {}
        for message in self._inner.messages():
            match = _TOPIC.match(message.channel.topic)
            if match is None:
                continue
            if match.group(4) == "data":
                # The next of a kind: nothing more is told about the one before.
                self._settle(latest.get(_of(match)))
                entry = _Waiting(message, match.group(1), _header_ns(message))
                latest[_of(match)] = entry
                queue.append(entry)
            elif (about := latest.get(_of(match))) is not None:
                self._tell(about, message)
            while queue and (queue[0].ready or len(queue) > WAITING):
                self._settle(queue[0])
                yield from self._given(queue.popleft(), from_ns)
        for entry in queue:
            self._settle(entry)
            yield from self._given(entry, from_ns)

    def close(self) -> None:
        self._inner.close()

    def _channel(self, channel: ChannelSpec) -> ChannelSpec:
        """With what it holds, and the unit of depth where the file has it."""
        if channel not in self._channels:
            match = _TOPIC.match(channel.topic)
            told = list(channel.metadata)
            if match:
                told.append(("stream", _stream(match)))
            if match and match.group(3).startswith("/Depth_"):
                told.append(("modality", "depth"))
                if (unit := self._units.get(match.group(1) + match.group(2))) is not None:
                    told.append(("scale", unit))
            known = ChannelSpec(channel.topic, channel.encoding, channel.schema, tuple(told))
            self._channels[channel] = known
        return self._channels[channel]

    def _tell(self, entry: _Waiting, message: Message) -> None:
        if message.log_ns != entry.message.log_ns or len(message.payload) > LONGEST_TEXT:
            return
        entry.told.update(_told(message))
        if {_DOMAIN, _SYSTEM} <= entry.told.keys():
            self._settle(entry)

    def _settle(self, entry: _Waiting | None) -> None:
        """With what is known by now."""
        if entry is None or entry.ready:
            return
        entry.ready = True
        if (stamp := _nanoseconds(entry.told.get(_STAMP, ""))) is not None:
            entry.taken_ns = stamp
        if entry.taken_ns is None:
            self._lost["frames without the time at which they were taken"] += 1
        elif "hardware" in entry.told.get(_DOMAIN, "").lower():
            if entry.device not in self._offsets:
                system_ns = _nanoseconds(entry.told.get(_SYSTEM, ""))
                self._offsets[entry.device] = system_ns - entry.taken_ns if system_ns else 0
            entry.taken_ns += self._offsets[entry.device]

    def _given(self, entry: _Waiting, from_ns: int | None) -> Iterator[Message]:
        message, t_ns = entry.message, entry.taken_ns
        if t_ns is not None and (from_ns is None or t_ns >= from_ns):
            payload = _stamped(message.payload, t_ns)
            channel = self._channel(message.channel)
            yield Message(channel, t_ns, t_ns, message.sequence, payload)


def _of(match: re.Match[str]) -> str:
    """The stream of a topic: of its device, its sensor and its kind."""
    return "".join(match.groups()[:3])


def _stream(match: re.Match[str]) -> str:
    """`depth`, `color`, `infrared-1`, `imu`; those of a second device have it in front."""
    device = match.group(1).removeprefix("/device_")
    kind, _, number = match.group(3).lstrip("/").lower().rpartition("_")
    name = "imu" if kind in {"gyro", "accel"} else kind if number == "0" else f"{kind}-{number}"
    return name if device == "0" else f"device-{device}-{name}"


def _header_ns(message: Message) -> int | None:
    """Of a ROS 1 message. In a `.db3` the header repeats the time since the start."""
    if message.channel.encoding != "ros1" or len(message.payload) < _HEADER_AT + 8:
        return None
    seconds, nanoseconds = struct.unpack_from("<II", message.payload, _HEADER_AT)
    return seconds * NS_PER_S + nanoseconds


def _stamped(payload: bytes, t_ns: int) -> bytes:
    """With this time in its header."""
    seconds = min(max(0, t_ns // NS_PER_S), 2**31 - 1)
    stamp = struct.pack("<II", seconds, t_ns % NS_PER_S)
    return payload[:_HEADER_AT] + stamp + payload[_HEADER_AT + 8 :]


def _told(message: Message) -> dict[str, str]:
    """ROS 1: a key and a value a message. ROS 2: a text with all of them."""
    if message.channel.encoding == "ros1":
        key, rest = _text(message.payload, 0)
        value, _ = _text(message.payload, rest)
        return {key: value}
    text, _ = _text(message.payload, _HEADER_AT)
    pairs = (part.partition("=") for part in text.split(";"))
    return {key: value for key, _, value in pairs}


def _text(payload: bytes, at: int) -> tuple[str, int]:
    """A text behind its length, and where it ends."""
    if at + 4 > len(payload):
        return "", len(payload)
    (length,) = struct.unpack_from("<I", payload, at)
    end = min(at + 4 + length, len(payload))
    return payload[at + 4 : end].rstrip(b"\0").decode(errors="replace"), end


def _nanoseconds(milliseconds: str) -> int | None:
    """Of a decimal number, with all its digits: a float64 is good to a quarter microsecond."""
    if not re.fullmatch(r"\d{1,16}(\.\d{0,12})?", milliseconds):
        return None
    whole, _, part = milliseconds.partition(".")
    return int(whole) * 1_000_000 + int(part[:6].ljust(6, "0"))


def _unit(message: Message) -> str | None:
    """Metres. ROS 1: a float32. ROS 2: a text."""
    if message.channel.encoding == "ros1":
        if len(message.payload) != 4:
            return None
        value = struct.unpack("<f", message.payload)[0]
    else:
        text, _ = _text(message.payload, _HEADER_AT)
        value = float(text) if re.fullmatch(r"\d{1,6}(\.\d{0,12})?", text) else 0.0
    # As short as it was meant: 0.001 is not a float32.
    return f"{value:.7g}" if 1e-6 <= value <= 1 else None
