"""When something happens to a thing: the picture shows it and the sound is heard at these times."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sources.world.curves import SCENE_S


@dataclass(frozen=True, slots=True)
class Happening:
    """Begins `t_s` seconds into the scene and lasts `length_s`; 0 for a touch or a tick."""

    t_s: float
    length_s: float = 0.0


def happenings(concept: str, seed: int) -> tuple[Happening, ...]:
    """What happens to the thing during a scene, in order, t_s in [0, SCENE_S).

    Nothing for a thing whose sound never pauses (a fan, a fire) and for a motion, whose jolts come
    from the motion itself. Otherwise at least one in every 2 s.
    """
    if (rhythm := _RHYTHMS.get(concept)) is None:
        return ()
    # Keyed by the name and not by its place in the vocabulary, which may grow.
    rng = np.random.default_rng([seed, zlib.crc32(concept.encode())])
    found: list[Happening] = []
    for happening in rhythm(rng):
        if happening.t_s >= SCENE_S:
            break
        found.append(happening)
    return tuple(found)


def _even(rng: np.random.Generator, period_s: float, length_s: float) -> Iterator[Happening]:
    t_s = rng.uniform(0, period_s)
    while True:
        yield Happening(t_s, length_s)
        t_s += period_s


def _touches(rng: np.random.Generator) -> Iterator[Happening]:
    return _even(rng, rng.uniform(0.45, 0.75), 0.0)


def _ticks(rng: np.random.Generator) -> Iterator[Happening]:
    return _even(rng, rng.uniform(0.94, 1.06) / rng.choice([1, 2, 2.5]), 0.0)


def _beeps(rng: np.random.Generator) -> Iterator[Happening]:
    period_s = rng.uniform(0.3, 0.9)
    return _even(rng, period_s, period_s * rng.uniform(0.35, 0.7))


def _barks(rng: np.random.Generator) -> Iterator[Happening]:
    """Groups of one to three; at most 1.2 s from bark to bark."""
    gap_s = rng.uniform(0.28, 0.45)
    t_s = rng.uniform(0, 0.8)
    while True:
        for _ in range(rng.integers(1, 4)):
            yield Happening(t_s, rng.uniform(0.12, 0.22))
            t_s += gap_s
        t_s += rng.uniform(0.2, 0.75)


def _meows(rng: np.random.Generator) -> Iterator[Happening]:
    t_s = rng.uniform(0, 0.8)
    while True:
        length_s = rng.uniform(0.35, 0.85)
        yield Happening(t_s, length_s)
        t_s += length_s + rng.uniform(0.2, 0.9)


def _syllables(rng: np.random.Generator) -> Iterator[Happening]:
    """Phrases of four to nine, with a breath between."""
    period_s = rng.uniform(0.16, 0.3)
    t_s = rng.uniform(0, 0.5)
    while True:
        for _ in range(rng.integers(4, 10)):
            step_s = period_s * rng.uniform(0.75, 1.3)
            yield Happening(t_s, step_s * rng.uniform(0.6, 0.9))
            t_s += step_s
        t_s += rng.uniform(0.2, 0.5)


_RHYTHMS: Mapping[str, Callable[[np.random.Generator], Iterator[Happening]]] = MappingProxyType(
    {
        "an alarm ringing": _beeps,
        "a ball bouncing": _touches,
        "a dog barking": _barks,
        "a cat meowing": _meows,
        "a person talking": _syllables,
        "a clock ticking": _ticks,
    }
)
