"""What is whole of a truncated, unindexed or damaged MCAP file, into a new one with an index."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sources.recording.format import DIGEST, RECOVERED
from sources.replay.container import Chunk, McapLog, Metadata
from streamer.logfile import ChannelSpec


class RawFile(Protocol):
    """A log that takes what is in others as it is. All of it raises OSError."""

    def message(
        self,
        channel: ChannelSpec,
        log_ns: int,
        sensor_ns: int,
        payload: bytes,
        sequence: int | None = None,
    ) -> None: ...

    def metadata(self, name: str, data: dict[str, str]) -> None: ...

    def attachment(
        self, name: str, media_type: str, data: bytes, log_ns: int, created_ns: int
    ) -> None: ...

    def close_chunk(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Recovered:
    """What went into the new file, and what of the old one could not be read.

    `bytes_lost`: behind the place where the file is cut off. `digest`: the old file was closed, and
    nothing before its end is lost.
    """

    messages: dict[str, int] = field(default_factory=dict[str, int])
    metadata: int = 0
    attachments: int = 0
    bytes_read: int = 0
    bytes_lost: int = 0
    problems: dict[str, int] = field(default_factory=dict[str, int])
    digest: bool = False


def recover(log: McapLog, file: RawFile, hear: Callable[[int, int], object]) -> Recovered:
    """Closes `file`. Chunks stay the same, so a log of ours replays as far as it goes.

    `hear` is told how many bytes have been read, and of how many. Raises OSError.
    """
    done = Recovered()
    last: dict[str, str] | None = None
    for part in log.parts():
        if isinstance(part, Chunk):
            for message in part.messages:
                channel = message.channel
                file.message(
                    channel, message.log_ns, message.publish_ns, message.payload, message.sequence
                )
                done.messages[channel.topic] = done.messages.get(channel.topic, 0) + 1
            file.close_chunk()
        elif isinstance(part, Metadata):
            if part.name == DIGEST:
                last = part.data  # of the whole: only if all of it is there
            else:
                file.metadata(part.name, part.data)
                done.metadata += 1
        else:
            file.attachment(part.name, part.media_type, part.data, part.log_ns, part.created_ns)
            done.attachments += 1
        hear(log.position, log.size)
    done.bytes_read = log.position
    done.bytes_lost = log.size - log.position
    done.problems = dict(log.problems)
    damaged = [cause for cause in log.problems if not cause.startswith("cut off")]
    if last is not None and not damaged:
        file.metadata(DIGEST, last)
        done.metadata += 1
        done.digest = True
    told = {"bytes_read": str(done.bytes_read), "bytes_lost": str(done.bytes_lost)}
    if not done.digest:
        file.metadata(RECOVERED, told | {"problems": "; ".join(sorted(done.problems))})
    file.close()
    return done
