"""A log of any kind that can be read: what is in it, and what happened, in order."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sources.recording.about import About
from sources.recording.format import SESSION
from sources.replay.container import MAGIC, McapLog
from sources.replay.containers import Container
from sources.replay.foreign import ForeignLog
from sources.replay.kinds import container_of
from sources.replay.mcap_container import McapContainer
from sources.replay.own import OwnLog
from sources.replay.topics import TopicAs
from streamer.errors import SourceLost
from streamer.events import Event
from streamer.types import StreamInfo, Truth


class Log(Protocol):
    """An open log. Times are on the clock of the run that it is of."""

    @property
    def streams(self) -> tuple[StreamInfo, ...]: ...

    @property
    def about(self) -> About | None:
        """None for logs that another program recorded."""
        ...

    @property
    def problems(self) -> Counter[str]:
        """What the last reading could not read, by cause."""
        ...

    def events(
        self,
        streams: Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> Iterator[Event | Truth]:
        """In the order of arrival, truth in its place among it. Logs of others have no journal:
        their samples arrive, not live, at the time the log has for them."""
        ...

    def close(self) -> None: ...


def open_log(path: Path, topics: Sequence[TopicAs] = ()) -> Log:
    """Told apart by what is in the file. Raises `SourceLost`."""
    if _begins(path) == MAGIC:
        log = McapLog(path)
        if log.opening(SESSION) is not None:
            return OwnLog(path, log)
        log.close()
    container = open_container(path)
    try:
        return ForeignLog(container, topics)
    except BaseException:
        container.close()
        raise


def damage(log: Log) -> Counter[str]:
    """Of its problems those that took something out of it: a log that was cut off just ends there,
    and in the logs of others much is odd and all of it there."""
    ours = log.about is not None
    return Counter(
        {
            cause: count
            for cause, count in log.problems.items()
            if not cause.startswith("cut off") and (ours or "damaged" in cause)
        }
    )


def open_container(path: Path) -> Container:
    """The messages of a log of any kind, ours too; a folder is a ROS 2 bag. Raises `SourceLost`."""
    begins = _begins(path)
    other = container_of(path, begins, McapContainer)
    if other is not None:
        return other
    if begins == MAGIC:
        return McapContainer(path)
    if begins.startswith(MAGIC[:5]):
        raise SourceLost(
            f"{path}: expected an MCAP file, its line ends were converted on the way (a transfer "
            "as text): most of its bytes are lost"
        )
    raise SourceLost(
        f"{path}: expected a log (MCAP, ROS bag, RealSense recording, VRS), "
        f"it {f'begins with {begins!r}' if begins else 'is empty'}"
    )


def _begins(path: Path) -> bytes:
    if path.is_dir():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC))
    except OSError as error:
        raise SourceLost(f"{path}: cannot be read: {error.strerror}") from None
