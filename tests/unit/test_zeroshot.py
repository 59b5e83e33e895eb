"""Zero-shot scores against a float64 computation, and the laws they keep."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from encoders import zeroshot
from encoders.zeroshot import LabelSet
from streamer.errors import ConfigError
from streamer.types import MODALITIES
from tests.needs import ROOT

DIM = 16


def random_vectors(seed: int, n: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)


def probabilities(
    vector: NDArray[np.float32], classes: NDArray[np.float32], temperature: float
) -> list[float]:
    """Softmax of cosine / temperature, one number at a time."""
    wide = vector.astype(np.float64)
    cosines = [
        math.fsum(wide * row) / math.sqrt(math.fsum(wide * wide) * math.fsum(row * row))
        for row in classes.astype(np.float64)
    ]
    powers = [math.exp((cosine - max(cosines)) / temperature) for cosine in cosines]
    return [power / math.fsum(powers) for power in powers]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 30),
    temperature=st.sampled_from([0.0005, 0.01, 0.05, 1.0]),
)
def test_agrees_with_float64(seed: int, k: int, temperature: float) -> None:
    vectors, classes = random_vectors(seed, 3), random_vectors(seed + 1, k)
    scores = zeroshot.score(vectors, classes, temperature)
    for i in range(3):
        expected = probabilities(vectors[i], classes, temperature)
        assert np.allclose(scores.probabilities[i], expected, rtol=1e-5, atol=1e-7)
    assert scores.probabilities.dtype == scores.cosines.dtype == np.float32
    assert scores.none is None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_order_of_labels_and_length_of_vectors_change_nothing(
    seed: int, data: st.DataObject
) -> None:
    vectors, classes = random_vectors(seed, 4), random_vectors(seed + 1, 9)
    order = data.draw(st.permutations(range(9)))
    scores = zeroshot.score(vectors, classes, 0.05, none_below=0.2)
    other = zeroshot.score(vectors * np.float32(7), classes[order] * np.float32(0.1), 0.05, 0.2)
    assert np.allclose(other.probabilities, scores.probabilities[:, order], rtol=1e-5)
    assert np.allclose(doubt(other), doubt(scores), rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    none_below=st.floats(-1, 1),
    temperature=st.sampled_from([1e-4, 0.01, 0.2]),
)
def test_all_probabilities_with_none_sum_to_one(
    seed: int, none_below: float, temperature: float
) -> None:
    scores = zeroshot.score(random_vectors(seed, 3), random_vectors(7, 6), temperature, none_below)
    assert np.allclose(scores.probabilities.sum(axis=1) + doubt(scores), 1, atol=1e-6)
    assert (scores.probabilities >= 0).all()
    assert ((doubt(scores) >= 0) & (doubt(scores) <= 1)).all()


def at_cosines(cosines: Sequence[float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One vector, and classes that have these cosines with it."""
    classes = np.zeros((len(cosines), len(cosines) + 1), np.float32)
    for i, cosine in enumerate(cosines):
        classes[i, 0], classes[i, i + 1] = cosine, math.sqrt(1 - cosine * cosine)
    return np.eye(1, len(cosines) + 1, dtype=np.float32), classes


def doubt(scores: zeroshot.Scores) -> NDArray[np.float32]:
    assert scores.none is not None
    assert scores.none.dtype == np.float32
    return scores.none


def test_a_shift_of_all_cosines_changes_no_probability() -> None:
    here = zeroshot.score(*at_cosines([0.30, 0.25, 0.10]), 0.05, none_below=0.2)
    there = zeroshot.score(*at_cosines([0.50, 0.45, 0.30]), 0.05, none_below=0.4)
    assert np.allclose(here.probabilities, there.probabilities, atol=1e-6)
    assert np.allclose(doubt(here), doubt(there), atol=1e-6)
    assert np.allclose(there.cosines - here.cosines, 0.2, atol=1e-6)


#   cosine    -----x--x----|threshold|---------x------>   the best one decides
@pytest.mark.parametrize(
    ("cosines", "none"),
    [
        ([0.30, 0.10], 0.5),  # the best is just at the threshold
        ([0.30] * 40, 0.5),  # ... however many there are
        ([0.35, 0.10], 1 / (1 + math.exp(1))),
        ([0.10, 0.05], 1 / (1 + math.exp(-4))),
        ([-0.9, -0.9], 1.0),
    ],
)
def test_none_is_the_odds_of_the_best_label_against_the_threshold(
    cosines: list[float], none: float
) -> None:
    scores = zeroshot.score(*at_cosines(cosines), 0.05, none_below=0.3)
    assert doubt(scores)[0] == pytest.approx(none, abs=1e-5)


