"""Sentences find moments of the simulated world in senses that were never bound to a word."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest

from configs.evaluation import world_concepts
from encoders.binding.evaluate.encoded import Encoded, encode
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.search import combined, cosines
from sources.world.moments import WorldMoments
from streamer.cli.embed.vectors import Record
from streamer.cli.search.gallery import Gallery, Hit, place
from streamer.types import MODALITIES, Modality, Moment

EACH = 3
"""Moments of every concept."""


@lru_cache(maxsize=1)
def world() -> tuple[Encoded, np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
    """Moments of one concept each, encoded by the built-in model; and the concepts' names."""
    concepts = world_concepts()
    moments = WorldMoments(8_000_000, 2 * EACH * len(concepts.names))

    def single() -> Iterator[Moment]:
        for index in range(0, len(moments), 2):
            yield moments[index]

    encoder = ImageBindEncoder(weights="builtin", device="cpu", precision="fp32")
    with encoder.open(MODALITIES, text=True) as opened:
        return encode(single(), opened, concepts), opened.text(concepts.names)


def found(concept: int, top: int, *modalities: Modality) -> list[Hit]:
    """What a concept's name finds; a moment is a file, called by its number."""
    encoded, texts = world()
    query = combined(texts[[concept]], [1])
    gallery = Gallery({})
    for modality in modalities:
        rows = np.flatnonzero(encoded.there[modality])
        records = [
            Record(
                file=str(row),
                modality=modality,
                model="builtin",
                model_hash="",
                t0_s=0.0,
                t1_s=2.0,
            )
            for row in rows
        ]
        found = cosines(encoded.vectors[modality][rows], query)
        gallery.add([place(record) for record in records], found)
    return gallery.best(top)


def right(concept: int, hit: Hit) -> bool:
    assert hit.modality not in ("text", "fused")
    return bool(world()[0].truth[hit.modality][int(hit.file), concept])


@pytest.mark.parametrize("modality", ["audio", "depth", "thermal", "imu"])
def test_a_sentence_finds_its_concept_in_a_sense_that_never_met_a_word(modality: Modality) -> None:
    encoded, _ = world()
    # The concepts that the sense can perceive, and those that the picture showed too in training.
    asked = [c for c in encoded.concepts.bound(modality) if encoded.truth[modality][:, c].any()]
    shares: list[float] = []
    for concept in asked:
        there = int(encoded.truth[modality][:, concept].sum())
        hits = found(concept, there, modality)
        shares.append(sum(right(concept, hit) for hit in hits) / there)
    chance = 1 / len(asked)
    assert np.mean(shares) > max(0.4, 3 * chance), dict(zip(asked, shares, strict=True))


def test_all_senses_together_answer_with_several_of_them() -> None:
    encoded, _ = world()
    asked = [c for c in range(24) if len(encoded.concepts.senses[encoded.concepts.names[c]]) >= 4]
    shares: list[float] = []
    answering: list[int] = []
    for concept in asked:
        hits = found(concept, 6, *MODALITIES)
        shares.append(sum(right(concept, hit) for hit in hits) / len(hits))
        answering.append(len({hit.modality for hit in hits}))
    assert np.mean(shares) > 0.5
    assert np.mean(answering) > 1.5
