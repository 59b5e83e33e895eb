"""Which way of reading a sensor makes its vectors agree with the pictures of the same moments?

Pure numpy. A model that was bound to pictures puts a moment's vectors near each other, so no label
is needed to see that an input is read as it was in training: its vectors find their own picture.

The mean cosine of pairs would be the wrong measure. Vectors of one modality share a large constant
part, and a reading that moves this part towards that of the pictures wins although its vectors may
all be alike. So each modality is centred first, and only ranks count: how many other moments'
pictures are less alike than one's own. That is blind to a constant offset, to scale, and to how
sharply a tower answers; and unlike measures that allow any rotation between the two spaces (CKA) it
asks for what labels need, agreement in the shared space itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.zeroshot import unit

LEAST_MOMENTS = 24
"""With fewer, a permutation is too often as good as the truth, and a bootstrap means nothing."""
LEAST_GROUPS = 6
MOST_MOMENTS = 1000
SURE = 0.95
BY_CHANCE = 0.01
"""The share of permuted pairings that may agree as well as the truth."""
PERMUTATIONS = 199
DRAWS = 1000
TIED = 1e-4
"""Agreements nearer than this in a draw share its vote: rounding alone can make the difference."""

Matrix = NDArray[np.float64]
Groups = NDArray[np.intp]


def standings(a: NDArray[Any], b: NDArray[Any]) -> Matrix:
    """How highly each pair ranks, float64 (n, n) in 0..1, of vectors (n, D) and (n, D).

    Entry (i, j): the share of the other b that are less like a_i than b_j is, and of the other a
    that are less like b_j than a_i is, in the mean; ties count half. Centred cosines. A diagonal
    of 1: everyone finds its own. Raises `ValueError` for fewer than two or unequal numbers.
    """
    if a.shape != b.shape or a.ndim != 2 or len(a) < 2:
        raise ValueError(f"expected two matrices (n, D), n at least 2, got {a.shape}, {b.shape}")
    # Vectors that are all alike say nothing: what rounding leaves of them must not rank.
    cosines = np.round(_centred(a) @ _centred(b).T, 9)
    return (_ranks(cosines) + _ranks(cosines.T).T) / 2


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of one setting. `sure`: the share of draws won by `best`, among its values.

    `why` is None where `best` may be taken at its word, and else says why it may not.
    """

    setting: str
    best: str
    sure: float
    why: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """`agreements` (C,) of the candidates: how often a moment's own counterpart is more alike than
    another's (the mean diagonal of `standings`; 0.5 is chance, 1 always). `low` and `high` (C,)
    bound 95 % of the bootstrap.

    `by_chance`: the share of permuted pairings in which some candidate agreed as well as the best
    one did in truth. `votes` (C,) sum to 1: how often each candidate was best in a draw.
    """

    moments: int
    agreements: Matrix
    low: Matrix
    high: Matrix
    votes: Matrix
    by_chance: float


def match(
    pictures: NDArray[Any], candidates: Sequence[NDArray[Any]], groups: Groups, seed: int
) -> Matched:
    """Compare candidates (n, D) with the `pictures` (n, D) of the same moments.

    Moments of one group (n,) are drawn together and permuted together, since those that follow on
    each other are alike: to count them as independent would make the outcome look surer than it is.
    """
    rng = np.random.default_rng(seed)
    every = [standings(pictures, vectors) for vectors in candidates]
    own = np.stack([each.diagonal() for each in every], axis=1)
    agreements = own.mean(axis=0)
    drawn = _draws(groups, rng) @ own
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    winners = drawn >= drawn.max(axis=1, keepdims=True) - TIED
    votes = (winners / winners.sum(axis=1, keepdims=True)).mean(axis=0)
    rows = np.arange(len(pictures))
    best_by_chance = [
        max(float(each[rows, other].mean()) for each in every)
        for other in (_permuted(groups, rng) for _ in range(PERMUTATIONS))
    ]
    as_good = sum(value >= agreements.max() for value in best_by_chance)
    by_chance = (1 + as_good) / (1 + PERMUTATIONS)
    return Matched(len(pictures), agreements, low, high, votes, by_chance)


def choose(setting: str, values: Sequence[str], matched: Matched) -> Choice:
    """The value (C,) of one setting, by the votes of the candidates that have it."""
    totals: dict[str, float] = {}
    for value, vote in zip(values, matched.votes.tolist(), strict=True):
        totals[value] = totals.get(value, 0.0) + vote
    best = max(totals, key=totals.__getitem__)
    sure = min(1.0, totals[best])
    why = None
    if matched.by_chance > BY_CHANCE:
        why = f"no better than chance (p = {matched.by_chance:.2f})"
    elif sure < SURE:
        why = f"cannot be told apart (best in {sure:.0%} of draws)"
    return Choice(setting, best, sure, why)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Candidates, each a value of every setting, how they did, and what became of the settings."""

    candidates: tuple[Mapping[str, str], ...]
    matched: Matched
    choices: tuple[Choice, ...]

    @property
    def decided(self) -> dict[str, str]:
        return {choice.setting: choice.best for choice in self.choices if choice.why is None}


def compare(
    pictures: NDArray[Any],
    candidates: Sequence[tuple[Mapping[str, str], NDArray[Any]]],
    groups: Groups,
    seed: int,
) -> Compared:
    """Match the vectors of each candidate, and choose each setting that differs among them."""
    settings = tuple(each for each, _ in candidates)
    matched = match(pictures, [vectors for _, vectors in candidates], groups, seed)
    varied = [name for name in settings[0] if len({each[name] for each in settings}) > 1]
    choices = tuple(choose(name, [each[name] for each in settings], matched) for name in varied)
    return Compared(settings, matched, choices)


def too_few(groups: Groups) -> str | None:
    """Why these moments are not enough, where they are not."""
    stretches = len(np.unique(groups))
    if len(groups) >= LEAST_MOMENTS and stretches >= LEAST_GROUPS:
        return None
    return (
        f"{len(groups)} moments from {stretches} stretches of time, at least "
        f"{LEAST_MOMENTS} from {LEAST_GROUPS} are needed"
    )


def _centred(vectors: NDArray[Any]) -> Matrix:
    wide = np.asarray(vectors, np.float64)
    away = wide - wide.mean(axis=0)
    # Rounding leaves something of vectors that are all the same; it must not count as a direction.
    size = np.abs(wide).max(initial=0.0)
    away[np.linalg.norm(away, axis=1) <= 1e-9 * size] = 0
    return unit(away)


def _ranks(cosines: Matrix) -> Matrix:
    """The share of the other entries of each row that are below an entry, ties half."""
    ordered = np.sort(cosines, axis=1)
    below, upto = np.empty_like(cosines), np.empty_like(cosines)
    for row, (values, known) in enumerate(zip(cosines, ordered, strict=True)):
        below[row] = np.searchsorted(known, values, side="left")
        upto[row] = np.searchsorted(known, values, side="right")
    return (below + upto - 1) / 2 / (cosines.shape[1] - 1)


def _draws(groups: Groups, rng: np.random.Generator) -> Matrix:
    """Weights (DRAWS, n) of moments, rows that sum to 1: groups drawn with replacement."""
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    times = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    weights = times[:, member].astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def _permuted(groups: Groups, rng: np.random.Generator) -> NDArray[np.intp]:
    """A pairing in which groups are shuffled whole: what follows on each other still does."""
    pieces = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    order = np.concatenate([pieces[i] for i in rng.permutation(len(pieces))])
    mixed = np.empty(len(groups), np.intp)
    mixed[np.concatenate(pieces)] = order
    return mixed
