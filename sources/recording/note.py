"""What a run published, as a recording keeps it."""

from dataclasses import dataclass

from streamer.logfile import ChannelSpec


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """A message that was published, in the bytes that went on the wire.

    `state`: only the newest on its channel counts, however old it is.
    """

    channel: ChannelSpec
    log_ns: int
    payload: bytes
    state: bool = False
