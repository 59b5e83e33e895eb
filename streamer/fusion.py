"""One vector and one label from the senses that are there. Pure numpy."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from streamer.types import Counts, Embedding, Labels, Ledger, Quality, Span, Vector

FUSED = "fused"


def fuse(
    parts: Sequence[Embedding],
    weights: Mapping[str, float],
    absent: Mapping[str, str],
) -> Embedding | None:
    """Join the embeddings of one tick (same end, same model) into one.

    The vector is the weighted sum of the unit vectors present, made unit again; its length before
    that, divided by the sum of the weights, is `quality.agreement`. `weights` are by modality, 1
    where none is given; a weight of 0 leaves a modality out. `absent` tells why other streams are
    missing. None where nothing takes part or the vectors cancel: no direction means no embedding.
    """
    taking_part = [(e, w) for e in parts if (w := weights.get(e.modality, 1.0)) > 0]
    if not taking_part:
        return None
    total = sum(weight for _, weight in taking_part)
    # float64: agreement is compared across runs, and the sum of a few float32 vectors is cheap.
    mean = np.sum([w * e.vector.astype(np.float64) for e, w in taking_part], axis=0) / total
    agreement = float(np.linalg.norm(mean))
    if agreement < 1e-6:
        return None
    vector: Vector = (mean / agreement).astype(np.float32)
    embeddings = [e for e, _ in taking_part]
    end = max(e.span.end_ns for e in embeddings)
    return Embedding(
        stream=FUSED,
        modality=FUSED,
        span=Span(min(e.span.start_ns for e in embeddings), end),
        vector=vector,
        model=embeddings[0].model,
        quality=Quality(
            coverage=min(e.quality.coverage for e in embeddings),
            gaps=sum(e.quality.gaps for e in embeddings),
            oldest_age_ns=max(e.quality.oldest_age_ns for e in embeddings),
            newest_age_ns=max(e.quality.newest_age_ns for e in embeddings),
            late=sum(e.quality.late for e in embeddings),
            dropped=_sum_counts(e.quality.dropped for e in embeddings),
            clock=max((e.quality.clock for e in embeddings), key=lambda c: c.error_ns),
            contributors=tuple(e.stream for e in embeddings),
            absent=MappingProxyType(dict(absent)),
            agreement=agreement,
        ),
        labels=fuse_labels(taking_part, total * agreement),
        ledger=Ledger(
            capture_ns=max(e.ledger.capture_ns for e in embeddings),
            closed_ns=max(e.ledger.closed_ns for e in embeddings),
            encode_started_ns=min(e.ledger.encode_started_ns for e in embeddings),
            encoded_ns=max(e.ledger.encoded_ns for e in embeddings),
        ),
    )


def fuse_labels(parts: Sequence[tuple[Embedding, float]], length: float) -> Labels | None:
    """Weighted sum of the log-probabilities, of two questions apart.

    Which label, if any: over the labels alone. Whether it is none of them: over the log-odds of
    those modalities that have a threshold for it, since the others have no opinion. `length` is
    that of the weighted sum of the unit vectors, so that the fused cosine is exactly the cosine of
    the fused vector with each class. None unless all parts were scored against the same label set:
    probabilities over different sets have no sum.
    """
    scored = [(e.labels, w) for e, w in parts if e.labels is not None]
    if len(scored) < len(parts) or len({labels.set_hash for labels, _ in scored}) != 1:
        return None
    first = scored[0][0]
    score = np.sum([w * _log(labels.probabilities) for labels, w in scored], axis=0)
    shares = np.exp(score - np.max(score))
    shares /= shares.sum()
    doubts = [(labels.none, w) for labels, w in scored if labels.none is not None]
    odds = sum(w * float(_log(none) - _log(1 - none)) for none, w in doubts)
    none = 0.5 + 0.5 * math.tanh(odds / 2) if doubts else None
    cosines = np.sum([w * labels.cosines.astype(np.float64) for labels, w in scored], axis=0)
    return Labels(
        set_hash=first.set_hash,
        names=first.names,
        probabilities=(shares * (1 - (none or 0.0))).astype(np.float32),
        cosines=(cosines / length).astype(np.float32),
        none=none,
        calibrated=all(labels.calibrated for labels, _ in scored),
    )


def _sum_counts(counts: Iterable[Counts]) -> Counts:
    total: dict[str, int] = {}
    for each in counts:
        for cause, number in each.items():
            total[cause] = total.get(cause, 0) + number
    return total


def _log(p: NDArray[np.float32] | float) -> NDArray[np.float64]:
    # A float32 softmax underflows to 0; one modality must not veto a class for ever because of it.
    return np.log(np.maximum(np.asarray(p, np.float64), 1e-12))
