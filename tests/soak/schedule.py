"""Which fault comes when: two a minute on every source, the same for the same seed. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EVERY_S = 30.0
"""One fault of a source in each."""

# Late enough for the one before to be over, early enough to be over by the end of the last.
_FIRST_S, _LAST_S = 1.0, 14.0
_AWAY_S = (1.0, 4.0)
# A freeze that is shorter than the patience is no hang.
_FROZEN_S = (2.5, 4.0)


@dataclass(frozen=True, slots=True)
class Planned:
    """`away_s`: how long the device stays away, where the kind is one that takes it away."""

    stream: str
    kind: str
    at_s: float
    away_s: float


def schedule(seed: int, seconds: float, kinds: Mapping[str, Sequence[str]]) -> list[Planned]:
    """The faults of a run of `seconds`, in the order of time; `kinds` by stream.

    Every kind comes once before any comes again.
    """
    planned: list[Planned] = []
    for stream, names in kinds.items():
        chance = random.Random(f"{seed} {stream}")  # noqa: S311 - to be repeated, not secret
        bag: list[str] = []
        for number in range(int(seconds // EVERY_S)):
            bag = bag or chance.sample(names, len(names))
            kind = bag.pop()
            at_s = number * EVERY_S + chance.uniform(_FIRST_S, _LAST_S)
            away = _FROZEN_S if kind == "server frozen" else _AWAY_S
            planned.append(Planned(stream, kind, at_s, chance.uniform(*away)))
    return sorted(planned, key=lambda fault: fault.at_s)
