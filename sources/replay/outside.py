"""A log file from outside: what kind it is, whether it is whole, what its channels hold."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sources.recording.format import DIGEST, RECOVERED, SESSION
from sources.replay.container import MAGIC, Attachment, Chunk, McapLog, Metadata
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec

_KINDS = (
    (MAGIC, "MCAP"),
    (b"#ROSBAG V2.0", "ROS 1 bag"),
    (b"SQLite format 3\0", "ROS 2 bag (SQLite)"),
    (b"VisionRe", "VRS"),
)
_MOST_NAMES = 100


def kind(path: Path) -> str:
    """By its first bytes. Raises `SourceLost` for what cannot be read."""
    if path.is_dir():
        return "ROS 2 bag (folder)"
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
    return next((name for magic, name in _KINDS if head.startswith(magic)), "unknown")


@dataclass(slots=True)
class ChannelCount:
    messages: int = 0
    bytes: int = 0


@dataclass(slots=True)
class McapFacts:
    """`whole`: read to its end, and nothing was wrong. `read_to`: the byte up to which it could be.

    `session`, `digest`, `recovered`: what a recording of ours says of itself, None where it does
    not.
    """

    size: int
    indexed: bool = False
    whole: bool = False
    read_to: int = 0
    profile: str = ""
    library: str = ""
    chunks: int = 0
    channels: dict[ChannelSpec, ChannelCount] = field(
        default_factory=dict[ChannelSpec, ChannelCount]
    )
    metadata: list[str] = field(default_factory=list[str])
    attachments: list[str] = field(default_factory=list[str])
    session: dict[str, str] | None = None
    digest: dict[str, str] | None = None
    recovered: dict[str, str] | None = None
    first_ns: int | None = None
    last_ns: int = 0
    problems: Counter[str] = field(default_factory=Counter[str])


def look(path: Path, hear: Callable[[int, int], object]) -> McapFacts:
    """Reads all of an MCAP file. `hear`: bytes read, and of how many. Raises `SourceLost`."""
    log = McapLog(path)
    try:
        found = McapFacts(log.size, indexed=log.index() is not None)
        for part in log.parts():
            _add(found, part)
            hear(log.position, log.size)
        found.whole, found.read_to = log.whole, log.position
        found.profile, found.library = log.profile[:100], log.library[:100]
        found.problems = Counter(log.problems)
        return found
    finally:
        log.close()


def _add(found: McapFacts, part: Chunk | Metadata | Attachment) -> None:
    if isinstance(part, Metadata):
        if part.name == SESSION:
            found.session = part.data
        elif part.name == DIGEST:
            found.digest = part.data
        elif part.name == RECOVERED:
            found.recovered = part.data
        if len(found.metadata) < _MOST_NAMES:
            found.metadata.append(part.name[:100])
    elif isinstance(part, Attachment):
        if len(found.attachments) < _MOST_NAMES:
            found.attachments.append(part.name[:100])
    else:
        found.chunks += 1
        for message in part.messages:
            channel = found.channels.setdefault(message.channel, ChannelCount())
            channel.messages += 1
            channel.bytes += len(message.payload)
            log_ns = message.log_ns
            found.first_ns = log_ns if found.first_ns is None else min(found.first_ns, log_ns)
            found.last_ns = max(found.last_ns, log_ns)
