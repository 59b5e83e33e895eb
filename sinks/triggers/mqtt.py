"""A message on the broker that the run publishes to."""

import uuid
from collections.abc import Callable
from contextlib import aclosing

from sinks.mqtt.line import Line
from sinks.mqtt.link import Endpoint
from sinks.wire.topics import Topics

LONGEST = 200
"""Characters of a cause."""


class MqttWatch:
    """Any message on the topic; its text is the cause.

    A retained one is old, and would come again with every connection: it does not count.
    """

    def __init__(self, endpoint: Endpoint, topics: Topics, trigger: Callable[[str], None]) -> None:
        self.line = Line(endpoint, topics.recording_trigger, f"trigger-{uuid.uuid4().hex[:12]}")
        self._trigger = trigger

    async def run(self) -> None:
        """For ever."""
        async with aclosing(self.line.messages()) as messages:
            async for message in messages:
                if not message.retain:
                    self._trigger(" ".join(("message", _text(message.payload))).strip())


def _text(payload: object) -> str:
    """What can be printed of it, on one line. Untrusted."""
    told = payload if isinstance(payload, bytes) else b""
    text = told[: 4 * LONGEST].decode(errors="replace")
    return "".join(char if char.isprintable() else " " for char in text)[:LONGEST].strip()
