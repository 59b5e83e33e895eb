"""Listening to a robot: decoded messages from a broker, checked for gaps and duplicates."""

import logging
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

import aiomqtt

from sinks.mqtt.line import Line
from sinks.mqtt.link import Endpoint
from sinks.wire.bounds import WireError
from sinks.wire.continuity import Continuity
from sinks.wire.embedding import Received, decode_embedding
from sinks.wire.reports import (
    HealthReport,
    LabelReport,
    MetaReport,
    RecordingReport,
    SourceReport,
    StatusReport,
    TruthReport,
    decode,
)
from sinks.wire.topics import Topics

log = logging.getLogger(__name__)

Content: TypeAlias = (
    Received
    | LabelReport
    | TruthReport
    | StatusReport
    | SourceReport
    | RecordingReport
    | MetaReport
    | HealthReport
)

_PLAIN: dict[tuple[str, ...], type[StatusReport | RecordingReport | MetaReport | HealthReport]] = {
    ("status",): StatusReport,
    ("recording", "status"): RecordingReport,
    ("meta",): MetaReport,
    ("health",): HealthReport,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, decoded. `robot` is the name in its topic."""

    topic: str
    robot: str
    content: Content
    retained: bool


class Subscriber:
    """Follows the robots that `topics` matches (robot `+` means all of them).

    `continuity` holds, by topic, what was received, what is missing and what came twice;
    `malformed` counts messages that are not what the format says.
    """

    def __init__(self, endpoint: Endpoint, topics: Topics) -> None:
        self.continuity: dict[str, Continuity] = {}
        self.malformed = 0
        self._topics = topics
        self._line = Line(endpoint, topics.everything, f"listen-{uuid.uuid4().hex[:12]}")

    @property
    def connected(self) -> bool:
        return self._line.connected

    @property
    def connections(self) -> int:
        return self._line.connections

    @property
    def why(self) -> str:
        """Why it is not connected."""
        return self._line.why

    async def messages(self) -> AsyncGenerator[Heard]:
        """Every message once, for ever; waits for the broker whenever it is away. Close it with
        `contextlib.aclosing`."""
        async with aclosing(self._line.messages()) as messages:
            async for message in messages:
                heard = self._understand(message)
                if heard is not None:
                    yield heard

    def _understand(self, message: aiomqtt.Message) -> Heard | None:
        topic = str(message.topic)
        # An empty retained message is how a topic is cleared.
        if not message.payload:
            return None
        # The prefix, the version and the robot come before what says the kind.
        depth = self._topics.prefix.count("/") + 3
        levels = topic.split("/")
        try:
            content = _decode(tuple(levels[depth:]), message.payload)
        except WireError as error:
            self.malformed += 1
            log.debug("%s: %s", topic, error)
            return None
        if content is None or self._repeated(topic, content):
            return None
        return Heard(topic, levels[depth - 1], content, bool(message.retain))

    def _repeated(self, topic: str, content: Content) -> bool:
        if not isinstance(content, Received | LabelReport | TruthReport | HealthReport):
            return False
        continuity = self.continuity.setdefault(topic, Continuity())
        return continuity.see(content.sid, content.seq) == "duplicate"


def _decode(levels: tuple[str, ...], payload: bytes) -> Content | None:
    """None for a topic that this version knows nothing of. Raises `WireError`."""
    match levels:
        case ("embedding", *_):
            return decode_embedding(payload)
        case ("label", *_):
            return decode(LabelReport, payload)
        case ("truth", _):
            return decode(TruthReport, payload)
        case ("source", _, "status"):
            return decode(SourceReport, payload)
        case _:
            kind = _PLAIN.get(levels)
            return decode(kind, payload) if kind else None
