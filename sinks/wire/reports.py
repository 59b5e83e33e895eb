"""The JSON messages: labels, truth, the states, meta and health. Pure functions.

Times are integer microseconds since the Unix epoch; no number is NaN or infinite. A field that
does not apply is left out.
"""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from sinks.wire.bounds import (
    FORMAT,
    Count,
    Counts,
    FiniteJson,
    Name,
    Text,
    Us,
    Version,
    Wire,
    check_size,
    first_problem,
)
from sinks.wire.embedding import JSON_TYPE, Body, clock_offset, said
from sinks.wire.vectors import Dtype, check_unit
from streamer.types import (
    Embedding,
    Health,
    Labels,
    Meta,
    Modality,
    RecordingStatus,
    SourceStatus,
    Truth,
)

State = Literal["online", "degraded", "offline"]
ReportT = TypeVar("ReportT", bound=Wire)


class Score(Wire):
    """One label: its probability, and the raw cosine behind it."""

    l: Text  # noqa: E741 - the key of the format
    p: float
    cos: float


class LabelReport(Wire):
    v: Version
    sid: Name
    seq: Count
    t0: Us
    t1: Us
    tp: Us
    m: Literal["vision", "audio", "depth", "thermal", "imu", "fused"]
    s: Name
    model: Name
    set: Name
    size: Count
    calibrated: bool
    none: float | None = None
    top: Annotated[list[Score], Field(max_length=4096)]


class TruthReport(Wire):
    v: Version
    sid: Name
    seq: Count
    t0: Us
    t1: Us
    tp: Us
    s: Name
    present: dict[Modality, Annotated[list[Text], Field(max_length=4096)]]


class StatusReport(Wire):
    """`since` and `tp` are missing from a last will: the broker sends it, long after its making."""

    v: Version
    sid: Name
    state: State
    version: Name
    why: Text = ""
    since: Us | None = None
    tp: Us | None = None


class SourceReport(Wire):
    v: Version
    sid: Name
    s: Name
    m: Name
    state: Literal["online", "stalled", "offline"]
    why: Text
    since: Us
    restarts: Count
    dropped: Counts
    tp: Us
    last_capture: Us | None = None


class RecordingReport(Wire):
    v: Version
    sid: Name
    state: Literal["armed", "recording", "failed", "closed"]
    path: Text
    why: Text
    since: Us
    bytes: Count
    chunks: Count
    dropped: Counts
    tp: Us


class MetaReport(Wire):
    v: Version
    sid: Name
    model: Name
    model_hash: Name
    dim: Count
    dtype: Dtype
    hop: Us
    windows: Annotated[dict[Name, Us], Field(max_length=256)]
    streams: Annotated[dict[Name, Name], Field(max_length=256)]
    label_set: Name
    clock: Name
    tp: Us


class HealthReport(Wire):
    v: Version
    sid: Name
    seq: Count
    t: Us
    report: FiniteJson
    tp: Us


