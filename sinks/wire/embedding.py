"""An embedding as bytes: a CBOR map with the vector as an RFC 8746 typed array.

Pure functions. The same bytes go to MQTT and to disk. Times are integer nanoseconds since the Unix
epoch. `docs/reference/wire.md` tells a subscriber in any language what the keys mean.
"""

import io
from dataclasses import dataclass
from typing import Any, Literal

import cbor2
from pydantic import Field, InstanceOf, ValidationError

from sinks.wire.bounds import (
    FORMAT,
    AgeNs,
    Count,
    Counts,
    Name,
    Ns,
    Version,
    Wire,
    WireError,
    check_size,
    first_problem,
)
from sinks.wire.vectors import Dtype, pack, unpack
from streamer.types import ClockCard, Embedding, Ledger, Quality, Span

CBOR_TYPE = "application/cbor"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Body:
    """A payload that still lacks `tp`, the time at which it is handed to the network.

    Complete in itself; `stamped` adds the last pair without encoding the rest again, because a
    message can wait in the outbox, and be sent more than once.
    """

    content_type: str
    data: bytes

    def stamped(self, published_ns: int) -> bytes:
        if self.content_type == JSON_TYPE:
            return self.data[:-1] + b',"tp":%d}' % (published_ns // 1000)
        # The first byte of a CBOR map of up to 23 pairs holds their number.
        head = bytes([self.data[0] + 1])
        return head + self.data[1:] + cbor2.dumps("tp") + cbor2.dumps(published_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A decoded embedding: `embedding.ledger.published_ns` is `tp`; its labels travel apart."""

    sid: str
    seq: int
    embedding: Embedding


class QualityMap(Wire):
    coverage: float
    gaps: Count
    oldest: AgeNs
    newest: AgeNs
    late: Count
    clock: Name
    error: Ns
    offset: AgeNs = 0
    dropped: Counts = Field(default_factory=dict)
    contributors: list[Name] = Field(default_factory=list, max_length=256)
    absent: dict[Name, Name] = Field(default_factory=dict, max_length=256)
    agreement: float | None = None


class LedgerMap(Wire):
    capture: Ns
    closed: Ns
    started: Ns
    encoded: Ns


class EmbeddingMap(Wire):
    v: Version
    sid: Name
    seq: Count
    t0: Ns
    t1: Ns
    tp: Ns
    m: Literal["vision", "audio", "depth", "thermal", "imu", "fused"]
    s: Name
    model: Name
    q: QualityMap
    l: LedgerMap  # noqa: E741 - the key of the format
    e: InstanceOf[cbor2.CBORTag]


def encode_embedding(embedding: Embedding, *, sid: str, seq: int, dtype: Dtype) -> Body:
    """The CBOR map of an embedding, without `tp`. Raises ValueError if it is no unit vector."""
    quality, ledger = embedding.quality, embedding.ledger
    pairs: dict[str, Any] = {
        "v": FORMAT,
        "sid": sid,
        "seq": seq,
        "t0": embedding.span.start_ns,
        "t1": embedding.span.end_ns,
        "m": embedding.modality,
        "s": embedding.stream,
        "model": embedding.model,
        "q": {
            "coverage": quality.coverage,
            "gaps": quality.gaps,
            "oldest": quality.oldest_age_ns,
            "newest": quality.newest_age_ns,
            "late": quality.late,
            "clock": quality.clock.domain,
            "error": quality.clock.error_ns,
            **clock_offset(quality.clock.offset_ns),
            **said(quality),
        },
        "l": {
            "capture": ledger.capture_ns,
            "closed": ledger.closed_ns,
            "started": ledger.encode_started_ns,
            "encoded": ledger.encoded_ns,
        },
        "e": pack(embedding.vector, dtype),
    }
    return Body(CBOR_TYPE, cbor2.dumps(pairs))


def decode_embedding(payload: bytes) -> Received:
    """The embedding in untrusted bytes. Raises `WireError`, and nothing else."""
    pairs = _map(payload)
    try:
        found = EmbeddingMap.model_validate(pairs)
        vector = unpack(found.e)
    except ValidationError as error:
        raise first_problem("embedding", error) from None
    except ValueError as error:
        raise WireError(f"embedding: e: {error}") from None
    if found.t1 < found.t0:
        raise WireError(f"embedding: t1 {found.t1} lies before t0 {found.t0}")
    ledger = Ledger(found.l.capture, found.l.closed, found.l.started, found.l.encoded, found.tp)
    embedding = Embedding(
        stream=found.s,
        modality=found.m,
        span=Span(found.t0, found.t1),
        vector=vector,
        model=found.model,
        quality=_quality(found.q),
        labels=None,
        ledger=ledger,
    )
    return Received(found.sid, found.seq, embedding)


def _map(payload: bytes) -> object:
    check_size("embedding", payload)
    stream = io.BytesIO(payload)
    try:
        pairs: object = cbor2.load(stream)
    except (cbor2.CBORError, ValueError, RecursionError) as error:
        raise WireError(f"embedding: no CBOR: {error}") from None
    if stream.tell() != len(payload):
        raise WireError(f"embedding: {len(payload) - stream.tell()} bytes after its end")
    if not isinstance(pairs, dict):
        raise WireError(f"embedding: expected a CBOR map, got {type(pairs).__name__}")
    return pairs


def said(quality: Quality) -> dict[str, Any]:
    """The fields that are mostly empty, and so left out unless there is something to say."""
    rare: dict[str, Any] = {
        "dropped": dict(quality.dropped),
        "contributors": list(quality.contributors),
        "absent": dict(quality.absent),
        "agreement": quality.agreement,
    }
    return {key: value for key, value in rare.items() if value not in ({}, [], None)}


def clock_offset(offset: int) -> dict[str, int]:
    """Left out where the host's own clock stamped."""
    return {"offset": offset} if offset else {}


def _quality(found: QualityMap) -> Quality:
    return Quality(
        coverage=found.coverage,
        gaps=found.gaps,
        oldest_age_ns=found.oldest,
        newest_age_ns=found.newest,
        late=found.late,
        dropped=found.dropped,
        clock=ClockCard(found.clock, found.error, found.offset),
        contributors=tuple(found.contributors),
        absent=found.absent,
        agreement=found.agreement,
    )
