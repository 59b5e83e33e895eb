"""A toy set of scenes whose vectors are made, not encoded: what the scores should be is known."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.encoded import Concepts, Encoded
from streamer.types import MODALITIES, Modality

DIM = 48
NAMES = tuple(f"thing {i}" for i in range(10))
SHOWN: dict[Modality, range] = {
    "vision": range(10),
    "audio": range(7),
    "depth": range(2, 10),
    # Heat and motion have no concept in common.
    "thermal": range(5),
    "imu": range(5, 10),
}
SENSES = {
    name: frozenset[Modality](m for m in MODALITIES if i in SHOWN[m])
    for i, name in enumerate(NAMES)
}
CONCEPTS = Concepts(NAMES, SENSES, {name: (f"the {name}", f"{name} again") for name in NAMES})


def directions(seed: int = 0) -> NDArray[np.float64]:
    """Unit vectors (10, DIM), one a concept, at right angles."""
    square = np.random.default_rng(seed).normal(size=(DIM, DIM))
    return np.linalg.qr(square)[0][: len(NAMES)]


def text(prompts: Sequence[str]) -> NDArray[np.float32]:
    """The direction of the concept that a prompt names."""
    named = [next(i for i, name in enumerate(NAMES) if name in prompt) for prompt in prompts]
    return directions()[named].astype(np.float32)


def scenes(count: int, noise: float, seed: int = 1) -> Encoded:
    """Even scenes hold one concept in turn, odd ones two. A vector is the sum of the directions of
    what its modality perceives, and noise of that length; without any the window is missing."""
    rng = np.random.default_rng(seed)
    held = np.zeros((count, len(NAMES)), np.bool_)
    for i in range(count):
        one = [i // 2 % len(NAMES)]
        held[i, one if i % 2 == 0 else rng.choice(len(NAMES), 2, replace=False)] = True
    truth: dict[Modality, NDArray[np.bool_]] = {}
    for m in MODALITIES:
        truth[m] = held.copy()
        truth[m][:, ~np.isin(np.arange(len(NAMES)), SHOWN[m])] = False
    there: dict[Modality, NDArray[np.bool_]] = {}
    for m in MODALITIES:
        there[m] = np.asarray(truth[m].any(axis=1))
    vectors: dict[Modality, NDArray[np.float32]] = {}
    for m in MODALITIES:
        wide = truth[m] @ directions()
        wide += noise * rng.normal(size=(count, DIM)) / np.sqrt(DIM)
        length = np.linalg.norm(wide, axis=1, keepdims=True)
        unit = wide / np.where(length > 0, length, 1)
        vectors[m] = np.where(there[m][:, None], unit, 0).astype(np.float32)
    return Encoded(CONCEPTS, vectors, there, truth)
