"""From ticks to embeddings: batches, labels, and encoders that do not keep their promise."""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.noop import NoopEncoder, OpenNoop
from streamer.clock import VirtualClock
from streamer.encoding import Encoding
from streamer.errors import EncoderFailed
from streamer.types import (
    NS_PER_S,
    Labels,
    Modality,
    Quality,
    Sample,
    Span,
    Tick,
    Vector,
    Window,
)

PICTURE = np.zeros((1, 1, 3), np.uint8)


def tick(end_s: int, *streams: str) -> Tick:
    span = Span((end_s - 2) * NS_PER_S, end_s * NS_PER_S)
    samples = (Sample("any", "vision", span.start_ns, NS_PER_S, PICTURE),)
    windows = tuple(Window(name, "vision", span, samples, Quality(1.0)) for name in streams)
    return Tick(span.end_ns, windows, MappingProxyType({}), closed_ns=7)


class Liar(OpenNoop):
    """An encoder that returns what it is told to."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        super().__init__(4)
        self._vectors = vectors

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        return self._vectors


def test_several_ticks_are_one_batch_and_each_has_its_own_fused_embedding() -> None:
    with NoopEncoder(dim=8).open(("vision",), text=False) as encoder:
        found = Encoding(encoder, None, VirtualClock(5), {}).run([tick(2, "a", "b"), tick(3, "a")])
        assert [(e.stream, e.span.end_ns // NS_PER_S) for e in found] == [
            ("a", 2),
            ("b", 2),
            ("fused", 2),
            ("a", 3),
            ("fused", 3),
        ]
        direct = encoder.encode(tick(3, "a").windows)[0]
    assert np.array_equal(found[3].vector, direct)
    assert found[0].ledger.capture_ns == NS_PER_S
    assert found[0].ledger.closed_ns == 7


def test_every_vector_is_labelled_by_its_modality() -> None:
    asked: list[tuple[Modality, float]] = []

    def label(modality: Modality, vector: Vector) -> Labels:
        asked.append((modality, float(vector @ vector)))
        one = np.ones(1, np.float32)
        return Labels("set", ("x",), one, one, None, calibrated=False)

    with NoopEncoder(dim=8).open(("vision",), text=False) as encoder:
        found = Encoding(encoder, label, VirtualClock(), None).run([tick(2, "a", "b")])
    assert [e.labels.names for e in found if e.labels] == [("x",), ("x",)]
    assert asked == [("vision", pytest.approx(1)), ("vision", pytest.approx(1))]


def test_labels_over_different_sets_are_not_fused() -> None:
    def label(modality: Modality, vector: Vector) -> Labels:
        one = np.ones(1, np.float32)
        return Labels("set", ("x",), one, one, None, calibrated=False)

    with NoopEncoder(dim=8).open(("vision",), text=False) as encoder:
        encoding = Encoding(encoder, label, VirtualClock(), {}, fused_labels=False)
        found = encoding.run([tick(2, "a")])
    assert [(e.stream, e.labels is None) for e in found] == [("a", False), ("fused", True)]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros((1, 4), np.float32), "expected unit vectors, got lengths 0 to 0"),
        (np.full((1, 4), np.nan, np.float32), "expected unit vectors, got lengths nan to nan"),
        (np.full((1, 4), 1.0, np.float32), "expected unit vectors, got lengths 2 to 2"),
        (np.full((2, 4), 0.5, np.float32), r"expected 1 vectors of 4, got shape \(2, 4\)"),
        (np.full((1, 2), 0.7, np.float32), r"expected 1 vectors of 4, got shape \(1, 2\)"),
    ],
)
def test_an_encoder_that_gives_something_else_is_found_out(
    vectors: NDArray[np.float32], message: str
) -> None:
    with pytest.raises(EncoderFailed, match=message):
        Encoding(Liar(vectors), None, VirtualClock(), {}).run([tick(2, "a")])
