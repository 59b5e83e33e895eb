"""From whole ticks to embeddings: the step that runs on the device's one thread. Synchronous."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

import numpy as np

from streamer.errors import EncoderFailed
from streamer.fusion import fuse
from streamer.protocols import Clock, OpenEncoder
from streamer.types import Embedding, Labels, Ledger, Modality, Tick, Vector, Window

Labeler: TypeAlias = Callable[[Modality, Vector], Labels]


class Encoding:
    """An encoder, what labels its vectors, and the weights of fusion (None: no fused embedding)."""

    def __init__(
        self,
        encoder: OpenEncoder,
        labeler: Labeler | None,
        clock: Clock,
        weights: Mapping[str, float] | None,
        *,
        fused_labels: bool = True,
    ) -> None:
        self._encoder, self._labeler = encoder, labeler
        self._clock, self._weights = clock, weights
        self._fused_labels = fused_labels

    def run(self, ticks: Sequence[Tick]) -> list[Embedding]:
        """The embeddings of `ticks`, encoded as one batch; each tick's fused one last."""
        started = self._clock.now_ns()
        windows = [window for tick in ticks for window in tick.windows]
        vectors = self._encoder.encode(windows)
        if vectors.shape != (len(windows), self._encoder.dim):
            raise EncoderFailed(
                f"encoder {self._encoder.name}: expected {len(windows)} vectors of "
                f"{self._encoder.dim}, got shape {vectors.shape}"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        # Written so that NaN fails too.
        if not (np.abs(lengths - 1) < 1e-3).all():
            raise EncoderFailed(
                f"encoder {self._encoder.name}: expected unit vectors, got lengths "
                f"{lengths.min():.4g} to {lengths.max():.4g}"
            )
        embeddings: list[Embedding] = []
        rows = iter(vectors)
        for tick in ticks:
            embeddings += self._embeddings(tick, list(islice(rows, len(tick.windows))), started)
        return embeddings

    def _embeddings(self, tick: Tick, vectors: Sequence[Vector], started: int) -> list[Embedding]:
        labels = [
            self._labeler(w.modality, v) if self._labeler else None
            for w, v in zip(tick.windows, vectors, strict=True)
        ]
        encoded = self._clock.now_ns()
        parts = [
            Embedding(
                stream=window.stream,
                modality=window.modality,
                span=window.span,
                vector=vector,
                model=self._encoder.name,
                quality=window.quality,
                labels=label,
                ledger=Ledger(_capture_ns(window), tick.closed_ns, started, encoded),
            )
            for window, vector, label in zip(tick.windows, vectors, labels, strict=True)
        ]
        if self._weights is None:
            return parts
        joint = fuse(parts, self._weights, tick.absent)
        if joint is None:
            return parts
        return [*parts, joint if self._fused_labels else replace(joint, labels=None)]


def _capture_ns(window: Window) -> int:
    return min(window.samples[-1].end_ns, window.span.end_ns)