def test_extreme_values_stay_finite() -> None:
    big = np.full((1, DIM), 3e38, np.float32)
    tiny = np.full((1, DIM), 1e-40, np.float32)
    zero = np.zeros((1, DIM), np.float32)
    vectors = np.concatenate((big, tiny, zero))
    scores = zeroshot.score(vectors, np.concatenate((big, -tiny)), 1e-6, none_below=0.5)
    assert np.allclose(scores.cosines, [[1, -1], [1, -1], [0, 0]])
    assert np.allclose(scores.probabilities, [[1, 0], [1, 0], [0, 0]])
    assert np.allclose(doubt(scores), [0, 0, 1])


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_is_above_zero(temperature: float) -> None:
    with pytest.raises(ValueError, match="expected a temperature above 0"):
        zeroshot.score(random_vectors(0, 1), random_vectors(1, 2), temperature)


def test_there_is_a_temperature_for_every_modality() -> None:
    assert set(zeroshot.TEMPERATURES) == set(MODALITIES)


def test_class_vectors_are_the_mean_direction_of_the_prompts() -> None:
    prompts_seen: list[str] = []
    table = {
        "dog": [3.0, 0, 0],  # lengths differ: each prompt counts alike all the same
        "a photo of dog": [0, 0.5, 0],
        "cat": [0, 0, 2.0],
        "a photo of cat": [0, 0, 9.0],
    }

    def text(prompts: Sequence[str]) -> NDArray[np.float32]:
        prompts_seen.extend(prompts)
        return np.array([table[prompt] for prompt in prompts], np.float32)

    animals = LabelSet("animals", ("dog", "cat"), ("{}", "a photo of {}"))
    vectors = zeroshot.class_vectors(text, animals)
    assert prompts_seen == list(table)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]])


def test_many_prompts_reach_the_text_tower_in_bounded_batches() -> None:
    sizes: list[int] = []

    def text(prompts: Sequence[str]) -> NDArray[np.float32]:
        sizes.append(len(prompts))
        return np.array([[float(len(prompt)), 1] for prompt in prompts], np.float32)

    many = LabelSet("many", tuple("x" * (i + 1) for i in range(100)), ("{}", "{}."))
    vectors = zeroshot.class_vectors(text, many)
    assert sum(sizes) == 200
    assert max(sizes) <= 64
    # The ratio grows with the label's length, so this is the order of the labels.
    assert (np.diff(vectors[:, 0] / vectors[:, 1]) > 0).all()


def test_labels_carry_the_set_and_both_numbers() -> None:
    animals = LabelSet("animals", ("dog", "cat"))
    scores = zeroshot.score(*at_cosines([0.4, 0.3]), 0.1, none_below=0.4)
    (labels,) = zeroshot.labels(scores, animals)
    assert labels.set_hash == animals.hash
    assert labels.names == ("dog", "cat")
    assert np.allclose(labels.cosines, [0.4, 0.3])
    odds = math.exp(1)
    assert np.allclose(labels.probabilities, [0.5 * odds / (1 + odds), 0.5 / (1 + odds)], atol=1e-6)
    assert labels.none == pytest.approx(0.5, abs=1e-6)
    assert labels.calibrated is False


def test_parse_takes_labels_templates_and_comments() -> None:
    text = "# Rooms\na {} seen by a robot\n\nkitchen  # where it eats\r\n  living \t room\n"
    rooms = zeroshot.parse("rooms", text)
    assert rooms.labels == ("kitchen", "living room")
    assert rooms.templates == ("a {} seen by a robot",)
    assert rooms.prompts("kitchen") == ("a kitchen seen by a robot",)
    assert zeroshot.parse("rooms", "kitchen").templates == zeroshot.TEMPLATES


def test_braces_other_than_the_place_of_the_label_are_text() -> None:
    assert LabelSet("x", ("{0}",), ("{} {name} {}",)).prompts("{0}") == ("{0} {name} {0}",)


def test_the_hash_knows_labels_order_and_templates_but_not_the_name() -> None:
    base = LabelSet("a", ("dog", "cat"))
    assert base.hash == LabelSet("b", ("dog", "cat")).hash
    others = [
        LabelSet("a", ("cat", "dog")),
        LabelSet("a", ("dog", "cat"), ("{}",)),
        LabelSet("a", ("dog, cat",)),
    ]
    assert len({base.hash, *(other.hash for other in others)}) == 4
    assert len(base.hash) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing", "expected 1 to 1000 labels, got 0"),
        ("dog\ncat\ndog", 'expected every label once, got "dog" twice'),
        ("\n".join(map(str, range(1001))), "expected 1 to 1000 labels, got 1001"),
        ("x" * 301, "expected a label of 1 to 300 characters"),
        ("dog\n" + "\n".join(f"{{}} {i}" for i in range(101)), "1 to 100 templates, got 101"),
    ],
)
def test_bad_label_sets_are_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match="label set bad: ") as raised:
        zeroshot.parse("bad", text)
    assert message in str(raised.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/labels/*.txt")), ids=lambda p: p.stem)
def test_shipped_label_sets_parse(path: Path) -> None:
    assert len(zeroshot.parse(path.stem, path.read_text("utf-8")).labels) >= 20


def test_there_are_shipped_label_sets() -> None:
    assert len(list(ROOT.glob("configs/labels/*.txt"))) >= 3
