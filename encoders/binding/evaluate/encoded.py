"""What a model made of a set of moments, beside what was really there: the input of every score."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.protocols import OpenEncoder
from streamer.types import MODALITIES, Modality, Moment, Window

Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Concepts:
    """What scenes are made of, in the order of every label list and truth matrix.

    `senses` says in which modalities a concept can show at all; `paraphrases` are wordings that
    training never used, the same number for each concept.
    """

    names: tuple[str, ...]
    senses: Mapping[str, frozenset[Modality]]
    paraphrases: Mapping[str, tuple[str, ...]]

    def bound(self, modality: Modality) -> tuple[int, ...]:
        """Concepts that the modality and the picture can both perceive: others cannot bind."""
        return self.shared(modality, "vision")

    def shared(self, *modalities: Modality) -> tuple[int, ...]:
        """Indices of the concepts that show in each of `modalities`."""
        wanted = set(modalities)
        return tuple(i for i, name in enumerate(self.names) if wanted <= self.senses[name])


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """n moments. By modality: unit vectors float32 (n, D), zeros where a moment had no window;
    `there` bool (n,), whether it had one; `truth` bool (n, K), the concepts it could perceive."""

    concepts: Concepts
    vectors: Mapping[Modality, NDArray[np.float32]]
    there: Mapping[Modality, NDArray[np.bool_]]
    truth: Mapping[Modality, NDArray[np.bool_]]

    @property
    def modalities(self) -> tuple[Modality, ...]:
        return tuple(modality for modality in MODALITIES if modality in self.vectors)

    @property
    def everything(self) -> NDArray[np.bool_]:
        """Bool (n, K): what a moment holds, whichever sense it shows in."""
        return np.logical_or.reduce([self.truth[modality] for modality in self.modalities])

    @property
    def one(self) -> NDArray[np.bool_]:
        """Bool (n,): scenes of exactly one concept."""
        return self.everything.sum(axis=1) == 1

    @property
    def several(self) -> NDArray[np.bool_]:
        return self.everything.sum(axis=1) > 1

    def single(self, modality: Modality, concepts: Sequence[int]) -> tuple[Rows, Rows]:
        """Scenes of one concept, which is among `concepts` and which the modality perceives.

        Returns their rows, and for each the position of its concept in `concepts`.
        """
        if not concepts:
            return np.empty(0, np.intp), np.empty(0, np.intp)
        among = self.truth[modality][:, list(concepts)]
        rows = np.flatnonzero(self.one & self.there[modality] & among.any(axis=1))
        return rows, among[rows].argmax(axis=1)


def encode(
    moments: Iterable[Moment],
    encoder: OpenEncoder,
    concepts: Concepts,
    *,
    batch: int = 32,
    done: Callable[[int], object] | None = None,
) -> Encoded:
    """Run every window through its tower, `batch` moments at a time; `done` hears each count.

    Raises `ValueError` when a moment holds a concept that is none of `concepts`.
    """
    index = {name: i for i, name in enumerate(concepts.names)}
    chunks: list[Mapping[Modality, NDArray[np.float32]]] = []
    truths: list[Mapping[Modality, NDArray[np.bool_]]] = []
    theres: list[Mapping[Modality, bool]] = []
    waiting: list[Mapping[Modality, Window]] = []

    def flush() -> None:
        chunks.append(_vectors(waiting, encoder))
        if done is not None:
            done(len(waiting))
        waiting.clear()

    for moment in moments:
        waiting.append(moment.windows)
        theres.append({modality: modality in moment.windows for modality in MODALITIES})
        truths.append({m: _present(moment.present.get(m, ()), index) for m in MODALITIES})
        if len(waiting) == batch:
            flush()
    if waiting:
        flush()
    used: list[Modality] = [m for m in MODALITIES if any(there[m] for there in theres)]
    return Encoded(
        concepts,
        vectors={m: np.concatenate([chunk[m] for chunk in chunks]) for m in used},
        there={m: np.array([there[m] for there in theres]) for m in used},
        truth={m: np.array([truth[m] for truth in truths]) for m in used},
    )


def _vectors(
    moments: Sequence[Mapping[Modality, Window]], encoder: OpenEncoder
) -> Mapping[Modality, NDArray[np.float32]]:
    windows = [(row, window) for row, held in enumerate(moments) for window in held.values()]
    encoded = encoder.encode([window for _, window in windows])
    shape = len(moments), encoder.dim
    vectors: dict[Modality, NDArray[np.float32]] = {
        m: np.zeros(shape, np.float32) for m in MODALITIES
    }
    for (row, window), vector in zip(windows, encoded, strict=True):
        vectors[window.modality][row] = vector
    return vectors


def _present(names: Sequence[str], index: Mapping[str, int]) -> NDArray[np.bool_]:
    held = np.zeros(len(index), np.bool_)
    for name in names:
        if name not in index:
            raise ValueError(f"expected concepts of the list, got {name!r}")
        held[index[name]] = True
    return held
