"""When things happen: the rhythm of a thing, which the picture and the sound share."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.world.concepts import CONCEPTS
from sources.world.curves import SCENE_S
from sources.world.happenings import happenings

RHYTHMIC = (
    "an alarm ringing",
    "a ball bouncing",
    "a dog barking",
    "a cat meowing",
    "a person talking",
    "a clock ticking",
)
SEEDS = st.integers(0, 2**31 - 1)


@settings(deadline=None)
@given(concept=st.sampled_from(RHYTHMIC), seed=SEEDS)
def test_happenings_follow_one_another_inside_the_scene(concept: str, seed: int) -> None:
    found = happenings(concept, seed)

    assert found[0].t_s >= 0
    assert found[-1].t_s < SCENE_S
    for now, after in pairwise(found):
        assert now.t_s + now.length_s < after.t_s or now.length_s == 0 < after.t_s - now.t_s


@settings(deadline=None)
@given(concept=st.sampled_from(RHYTHMIC), seed=SEEDS)
def test_something_happens_in_every_two_seconds(concept: str, seed: int) -> None:
    times = [0.0, *(happening.t_s for happening in happenings(concept, seed)), SCENE_S]

    assert max(after - now for now, after in pairwise(times)) < 2.0


@settings(deadline=None)
@given(concept=st.sampled_from(RHYTHMIC), seed=SEEDS)
def test_a_seed_decides(concept: str, seed: int) -> None:
    assert happenings(concept, seed) == happenings(concept, seed)
    assert happenings(concept, seed) != happenings(concept, seed + 1)


@settings(deadline=None)
@given(seed=SEEDS)
def test_balls_clocks_and_alarms_keep_time(seed: int) -> None:
    for concept, low_s, high_s in (
        ("a ball bouncing", 0.4, 1.1),
        ("a clock ticking", 0.35, 1.1),
        ("an alarm ringing", 0.3, 0.9),
    ):
        times = [happening.t_s for happening in happenings(concept, seed)]
        periods = [after - now for now, after in pairwise(times)]
        assert low_s <= min(periods)
        assert max(periods) <= high_s
        assert max(periods) - min(periods) < 1e-9


@settings(deadline=None)
@given(seed=SEEDS)
def test_a_beep_is_a_part_of_its_period(seed: int) -> None:
    """The lamp is on while it lasts, so it must also be off."""
    first, second, *_ = happenings("an alarm ringing", seed)
    share = first.length_s / (second.t_s - first.t_s)

    assert 0.3 < share < 0.75


@settings(deadline=None)
@given(seed=SEEDS)
def test_barks_come_in_groups(seed: int) -> None:
    gaps = sorted(after.t_s - now.t_s for now, after in pairwise(happenings("a dog barking", seed)))

    assert gaps[0] >= 0.28
    assert gaps[-1] <= 1.25


@pytest.mark.parametrize(
    "concept", [concept.name for concept in CONCEPTS if concept.name not in RHYTHMIC]
)
def test_nothing_happens_to_what_never_pauses(concept: str) -> None:
    assert happenings(concept, 1) == ()
