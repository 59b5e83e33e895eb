"""What one run says on the wire: a session id, a sequence number per topic, messages as drafts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sinks.wire.embedding import Body, encode_embedding
from sinks.wire.reports import (
    State,
    encode_health,
    encode_labels,
    encode_meta,
    encode_recording,
    encode_source,
    encode_status,
    encode_truth,
)
from sinks.wire.topics import Topics
from sinks.wire.vectors import Dtype
from streamer.types import (
    NS_PER_S,
    Embedding,
    Health,
    Message,
    Meta,
    RecordingStatus,
    SourceStatus,
    Truth,
)
from streamer.version import __version__

EMBEDDING_EXPIRY_WINDOWS = 3
LABEL_EXPIRY_S = 60
TRUTH_EXPIRY_S = 60
HEALTH_EXPIRY_S = 15


@dataclass(frozen=True, slots=True)
class Draft:
    """A message for one topic, ready but for the time of its publishing.

    `expiry_s` is how long the broker should keep it for a subscriber that is away. `stale_s` is
    how long it is worth sending at all; labels and truth always are, since they tell what happened.
    `retain` marks the state of something: only the newest on a topic counts.
    """

    topic: str
    body: Body
    qos: int
    retain: bool = False
    expiry_s: int | None = None
    stale_s: float = math.inf


class Encode(Protocol):
    def __call__(self, embedding: Embedding, /, *, sid: str, seq: int) -> Body: ...


class Session:
    """Numbers the messages of one run. A lossless one lets nothing expire, and asks for
    acknowledgements of embeddings too."""

    def __init__(
        self,
        topics: Topics,
        sid: str,
        *,
        dtype: Dtype = "float16",
        top_k: int | None = 5,
        lossless: bool = False,
        encode: Encode | None = None,
    ) -> None:
        self.topics = topics
        self.sid = sid
        self._dtype: Dtype = dtype
        self._top_k = top_k
        self._encode = encode or partial(encode_embedding, dtype=dtype)
        self._lossless = lossless
        self._seq: dict[str, int] = {}
        self._absent: set[str] = set()

    @property
    def state(self) -> State:
        """`degraded` while a source is stalled or lost; one that came to its end is neither."""
        return "degraded" if self._absent else "online"

    def drafts(self, message: Message) -> Sequence[Draft]:
        """The message as it goes on the wire. Raises ValueError if it must not."""
        match message:
            case Embedding():
                return self._embedding(message)
            case Truth():
                return [self._truth(message)]
            case SourceStatus():
                return [self._source(message)]
            case RecordingStatus():
                body = encode_recording(message, sid=self.sid)
                return [Draft(self.topics.recording_status, body, qos=1, retain=True)]
            case Meta():
                body = encode_meta(message, sid=self.sid, dtype=self._dtype)
                return [Draft(self.topics.meta, body, qos=1, retain=True)]
            case Health():
                topic = self.topics.health
                body = encode_health(message, sid=self.sid, seq=self._next(topic))
                return [self._passing(topic, body, 0, HEALTH_EXPIRY_S, HEALTH_EXPIRY_S)]

    def status(self, state: State, since_ns: int, why: str = "") -> Draft:
        body = encode_status(state, sid=self.sid, version=__version__, why=why, since_ns=since_ns)
        return Draft(self.topics.status, body, qos=1, retain=True)

    def last_will(self) -> bytes:
        why = "the connection was lost"
        return encode_status("offline", sid=self.sid, version=__version__, why=why).data

    def _embedding(self, embedding: Embedding) -> Sequence[Draft]:
        # Numbered here and not when sent: what the outbox has to drop then shows as a gap.
        place = embedding.modality, embedding.stream
        topic = self.topics.embedding(*place)
        body = self._encode(embedding, sid=self.sid, seq=self._seq.get(topic, 0))
        self._next(topic)
        windows_s = EMBEDDING_EXPIRY_WINDOWS * embedding.span.length_ns / NS_PER_S
        expiry_s = max(1, math.ceil(windows_s))
        drafts = [self._passing(topic, body, 1 if self._lossless else 0, expiry_s, expiry_s)]
        if embedding.labels is not None:
            topic = self.topics.label(*place)
            body = encode_labels(
                embedding,
                embedding.labels,
                sid=self.sid,
                seq=self._seq.get(topic, 0),
                top_k=self._top_k,
            )
            self._next(topic)
            drafts.append(self._passing(topic, body, 1, LABEL_EXPIRY_S, math.inf))
        return drafts

    def _truth(self, truth: Truth) -> Draft:
        # Acknowledged, as labels are: what they are scored against must not be lost before them.
        topic = self.topics.truth(truth.stream)
        body = encode_truth(truth, sid=self.sid, seq=self._next(topic))
        return self._passing(topic, body, 1, TRUTH_EXPIRY_S, math.inf)

    def _source(self, status: SourceStatus) -> Draft:
        if status.state == "online" or status.why in ("ended", "stopped"):
            self._absent.discard(status.stream)
        else:
            self._absent.add(status.stream)
        topic = self.topics.source_status(status.stream)
        return Draft(topic, encode_source(status, sid=self.sid), qos=1, retain=True)

    def _passing(self, topic: str, body: Body, qos: int, expiry_s: int, stale_s: float) -> Draft:
        if self._lossless:
            return Draft(topic, body, qos)
        return Draft(topic, body, qos, expiry_s=expiry_s, stale_s=stale_s)

    def _next(self, topic: str) -> int:
        seq = self._seq.get(topic, 0)
        self._seq[topic] = seq + 1
        return seq
