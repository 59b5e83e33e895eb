"""Retrieval and embedding arithmetic: perfect vectors find everything, random ones get chance."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.binding.evaluate.arithmetic import arithmetic
from encoders.binding.evaluate.encoded import Encoded
from encoders.binding.evaluate.retrieval import by_class, by_instance, retrievals
from encoders.zeroshot import unit
from streamer.types import MODALITIES, Modality
from tests.encodings_of_scenes import CONCEPTS, SHOWN, scenes


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def shuffled(encoded: Encoded, order: NDArray[np.intp]) -> Encoded:
    return replace(
        encoded,
        vectors={m: v[order] for m, v in encoded.vectors.items()},
        there={m: v[order] for m, v in encoded.there.items()},
        truth={m: v[order] for m, v in encoded.truth.items()},
    )


def noise(encoded: Encoded, *, same: bool) -> Encoded:
    """Random vectors instead; `same`: those of one scene are the same in every modality."""
    made: dict[Modality, NDArray[np.float32]] = {}
    for number, modality in enumerate(encoded.modalities):
        drawn = np.random.default_rng(0 if same else number)
        shape = encoded.vectors[modality].shape
        made[modality] = unit(drawn.normal(size=shape)).astype(np.float32)
    return replace(encoded, vectors=made)


def test_every_pair_is_there_and_marked() -> None:
    found = retrievals(scenes(400, noise=0.5), rng())
    assert [(r.query, r.gallery) for r in found] == list(permutations(MODALITIES, 2))
    for each in found:
        assert each.unseen == ("vision" not in (each.query, each.gallery))
        common = set(SHOWN[each.query]) & set(SHOWN[each.gallery])
        assert (each.by_class is None) == (len(common) < 2), "thermal and imu share nothing"
        if each.by_class is not None:
            assert each.by_class.size == len(common)
            assert each.by_class.chance_1 == pytest.approx(1 / len(common))


def test_vectors_of_the_concept_always_find_it() -> None:
    found = by_class(scenes(200, noise=0), "audio", "depth", rng())
    assert found is not None
    assert (found.at_1.value, found.at_5.value) == (1, 1)
    assert found.at_1.n == 50, "scenes of one concept, of five that both perceive"


def test_identical_vectors_always_find_their_own_scene() -> None:
    found = by_instance(noise(scenes(300, noise=0), same=True), "vision", "audio")
    assert found is not None
    assert (found.at_1.value, found.at_5.value) == (1, 1)


def test_random_vectors_get_chance() -> None:
    random = noise(scenes(4000, noise=0), same=False)
    concept, scene = (
        by_class(random, "vision", "depth", rng()),
        by_instance(random, "vision", "imu"),
    )
    assert concept is not None
    assert scene is not None
    assert concept.at_1.value == pytest.approx(concept.chance_1, abs=0.015)
    assert concept.at_5.value == pytest.approx(concept.chance_5, abs=0.025)
    assert scene.at_5.value < 0.02


def test_a_gallery_never_holds_the_querys_own_scene() -> None:
    # Each scene is like its own other modality and like no other scene: worth nothing by class.
    # Only four scenes a concept, so that the own one would often be drawn.
    own = noise(scenes(80, noise=0), same=True)
    found = by_class(own, "vision", "audio", rng())
    assert found is not None
    assert found.at_1.n == 28
    assert found.at_1.value == pytest.approx(found.chance_1, abs=0.1)


def test_vectors_that_are_all_the_same_get_exactly_chance() -> None:
    encoded = scenes(400, noise=0)
    same = {m: np.ones_like(v) for m, v in encoded.vectors.items()}
    found = by_class(replace(encoded, vectors=same), "vision", "audio", rng())
    assert found is not None
    assert found.at_1.value == pytest.approx(found.chance_1)
    assert found.at_5.value == pytest.approx(found.chance_5)


def test_the_order_of_scenes_changes_nothing() -> None:
    encoded = scenes(400, noise=3)
    order = np.random.default_rng(4).permutation(400)
    before = by_instance(encoded, "audio", "depth")
    assert before == by_instance(shuffled(encoded, order), "audio", "depth")
    assert before is not None
    assert before.at_1.value > 2 * before.chance_1
    a = by_class(encoded, "audio", "depth", rng(), galleries=200)
    b = by_class(shuffled(encoded, order), "audio", "depth", rng(), galleries=200)
    assert a is not None
    assert b is not None
    assert a.at_1.value == pytest.approx(b.at_1.value, abs=0.02), "other galleries, the same mean"


def test_image_and_sound_find_the_scene_with_both() -> None:
    found = arithmetic(scenes(1200, noise=0), rng())
    assert found is not None
    # All pairs of ten concepts; the second of a query must be one of seven that sound.
    assert (found.size, found.both.n) == (45, 7 * 9)
    assert found.both.value == 1
    # One of them alone is left with the nine pairs that hold it.
    assert found.image_only.value == pytest.approx(1 / 9, abs=0.04)
    assert found.sound_only.value == pytest.approx(1 / 9, abs=0.04)


def test_the_weights_of_the_sum_matter() -> None:
    encoded = scenes(1200, noise=1.0)
    image, sound, both = (
        arithmetic(encoded, rng(), weights) for weights in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5))
    )
    assert image is not None
    assert sound is not None
    assert both is not None
    assert image.both == image.image_only
    assert sound.both == sound.sound_only
    assert both.both.value > 2 * max(both.image_only.value, both.sound_only.value)


def test_sums_of_random_vectors_get_chance() -> None:
    found = arithmetic(noise(scenes(2000, noise=0), same=False), rng(), galleries=100)
    assert found is not None
    assert found.both.value == pytest.approx(found.chance, abs=0.01)


def test_what_a_modality_binds_is_what_the_picture_shows_too() -> None:
    hidden = replace(CONCEPTS, senses={**CONCEPTS.senses, CONCEPTS.names[1]: frozenset({"audio"})})
    assert CONCEPTS.bound("audio") == (0, 1, 2, 3, 4, 5, 6)
    assert hidden.bound("audio") == (0, 2, 3, 4, 5, 6)
