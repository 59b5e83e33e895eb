"""A log of any kind that can be read: what is in it, and what happened, in order."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sources.recording.about import About
from sources.replay.own import OwnLog
from streamer.events import Event
from streamer.types import Modality, StreamInfo


class TopicAs(BaseModel):
    """How a topic of a log is taken, where its type does not say it or says it wrongly.

    `stream` null leaves the topic out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str
    stream: str | None = None
    modality: Modality | None = None


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
    ) -> Iterator[Event]:
        """In the order of arrival. Logs of others have no journal: their samples arrive, not live,
        at the time the log has for them."""
        ...

    def close(self) -> None: ...


def open_log(path: Path, topics: Sequence[TopicAs] = ()) -> Log:
    """Told apart by what is in the file. Raises `SourceLost`."""
    del topics  # our own know their streams
    return OwnLog(path)
