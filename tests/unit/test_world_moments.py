"""The world as a data set: pure, balanced, complete, and true about what is in it."""

from collections import Counter
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from sources.world.captions import ALONE, TOGETHER
from sources.world.concepts import BY_NAME, CONCEPTS, MOTIONS, perceived
from sources.world.moments import (
    ALONE_ONLY,
    WorldMoments,
    moment,
    several,
    truth,
)
from sources.world.scene import draw, in_view
from streamer.types import (
    MODALITIES,
    AudioBlock,
    ImuBlock,
    Moment,
    Window,
    pixels,
)
from tests.scenes import mixture

DRAWN = WorldMoments(5, 48, ())


def content(window: Window) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for sample in window.samples:
        match sample.data:
            case AudioBlock(samples):
                found.append(samples.tobytes())
            case ImuBlock(t_ns, values):
                found += [t_ns.tobytes(), values.tobytes()]
            case _:
                found.append(pixels(sample).tobytes())
    return tuple(found)


def same(one: Moment, two: Moment) -> bool:
    return (
        one.captions == two.captions
        and one.present == two.present
        and one.windows.keys() == two.windows.keys()
        and all(content(one.windows[m]) == content(two.windows[m]) for m in one.windows)
    )


def test_a_moment_depends_on_the_seed_and_its_number_and_on_nothing_else() -> None:
    forwards, backwards = WorldMoments(1, 4), WorldMoments(1, 40)
    there = [forwards[i] for i in range(4)]
    back = [backwards[i] for i in (3, 2, 1, 0)][::-1]

    assert all(same(one, two) for one, two in zip(there, back, strict=True))
    assert not same(there[1], WorldMoments(2, 4)[1])
    assert not same(there[1], there[3])


def test_a_sense_is_the_same_whichever_others_are_asked_for() -> None:
    whole = WorldMoments(1, 8)[7]
    for modality in whole.windows:
        only = WorldMoments(1, 8, (modality,))[7]
        assert list(only.windows) == [modality]
        assert content(only.windows[modality]) == content(whole.windows[modality])
        assert (only.captions, only.present) == (whole.captions, whole.present)


def test_its_length_is_its_own_and_its_ends_are_guarded() -> None:
    assert len(DRAWN) == 48
    for beyond in (-1, 48):
        with pytest.raises(IndexError):
            DRAWN[beyond]
        with pytest.raises(IndexError):
            DRAWN.scene(beyond)


def test_even_moments_hold_one_concept_and_all_in_turn() -> None:
    singles = [scene.concepts for scene in mixture()[::2]]

    assert singles == [(concept.name,) for concept in CONCEPTS]
    assert WorldMoments(5, 100).scene(48).concepts == singles[0]


def test_odd_moments_hold_two_or_three_that_can_be_together() -> None:
    rng = np.random.default_rng(3)
    groups = [several(rng) for _ in range(2000)]
    groups += [scene.concepts for scene in mixture()[1::2]]

    assert {len(names) for names in groups} == {2, 3}
    assert all(len(set(names)) == len(names) for names in groups)
    assert max(sum(name in MOTIONS for name in names) for names in groups) == 1
    counts = Counter(chain.from_iterable(groups))
    assert counts.keys() == BY_NAME.keys() - ALONE_ONLY
    things, moving = ([counts[n] for n in counts if (n in MOTIONS) == b] for b in (False, True))
    # Every thing, and every motion, is met about as often as the others.
    assert max(things) < 1.35 * min(things)
    assert max(moving) < 1.35 * min(moving)


def test_two_seeds_share_no_scene() -> None:
    scenes = [WorldMoments(seed, 60).scene(i).seed for seed in (3, 4, 5) for i in range(0, 60, 4)]

    assert len(set(scenes)) == len(scenes)


def test_truth_is_what_can_be_perceived_of_what_is_in_view() -> None:
    for scene in mixture():
        present = truth(scene)
        last_s = scene.window_end_s - 1 / 30
        for modality in MODALITIES:
            names = perceived(scene.concepts, modality)
            if modality in ("audio", "imu"):
                assert present[modality] == names
            else:
                seen = in_view(scene, last_s)
                if modality == "vision":
                    seen += in_view(scene, scene.window_end_s - 2)
                assert present[modality] == tuple(name for name in names if name in seen)


def test_what_leaves_the_picture_is_seen_heard_and_no_longer_measured() -> None:
    dog, turn = "a dog barking", "the robot turning left"
    scene = draw(1, (dog, turn))
    yaw = scene.motion.poses(np.array([scene.window_end_s - 2]))[1][0, 0]
    for degrees, senses in ((25, {"vision", "audio"}), (90, {"audio"})):
        bearing = yaw - np.deg2rad(degrees)  # to the right, away from the turn
        there = float(3 * np.cos(bearing)), float(3 * np.sin(bearing)), 0.0
        things = tuple(replace(t, position=there) for t in scene.things if t.concept == dog)
        present = truth(replace(scene, things=things))
        assert {modality for modality in MODALITIES if dog in present[modality]} == senses
        assert present["imu"] == (turn,)


def test_there_is_a_window_of_every_sense_that_perceives_something_and_of_no_other() -> None:
    for index in (0, 2, 9, 15, 22, 32):
        given = WorldMoments(5, 48)[index]
        assert set(given.windows) == {m for m in MODALITIES if given.present[m]}
        assert given.present == truth(mixture()[index])
    silent = moment(mixture()[0], (), ())
    assert not silent.windows
    assert silent.present == truth(mixture()[0])


def test_captions_name_what_is_in_the_scene() -> None:
    for index, scene in enumerate(mixture()):
        wordings = DRAWN[index].captions
        assert len(wordings) == 10
        named = [p for name in scene.concepts for p in BY_NAME[name].phrases]
        allowed = {t.format(p) for t in ALONE for p in named}
        allowed |= {t.format(p, q) for t in TOGETHER for p in named for q in named}
        assert set(wordings) <= allowed
