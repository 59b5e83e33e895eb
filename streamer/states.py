"""What is known of the streams' sources: online, stalled or offline, and how often lost."""

from collections.abc import Iterable
from typing import Any

from streamer.types import SourceStatus


class SourceStates:
    """The newest state of every stream, as its source told it, and the outages so far.

    An outage begins when a stream stops being online, or is lost before it ever was; a source
    that ends by itself is none. `newest` lacks the streams of which nothing was heard.
    """

    def __init__(self, streams: Iterable[str]) -> None:
        self.outages = dict.fromkeys(streams, 0)
        self.newest: dict[str, SourceStatus] = {}

    def note(self, status: SourceStatus) -> None:
        before = self.newest.get(status.stream)
        was_well = before is None or before.state == "online"
        if was_well and status.state != "online" and status.why != "ended":
            self.outages[status.stream] += 1
        self.newest[status.stream] = status

    @property
    def away(self) -> dict[str, SourceStatus]:
        """Streams that are not online now, in the order of the configuration."""
        found = ((stream, self.newest.get(stream)) for stream in self.outages)
        return {s: status for s, status in found if status and status.state != "online"}

    def report(self) -> dict[str, dict[str, Any]]:
        """JSON-ready, by stream. `state` None: nothing was heard of it."""
        told = ((stream, self.newest.get(stream)) for stream in self.outages)
        return {
            stream: {
                "state": status.state if status else None,
                "why": status.why if status else "",
                "outages": self.outages[stream],
                "restarts": status.restarts if status else 0,
            }
            for stream, status in told
        }
