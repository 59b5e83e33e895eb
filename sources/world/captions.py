"""Wordings of what a scene shows, as a person would write them under a picture."""

from collections.abc import Sequence

import numpy as np

from sources.world.concepts import BY_NAME

ALONE = (
    "{}", "a photo of {}.", "a picture of {}.", "there is {}", "the robot sees {}", "this is {}",
    "i see {} here", "{} in a room", "a view of {}", "{} ahead", "look, {}!", "an image of {}",
)  # fmt: skip
TOGETHER = (
    "{} and {}", "{} next to {}", "a photo of {} and {}.", "a picture of {} and {}.",
    "there is {} and there is {}", "{} with {}", "{} beside {}", "i see {} and also {}",
)  # fmt: skip


def caption(concepts: Sequence[str], rng: np.random.Generator) -> str:
    """One wording. Of several concepts it names two or, as people do, only one."""
    chosen = list(rng.permutation(np.array(concepts, dtype=object))[:2])
    words = [_phrase(str(name), rng) for name in chosen]
    if len(words) == 1 or rng.random() < 0.35:
        return _pick(ALONE, rng).format(words[0])
    return _pick(TOGETHER, rng).format(*words)


def captions(concepts: Sequence[str], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(caption(concepts, rng) for _ in range(count))


def _phrase(name: str, rng: np.random.Generator) -> str:
    """Its name about one time in three, else another wording."""
    phrases = BY_NAME[name].phrases
    return name if rng.random() < 0.25 else _pick(phrases, rng)


def _pick(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
