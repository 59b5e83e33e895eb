"""Zero-shot scores from cosines and truths: accuracy with its interval, confusions, precision."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""The standard normal is this close to its mean 95 % of the time."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of n trials with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def share(value: float, n: int) -> Share:
    """Wilson's score interval of a share `value` (0..1) of `n` trials (Wilson, 1927).

    It stays inside 0..1 and is honest near the ends, where the normal interval is not.
    """
    if n < 1:
        raise ValueError(f"expected at least one trial, got {n}")
    centre = value + Z_95**2 / (2 * n)
    half = Z_95 * math.sqrt(value * (1 - value) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    low, high = (centre - half) / scale, (centre + half) / scale
    # Rounding must not leave the value outside when it is 0 or 1.
    return Share(value, min(max(low, 0.0), value), max(min(high, 1.0), value), n)


def top1(scores: NDArray[Any], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """How right each row of scores (n, K) is: float64 (n,), 1 where the true one is best alone.

    Labels that share the best score share the hit, so that a model that says the same of
    everything gets chance and not the luck of the first label.
    """
    return hits(scores, truth, 1)


def hits(scores: NDArray[Any], truth: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    """The chance that the true column is among the best k of its row, ties broken by lot: (n,)."""
    # A matrix product rounds otherwise at its edges, so equal vectors would not quite tie.
    scores = np.round(scores, 12)
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    better = (scores > own).sum(axis=1)
    equal = (scores == own).sum(axis=1)
    return np.clip((k - better) / equal, 0.0, 1.0)


def confusion(scores: NDArray[Any], truth: NDArray[np.intp], labels: int) -> NDArray[np.int64]:
    """Counts (labels, labels): rows what was true, columns what was said."""
    counts = np.zeros((labels, labels), np.int64)
    np.add.at(counts, (truth, scores.argmax(axis=1)), 1)
    return counts


@dataclass(frozen=True, slots=True)
class Confused:
    """Of `n` scenes of `truth`, `share` were called `said`."""

    truth: str
    said: str
    share: float
    n: int


def most_confused(
    counts: NDArray[np.int64], names: Sequence[str], most: int = 5
) -> tuple[Confused, ...]:
    """The pairs that are mixed up most, by share of the true label's scenes."""
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    np.fill_diagonal(shares, 0)
    order = np.argsort(-shares, axis=None, kind="stable")[:most]
    pairs = [divmod(int(flat), len(names)) for flat in order]
    return tuple(
        Confused(names[t], names[s], float(shares[t, s]), int(totals[t]))
        for t, s in pairs
        if shares[t, s] > 0
    )


def average_precision(scores: NDArray[Any], relevant: NDArray[np.bool_]) -> float:
    """Mean precision at the places of the relevant items in the ranking by score, (n,) and (n,).

    Items of one score enter together, so that their order cannot matter. NaN without any relevant.
    """
    total = int(relevant.sum())
    if total == 0:
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum(relevant[order])
    # The last item of each run of equal scores.
    last = np.append(np.flatnonzero(np.diff(ranked) != 0), len(ranked) - 1)
    precision = found[last] / (last + 1)
    gained = np.diff(found[last], prepend=0)
    return float((precision * gained).sum() / total)


@dataclass(frozen=True, slots=True)
class Precision:
    """Mean average precision in 0..1, what a random ranking gets, and over how many it is."""

    value: float
    chance: float
    n: int


def by_concept(
    scores: NDArray[Any], truth: NDArray[np.bool_]
) -> tuple[Precision, NDArray[np.float64]]:
    """For every concept (column) rank the scenes; the mean of the average precisions.

    Also the precision of each concept (K,), NaN where no scene holds it. The chance level is the
    mean share of scenes that hold a concept.
    """
    each = np.array([average_precision(scores[:, c], truth[:, c]) for c in range(truth.shape[1])])
    return _mean(each, truth.mean(axis=0)), each


def by_scene(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Precision:
    """For every scene (row) that holds something, rank the concepts; the mean."""
    each = np.array([average_precision(s, t) for s, t in zip(scores, truth, strict=True)])
    return _mean(each, truth.mean(axis=1))


def _mean(each: NDArray[np.float64], prevalence: NDArray[np.float64]) -> Precision:
    defined = ~np.isnan(each)
    if not defined.any():
        raise ValueError("expected at least one relevant item")
    chance = float(prevalence[defined].mean())
    return Precision(float(each[defined].mean()), chance, int(defined.sum()))
