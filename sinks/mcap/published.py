"""What a run publishes, beside its sensors in the same log, in the bytes that go on the wire."""

import uuid
from typing import Protocol

from sinks.wire.session import Session
from sinks.wire.topics import Topics
from streamer.channels import Account
from streamer.logfile import ChannelSpec
from streamer.protocols import Clock
from streamer.types import Embedding, Health, Message, Meta

ROOT = "/streamer/"
_RAW_RUN = (Embedding, Meta, Health)


class Notes(Protocol):
    """Where messages go: a recorder."""

    def note(
        self, channel: ChannelSpec, log_ns: int, payload: bytes, *, state: bool = False
    ) -> None:
        """`state`: only the newest on its channel counts, however old it is."""
        ...


class Published:
    """A sink beside the others. Without `embeddings`, what comes from the sources alone.

    Topics are those of MQTT below `/streamer/`, without prefix and robot. Embeddings lie in time
    where their windows end, the rest where it was published.
    """

    def __init__(self, notes: Notes, clock: Clock, *, embeddings: bool) -> None:
        self.account = Account()
        self._notes, self._clock, self._embeddings = notes, clock, embeddings
        self._session = Session(Topics("log", "run"), uuid.uuid4().hex[:16], top_k=None)
        self._root = f"{self._session.topics.root}/"

    async def publish(self, message: Message) -> None:
        if not self._embeddings and isinstance(message, _RAW_RUN):
            return
        now_ns = self._clock.now_ns()
        t_ns = message.span.end_ns if isinstance(message, Embedding) else now_ns
        for draft in self._session.drafts(message):
            self.account.produced += 1
            payload = draft.body.stamped(now_ns)
            encoding = "json" if payload[:1] == b"{" else "cbor"
            topic = ROOT + draft.topic.removeprefix(self._root)
            self._notes.note(ChannelSpec(topic, encoding), t_ns, payload, state=draft.retain)
            self.account.delivered += 1

    def report(self) -> dict[str, object]:
        return self.account.report()
