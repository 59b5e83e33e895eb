"""Captions say what is there in the wordings of the vocabulary, and never in a held-out one."""

import re
from collections import Counter
from functools import cache
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.world.captions import ALONE, TOGETHER, caption, captions
from sources.world.concepts import BY_NAME, CONCEPTS, perceived
from streamer.types import MODALITIES

NAMES = [concept.name for concept in CONCEPTS]


@cache
def about_one(name: str) -> set[str]:
    return {text.format(phrase) for text in ALONE for phrase in BY_NAME[name].phrases}


@cache
def about_two(one: str, two: str) -> set[str]:
    return {
        text.format(first, second)
        for text in TOGETHER
        for first in BY_NAME[one].phrases
        for second in BY_NAME[two].phrases
    }


@settings(deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), st.integers(0, 2**31))
def test_a_caption_names_one_or_two_of_the_concepts_and_no_other(
    names: list[str], seed: int
) -> None:
    text = caption(names, np.random.default_rng(seed))

    ones = set[str]().union(*(about_one(name) for name in names))
    assert text in ones or any(text in about_two(*pair) for pair in permutations(names, 2))


def test_captions_are_a_function_of_the_generator() -> None:
    one, again, other = (captions(NAMES[:2], 10, np.random.default_rng(s)) for s in (4, 4, 5))

    assert one == again
    assert one != other
    assert len(one) == 10
    assert len(set(one)) > 5


def test_no_caption_contains_a_wording_that_is_kept_for_the_test() -> None:
    kept = [wording for concept in CONCEPTS for wording in concept.paraphrases]
    phrases = [(concept.name, phrase) for concept in CONCEPTS for phrase in concept.phrases]
    ones = "\n".join(text for name in NAMES for text in about_one(name))

    assert not [wording for wording in kept if wording in ones]
    # Of two concepts: it would lie in what is said of one of them, or reach across the middle.
    for text in TOGETHER:
        begin, middle, end = text.split("{}")
        firsts = [(name, begin + phrase) for name, phrase in phrases]
        seconds = [(name, phrase + end) for name, phrase in phrases]
        for wording in kept:
            assert not any(wording in each for _, each in (*firsts, *seconds))
            for found in re.finditer(re.escape(middle), wording):
                left, right = wording[: found.start()], wording[found.end() :]
                before = {name for name, first in firsts if first.endswith(left)}
                after = {name for name, second in seconds if second.startswith(right)}
                assert (
                    not before or not after or (before == after and len(after) == 1)
                )  # never one beside itself


def test_no_two_concepts_share_a_wording() -> None:
    wordings = Counter(p for c in CONCEPTS for p in (*c.phrases, *c.paraphrases))

    assert set(wordings.values()) == {1}
    assert all(concept.phrases[0] == concept.name for concept in CONCEPTS)
    assert not any("|" in wording or "  " in wording or "\n" in wording for wording in wordings)


def test_one_caption_in_three_uses_the_name_itself() -> None:
    name = NAMES[0]
    rng = np.random.default_rng(1)
    named = {text.format(name) for text in ALONE}
    share = np.mean([caption((name,), rng) in named for _ in range(3000)])

    # A quarter outright, and its share of all wordings of the rest.
    assert share == pytest.approx(0.25 + 0.75 / len(BY_NAME[name].phrases), abs=0.03)


def test_one_caption_in_three_of_several_concepts_mentions_a_single_one() -> None:
    names = NAMES[0], NAMES[5], NAMES[20]
    rng = np.random.default_rng(1)
    ones = [about_one(name) for name in names]
    drawn = [caption(names, rng) for _ in range(3000)]

    single = [sum(text in texts for text in drawn) / 3000 for texts in ones]
    assert sum(single) == pytest.approx(0.35, abs=0.03)
    np.testing.assert_allclose(single, 0.35 / 3, atol=0.03)


def test_at_least_24_concepts_with_plain_names_that_all_show_in_the_picture() -> None:
    """What does not show in the picture cannot be bound to it."""
    assert len(CONCEPTS) >= 24
    assert len(BY_NAME) == len(CONCEPTS)
    for concept in CONCEPTS:
        assert "vision" in concept.senses
        assert ("imu" in concept.senses) == (concept.kind == "motion")
        assert len(concept.senses) > 1
    for sense in MODALITIES:
        shown = perceived(tuple(NAMES), sense)
        assert list(shown) == [c.name for c in CONCEPTS if sense in c.senses]
