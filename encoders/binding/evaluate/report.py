"""All scores of a model on held-out moments, in one frozen report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.arithmetic import Arithmetic, arithmetic
from encoders.binding.evaluate.assessment import Assessment, assess
from encoders.binding.evaluate.encoded import Encoded
from encoders.binding.evaluate.retrieval import Retrieval, retrievals
from encoders.binding.evaluate.scores import (
    Confused,
    Precision,
    Share,
    by_concept,
    by_scene,
    confusion,
    most_confused,
    share,
    top1,
)
from encoders.calibration import Calibration
from encoders.zeroshot import LabelSet, TextFn, class_vectors, unit
from streamer.types import Modality


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """Top-1 against text on scenes of one concept, over the concepts that bind.

    `paraphrased`: mean over the wordings that training never used, each as the only prompt of
    every label. `whole_list`: the same scenes against the whole label set, as in a live run.
    """

    labels: tuple[str, ...]
    accuracy: Share
    paraphrased: Share
    paraphrases: tuple[float, ...]
    whole_list: Share
    chance: float
    chance_whole_list: float
    confused: tuple[Confused, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Several:
    """Mean average precision on scenes of several concepts, ranking scenes for each concept by
    cosine and, the other way round, concepts for each scene."""

    by_concept: Precision
    by_scene: Precision
    concepts: Mapping[str, float]
    n: int


@dataclass(frozen=True, slots=True)
class Report:
    one: int
    several: int
    zero_shot: Mapping[Modality, ZeroShot]
    mean_average_precision: Mapping[Modality, Several]
    retrieval: tuple[Retrieval, ...]
    arithmetic: Arithmetic | None
    calibration: Mapping[Modality, Assessment]


def evaluate(
    encoded: Encoded,
    text: TextFn,
    label_set: LabelSet,
    calibration: Calibration,
    *,
    seed: int = 0,
    weights: tuple[float, float] = (0.5, 0.5),
) -> Report:
    """Score held-out moments.

    `label_set` has the names of the concepts; `seed` draws the galleries; `weights` are those of
    the image and of the sound in embedding arithmetic.
    """
    if label_set.labels != encoded.concepts.names:
        raise ValueError(f"label set {label_set.name}: expected the names of the concepts")
    classes = class_vectors(text, label_set)
    wordings = _paraphrased(encoded, text)
    zero_shots: dict[Modality, ZeroShot] = {}
    precisions: dict[Modality, Several] = {}
    assessments: dict[Modality, Assessment] = {}
    for modality in encoded.modalities:
        if (alone := zero_shot(encoded, modality, classes, wordings)) is not None:
            zero_shots[modality] = alone
        if (mixed := several(encoded, modality, classes)) is not None:
            precisions[modality] = mixed
        if (judged := assess(encoded, modality, classes, calibration)) is not None:
            assessments[modality] = judged
    return Report(
        one=int(encoded.one.sum()),
        several=int(encoded.several.sum()),
        zero_shot=zero_shots,
        mean_average_precision=precisions,
        retrieval=retrievals(encoded, np.random.default_rng((seed, 0))),
        arithmetic=arithmetic(encoded, np.random.default_rng((seed, 1)), weights),
        calibration=assessments,
    )


def zero_shot(
    encoded: Encoded,
    modality: Modality,
    classes: NDArray[np.float32],
    wordings: Sequence[NDArray[np.float32]],
) -> ZeroShot | None:
    """`classes` (K, D) of all concepts; `wordings` the same from other prompts."""
    concepts = list(encoded.concepts.bound(modality))
    rows, truth = encoded.single(modality, concepts)
    if len(rows) == 0:
        return None
    vectors = unit(encoded.vectors[modality][rows])
    cosines = vectors @ unit(classes).T
    names = tuple(encoded.concepts.names[c] for c in concepts)
    counts = confusion(cosines[:, concepts], truth, len(concepts))
    others = tuple(_accuracy(vectors @ unit(other[concepts]).T, truth) for other in wordings)
    return ZeroShot(
        labels=names,
        accuracy=share(_accuracy(cosines[:, concepts], truth), len(rows)),
        paraphrased=share(float(np.mean(others)), len(rows)),
        paraphrases=others,
        whole_list=share(_accuracy(cosines, np.array(concepts)[truth]), len(rows)),
        chance=1 / len(concepts),
        chance_whole_list=1 / len(classes),
        confused=most_confused(counts, names),
        confusion=tuple(tuple(row) for row in counts.tolist()),
    )


def several(encoded: Encoded, modality: Modality, classes: NDArray[np.float32]) -> Several | None:
    """All scenes of several concepts, also those of which the modality perceives nothing."""
    concepts = list(encoded.concepts.bound(modality))
    rows = np.flatnonzero(encoded.several & encoded.there[modality])
    truth = encoded.truth[modality][rows][:, concepts]
    if not truth.any():
        return None
    cosines = unit(encoded.vectors[modality][rows]) @ unit(classes[concepts]).T
    precision, each = by_concept(cosines, truth)
    named = zip(concepts, each.tolist(), strict=True)
    return Several(
        by_concept=precision,
        by_scene=by_scene(cosines, truth),
        concepts={encoded.concepts.names[c]: p for c, p in named if not math.isnan(p)},
        n=len(rows),
    )


def _accuracy(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    return float(top1(scores, truth).mean())


def _paraphrased(encoded: Encoded, text: TextFn) -> list[NDArray[np.float32]]:
    """Class vectors (K, D) for each of the wordings that every concept has."""
    each = [encoded.concepts.paraphrases[name] for name in encoded.concepts.names]
    return [
        class_vectors(text, LabelSet("paraphrases", wording, ("{}",)))
        for wording in zip(*each, strict=True)
    ]