def encode_embedding_json(embedding: Embedding, *, sid: str, seq: int, vectors: bool) -> Body:
    """The embedding of `sinks.wire` as JSON, in microseconds; `e` is a list of numbers, good to
    1e-8, or left out. Raises ValueError if it is no unit vector."""
    quality, ledger = embedding.quality, embedding.ledger
    check_unit(embedding.vector)
    pairs: dict[str, Any] = {
        "v": FORMAT,
        "sid": sid,
        "seq": seq,
        "t0": embedding.span.start_ns // 1000,
        "t1": embedding.span.end_ns // 1000,
        "m": embedding.modality,
        "s": embedding.stream,
        "model": embedding.model,
        "q": {
            "coverage": quality.coverage,
            "gaps": quality.gaps,
            "oldest": quality.oldest_age_ns // 1000,
            "newest": quality.newest_age_ns // 1000,
            "late": quality.late,
            "clock": quality.clock.domain,
            "error": quality.clock.error_ns // 1000,
            **clock_offset(quality.clock.offset_ns // 1000),
            **said(quality),
        },
        "l": {
            "capture": ledger.capture_ns // 1000,
            "closed": ledger.closed_ns // 1000,
            "started": ledger.encode_started_ns // 1000,
            "encoded": ledger.encoded_ns // 1000,
        },
    }
    if vectors:
        pairs["e"] = np.round(embedding.vector.astype(np.float64), 8).tolist()
    return _json(pairs)


def encode_labels(
    embedding: Embedding, labels: Labels, *, sid: str, seq: int, top_k: int | None
) -> Body:
    """The `top_k` most probable labels, best first; all of them if `top_k` is None."""
    order = np.argsort(-labels.probabilities, kind="stable")[:top_k]
    scores = [
        {
            "l": labels.names[i],
            "p": round(float(labels.probabilities[i]), 6),
            "cos": round(float(labels.cosines[i]), 6),
        }
        for i in order
    ]
    return _json(
        {
            "v": FORMAT,
            "sid": sid,
            "seq": seq,
            "t0": embedding.span.start_ns // 1000,
            "t1": embedding.span.end_ns // 1000,
            "m": embedding.modality,
            "s": embedding.stream,
            "model": embedding.model,
            "set": labels.set_hash,
            "size": len(labels.names),
            "calibrated": labels.calibrated,
            **({} if labels.none is None else {"none": round(labels.none, 6)}),
            "top": scores,
        }
    )


def encode_truth(truth: Truth, *, sid: str, seq: int) -> Body:
    return _json(
        {
            "v": FORMAT,
            "sid": sid,
            "seq": seq,
            "t0": truth.span.start_ns // 1000,
            "t1": truth.span.end_ns // 1000,
            "s": truth.stream,
            "present": {modality: list(names) for modality, names in truth.present.items()},
        }
    )


def encode_status(
    state: State, *, sid: str, version: str, why: str = "", since_ns: int | None = None
) -> Body:
    """`since_ns` None is for a last will."""
    pairs: dict[str, Any] = {"v": FORMAT, "sid": sid, "state": state, "version": version}
    if why:
        pairs["why"] = why[:1024]
    if since_ns is not None:
        pairs["since"] = since_ns // 1000
    return _json(pairs)


def encode_source(status: SourceStatus, *, sid: str) -> Body:
    pairs: dict[str, Any] = {
        "v": FORMAT,
        "sid": sid,
        "s": status.stream,
        "m": status.modality,
        "state": status.state,
        "why": status.why[:1024],
        "since": status.since_ns // 1000,
        "restarts": status.restarts,
        "dropped": dict(status.dropped),
    }
    if status.last_capture_ns:
        pairs["last_capture"] = status.last_capture_ns // 1000
    return _json(pairs)


def encode_recording(status: RecordingStatus, *, sid: str) -> Body:
    return _json(
        {
            "v": FORMAT,
            "sid": sid,
            "state": status.state,
            "path": status.path[:1024],
            "why": status.why[:1024],
            "since": status.since_ns // 1000,
            "bytes": status.bytes,
            "chunks": status.chunks,
            "dropped": dict(status.dropped),
        }
    )


def encode_meta(meta: Meta, *, sid: str, dtype: Dtype) -> Body:
    return _json(
        {
            "v": FORMAT,
            "sid": sid,
            "model": meta.model,
            "model_hash": meta.model_hash,
            "dim": meta.dim,
            "dtype": dtype,
            "hop": meta.hop_ns // 1000,
            "windows": {name: length // 1000 for name, length in meta.lengths_ns.items()},
            "streams": dict(meta.streams),
            "label_set": meta.label_set_hash,
            "clock": meta.clock,
        }
    )


def encode_health(health: Health, *, sid: str, seq: int) -> Body:
    """Numbers that are not finite (a percentile of nothing) become null."""
    return _json(
        {
            "v": FORMAT,
            "sid": sid,
            "seq": seq,
            "t": health.t_ns // 1000,
            "report": _nullify(health.report),
        }
    )


def decode(kind: type[ReportT], payload: bytes) -> ReportT:
    """A JSON message from untrusted bytes. Raises `WireError`, and nothing else."""
    check_size(kind.__name__, payload)
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        raise first_problem(kind.__name__, error) from None


def _json(pairs: dict[str, Any]) -> Body:
    text = json.dumps(pairs, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Body(JSON_TYPE, text.encode())


def _nullify(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _nullify(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nullify(item) for item in value]
    return value
