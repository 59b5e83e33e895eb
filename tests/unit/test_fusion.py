"""Fusion against float64 computations by hand."""

from dataclasses import replace

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


def labels(
    p: NDArray[np.float64], cosines: NDArray[np.float64], none: float | None = None
) -> Labels:
    shares = (p * (1 - (none or 0))).astype(np.float32)
    return Labels("set", NAMES, shares, cosines.astype(np.float32), none, calibrated=False)


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
    odds = 0.2 / 0.8 * (0.1 / 0.9) ** 2
    none = odds / (1 + odds)
    shares = pa * pb**2 / (pa * pb**2).sum()
    assert fused.labels.none == pytest.approx(none, rel=1e-5)
    assert fused.labels.probabilities == pytest.approx(shares * (1 - none), rel=1e-5)
    assert fused.labels.cosines == pytest.approx(classes @ fused.vector, abs=1e-6)


def test_a_sense_without_a_threshold_has_no_opinion_on_none_of_these() -> None:
    p, c = np.array([0.5, 0.3, 0.2]), np.zeros(3)
    sure = part("a", unit(1, 0), scored=labels(p, c, none=0.999))
    silent = part("b", unit(1, 1), "audio", scored=labels(p, c))
    fused = fuse([sure, silent], {}, {})
    assert fused is not None
    assert fused.labels is not None
    assert fused.labels.none == pytest.approx(0.999)
    alone = fuse([silent], {}, {})
    assert alone is not None
    assert alone.labels is not None
    assert alone.labels.none is None


def test_one_sense_cannot_veto_a_label_for_ever() -> None:
    c = np.zeros(3)
    never = labels(np.array([0.0, 1.0, 0.0]), c)
    # ln 1e-12 is -27.6: fifteen times ln 9 outweighs it.
    keen = labels(np.array([0.9, 0.1, 0.0]), c)
    parts = [part("a", unit(1, 0), scored=never)]
    parts += [part(f"b{n}", unit(1, 1), "audio", scored=keen) for n in range(15)]
    fused = fuse(parts, {}, {})
    assert fused is not None
    assert fused.labels is not None
    assert int(np.argmax(fused.labels.probabilities)) == 0


def test_unlabelled_parts_and_uncalibrated_ones_show() -> None:
    p, c = np.array([0.5, 0.3, 0.2]), np.zeros(3)
    scored = replace(labels(p, c), calibrated=True)
    labelled = part("a", unit(1, 0), scored=scored)
    without = fuse([labelled, part("b", unit(1, 1))], {}, {})
    assert without is not None
    assert without.labels is None
    mixed = fuse([labelled, part("b", unit(1, 1), scored=labels(p, c))], {}, {})
    assert mixed is not None
    assert mixed.labels is not None
    assert not mixed.labels.calibrated


def test_the_fused_card_is_the_worst_and_the_sum_of_its_parts() -> None:
    cards = [
        Quality(0.9, gaps=1, oldest_age_ns=5, newest_age_ns=1, late=2, dropped={"late": 2}),
        Quality(0.6, gaps=2, oldest_age_ns=9, newest_age_ns=0, late=1, dropped={"late": 1, "x": 4}),
    ]
    vectors = [unit(1, 0), unit(1, 1)]
    parts = [
        replace(part(str(n), v), quality=card)
        for n, (v, card) in enumerate(zip(vectors, cards, strict=True))
    ]
    fused = fuse(parts, {}, {})
    assert fused is not None
    card = fused.quality
    assert (card.coverage, card.gaps, card.oldest_age_ns, card.newest_age_ns) == (0.6, 3, 9, 1)
    assert (card.late, card.dropped) == (3, {"late": 3, "x": 4})


def test_labels_of_different_sets_have_no_sum() -> None:
    p, c = np.array([0.5, 0.3, 0.2]), np.zeros(3)
    other = Labels("other", NAMES, p.astype(np.float32), c.astype(np.float32), None, False)
    parts = [part("a", unit(1, 0), scored=labels(p, c)), part("b", unit(1, 1), scored=other)]
    fused = fuse(parts, {}, {})
    assert fused is not None
    assert fused.labels is None
