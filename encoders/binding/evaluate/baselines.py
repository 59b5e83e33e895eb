"""How far one gets without a model: nearest centroid on the plainest numbers of a window.

A world in which these do well is too easy, and a model's accuracy in it says little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.binding.evaluate.scores import Share, share
from streamer.types import AudioBlock, ImuBlock, Modality, Moment, Window, pixels

SIDE = 8
"""Thumbnails are 8x8."""

Features = Mapping[Modality, Mapping[str, NDArray[np.float64]]]
"""By modality and name of the feature: one vector each."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What baselines need of a moment: a few hundred numbers, and the truth."""

    features: Features
    present: Mapping[Modality, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Nearest centroid with one feature and scaling, on held-out scenes of one concept."""

    modality: Modality
    feature: str
    scaling: str
    accuracy: Share
    chance: float


def measure(moment: Moment) -> Measured:
    """The features of every window of a moment."""
    features: dict[Modality, Mapping[str, NDArray[np.float64]]] = {
        modality: _features(window) for modality, window in moment.windows.items()
    }
    return Measured(features, dict(moment.present))


def baselines(
    training: Sequence[Measured],
    held_out: Sequence[Measured],
    concepts: Mapping[Modality, Sequence[str]],
) -> tuple[Baseline, ...]:
    """Every feature, as it is, standardised, and (where it is never negative) as a logarithm.

    `concepts`: the names that are told apart in each modality. Centroids come from `training`.
    """
    found: list[Baseline] = []
    for modality, names in concepts.items():
        known, unknown = _single(training, modality, names), _single(held_out, modality, names)
        if not known or not unknown:
            continue
        for feature in known[0][0].features[modality]:
            x, y = _table(known, modality, feature)
            test_x, test_y = _table(unknown, modality, feature)
            for scaling, (a, b) in _scalings(x, test_x).items():
                right = nearest_centroid(a, y, b) == test_y
                accuracy = share(float(right.mean()), len(right))
                found.append(Baseline(modality, feature, scaling, accuracy, 1 / len(names)))
    return tuple(found)


def best(baselines: Sequence[Baseline], modality: Modality) -> Baseline | None:
    """The most accurate one of a modality: this is what must stay low."""
    own = [each for each in baselines if each.modality == modality]
    return max(own, key=lambda each: each.accuracy.value, default=None)


def nearest_centroid(
    x: NDArray[np.float64], y: NDArray[np.intp], asked: NDArray[np.float64]
) -> NDArray[np.intp]:
    """The class whose mean of `x` (n, F) is nearest to each row of `asked` (m, F)."""
    classes = np.unique(y)
    centroids = np.stack([x[y == c].mean(axis=0) for c in classes])
    # |a - c|^2 without |a|^2, which is the same for every class.
    distances = (centroids**2).sum(axis=1) - 2 * asked @ centroids.T
    return classes[distances.argmin(axis=1)]


def thumbnail(picture: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Means of 8x8 tiles of the middle square, (64,) or (64 * channels,).

    Of (H, W) or (H, W, C); a tile without a valid pixel gets the mean of all valid ones. The
    middle square because that is what the towers see.
    """
    height, width = valid.shape
    step = min(height, width) // SIDE
    top, left = (height - step * SIDE) // 2, (width - step * SIDE) // 2
    cut = (slice(top, top + step * SIDE), slice(left, left + step * SIDE))
    values = picture[cut].reshape(SIDE, step, SIDE, step, -1)
    weights = valid[cut].reshape(SIDE, step, SIDE, step, 1).astype(np.float64)
    counts = weights.sum(axis=(1, 3))
    sums = (values * weights).sum(axis=(1, 3))
    overall = sums.sum(axis=(0, 1)) / max(counts.sum(), 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), overall).ravel()


def _features(window: Window) -> Mapping[str, NDArray[np.float64]]:
    match window.modality:
        case "vision":
            picture = pixels(window.samples[-1]).astype(np.float64) / 255
            return {"8x8 colour": thumbnail(picture, np.ones(picture.shape[:2], np.bool_))}
        case "audio":
            return {"mean spectrum": _spectrum(window)}
        case "depth":
            metres = pixels(window.samples[-1]).astype(np.float64)
            return _mean_and_thumbnail(metres, metres > 0, "depth")
        case "thermal":
            heat = pixels(window.samples[-1]).astype(np.float64)
            return _mean_and_thumbnail(heat, np.isfinite(heat), "heat")
        case "imu":
            blocks = [sample.data for sample in window.samples]
            values = np.concatenate([b.values for b in blocks if isinstance(b, ImuBlock)])
            return {"variance": values.astype(np.float64).var(axis=0)}


def _mean_and_thumbnail(
    picture: NDArray[np.float64], valid: NDArray[np.bool_], name: str
) -> Mapping[str, NDArray[np.float64]]:
    filled = np.where(valid, picture, 0)
    mean = np.array([filled.sum() / max(int(valid.sum()), 1)])
    return {f"mean {name}": mean, f"8x8 {name}": thumbnail(filled, valid)}


def _spectrum(window: Window) -> NDArray[np.float64]:
    """Mean of the log-mel spectrogram over time, (128,)."""
    # Here, because it brings torch, which a process that only looks at pictures need not load.
    from encoders.imagebind.preprocess import audio

    blocks = [(s.t_ns, s.data) for s in window.samples if isinstance(s.data, AudioBlock)]
    return audio.window(blocks, window.span)[0].numpy().astype(np.float64).mean(axis=1)


def _single(
    measured: Sequence[Measured], modality: Modality, names: Sequence[str]
) -> list[tuple[Measured, int]]:
    """Scenes of one concept, which is one of `names` and shows in the modality."""
    found: list[tuple[Measured, int]] = []
    for each in measured:
        everything = {name for held in each.present.values() for name in held}
        here = each.present.get(modality, ())
        if len(everything) == 1 and here and here[0] in names and modality in each.features:
            found.append((each, names.index(here[0])))
    return found


def _table(
    rows: Sequence[tuple[Measured, int]], modality: Modality, feature: str
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    x = np.stack([each.features[modality][feature] for each, _ in rows])
    return x, np.array([label for _, label in rows], np.intp)


def _scalings(
    x: NDArray[np.float64], asked: NDArray[np.float64]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    scaled = {"as it is": (x, asked), "standardised": _standardised(x, asked)}
    if (x >= 0).all() and (asked >= 0).all():
        scaled["log, standardised"] = _standardised(np.log(x + 1e-9), np.log(asked + 1e-9))
    return scaled


def _standardised(
    x: NDArray[np.float64], asked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Zero mean and unit variance by the numbers of `x`."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)
    return (x - mean) / scale, (asked - mean) / scale
