"""Fusion against float64 computations by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.fusion import fuse
from streamer.types import Embedding, Labels, Ledger, Modality, Quality, Span

NAMES = ("kettle", "alarm", "fan")


def unit(*values: float) -> NDArray[np.float32]:
    v = np.array(values, np.float64)
    return (v / np.linalg.norm(v)).astype(np.float32)


def labels(p: NDArray[np.float64], cosines: NDArray[np.float64], none: float = 0.0) -> Labels:
    return Labels(
        "set", NAMES, (p * (1 - none)).astype(np.float32), cosines.astype(np.float32), none, False
    )


def part(
    stream: str,
    vector: NDArray[np.float32],
    modality: Modality = "vision",
    scored: Labels | None = None,
) -> Embedding:
    return Embedding(
        stream, modality, Span(0, 2), vector, "m", Quality(1.0), scored, Ledger(1, 2, 3, 4)
    )


def test_two_senses_at_right_angles() -> None:
    fused = fuse([part("a", unit(1, 0)), part("b", unit(0, 1))], {}, {"c": "empty"})
    assert fused is not None
    assert fused.vector == pytest.approx([np.sqrt(0.5)] * 2)
    assert fused.quality.agreement == pytest.approx(np.sqrt(0.5))
    assert fused.quality.contributors == ("a", "b")
    assert fused.quality.absent == {"c": "empty"}


def test_weights_are_by_modality_and_zero_leaves_out() -> None:
    parts = [part("a", unit(1, 0)), part("b", unit(0, 1), "audio"), part("c", unit(1, 1), "imu")]
    fused = fuse(parts, {"audio": 3.0, "imu": 0.0}, {})
    assert fused is not None
    assert fused.vector == pytest.approx(np.array([1, 3]) / np.sqrt(10))
    assert fused.quality.contributors == ("a", "b")


def test_senses_that_cancel_give_no_embedding() -> None:
    assert fuse([part("a", unit(1, 0)), part("b", unit(-1, 0))], {}, {}) is None
    assert fuse([], {}, {}) is None


@given(
    st.lists(
        st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(
            lambda v: float(np.linalg.norm(v)) > 0.1
        ),
        min_size=1,
        max_size=5,
    ),
    st.floats(0.1, 10),
)
def test_the_fused_vector_is_a_unit_mean(vectors: list[list[float]], weight: float) -> None:
    parts = [part(str(i), unit(*v)) for i, v in enumerate(vectors)]
    mean = np.mean([p.vector.astype(np.float64) for p in parts], axis=0)
    fused = fuse(parts, {"vision": weight}, {})
    if np.linalg.norm(mean) < 1e-5:
        return
    assert fused is not None
    assert fused.quality.agreement == pytest.approx(np.linalg.norm(mean), rel=1e-6)
    assert np.linalg.norm(fused.vector.astype(np.float64)) == pytest.approx(1, abs=1e-6)
    # A common factor of all weights changes nothing, nor does the order of the senses.
    assert fused.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_fused_label_is_the_weighted_sum_of_log_probabilities() -> None:
    classes = np.stack([unit(1, 0, 0), unit(0, 1, 0), unit(1, 1, 1)]).astype(np.float64)
    a, b = unit(1, 0.2, 0), unit(0.3, 1, 0)
    pa, pb = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.3, 0.5])
    fused = fuse(
        [
            part("a", a, "vision", labels(pa, classes @ a, none=0.2)),
            part("b", b, "audio", labels(pb, classes @ b, none=0.1)),
        ],
        {"audio": 2.0},
        {},
    )
    assert fused is not None
    assert fused.labels is not None
    joint = np.append(pa * 0.8, 0.2) * np.append(pb * 0.9, 0.1) ** 2
    joint /= joint.sum()
    assert fused.labels.probabilities == pytest.approx(joint[:3], rel=1e-5)
    assert fused.labels.none == pytest.approx(joint[3], rel=1e-5)
    assert fused.labels.cosines == pytest.approx(classes @ fused.vector, abs=1e-6)


def test_labels_of_different_sets_have_no_sum() -> None:
    p, c = np.array([0.5, 0.3, 0.2]), np.zeros(3)
    other = Labels("other", NAMES, p.astype(np.float32), c.astype(np.float32), 0.0, False)
    parts = [part("a", unit(1, 0), scored=labels(p, c)), part("b", unit(1, 1), scored=other)]
    fused = fuse(parts, {}, {})
    assert fused is not None
    assert fused.labels is None
