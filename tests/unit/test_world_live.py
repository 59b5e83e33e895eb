"""The running world: its schedule, its scenes, what its sensors give, its truth."""

from collections.abc import Mapping
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.world import inertial
from sources.world.concepts import BY_NAME, CONCEPTS, perceived
from sources.world.live import (
    BLOCK_NS,
    FRAME_HZ,
    SCENE_NS,
    TRUTH_NS,
    Capture,
    at,
    captures,
    concepts,
    data,
    scene,
    truth,
    truth_spans,
)
from sources.world.moments import ALONE_ONLY
from sources.world.sound import soundtrack
from streamer.types import MODALITIES, NS_PER_S, AudioBlock, ImuBlock, Modality, Span
from tests.needs import ROOT
from tests.sighting import seen

SEED = 5


# The schedule


@pytest.mark.parametrize("modality", MODALITIES)
def test_captures_follow_one_another_at_their_rate_and_stay_in_their_scene(
    modality: Modality,
) -> None:
    taken = list(captures(modality, 3 * SCENE_NS))
    rate = FRAME_HZ.get(modality, NS_PER_S // BLOCK_NS)

    assert [c.t_ns for c in taken] == [n * NS_PER_S // rate for n in range(3 * 8 * rate)]
    assert all(a.t_ns + a.duration_ns == b.t_ns for a, b in pairwise(taken))
    assert all(c.t_ns // SCENE_NS == (c.t_ns + c.duration_ns - 1) // SCENE_NS for c in taken)


@given(st.sampled_from(MODALITIES), st.integers(1, 4 * NS_PER_S))
def test_an_end_cuts_off_only_what_it_leaves_unfinished(modality: Modality, until_ns: int) -> None:
    cut = list(captures(modality, until_ns))
    whole = list(islice(captures(modality), len(cut) + 1))

    assert cut == whole[:-1]
    assert whole[-1].t_ns + whole[-1].duration_ns > until_ns


@given(st.integers(1, 3 * SCENE_NS))
def test_truths_cover_the_time_without_gap_or_overlap(until_ns: int) -> None:
    spans = list(truth_spans(until_ns))

    assert spans[0].start_ns == 0
    assert spans[-1].end_ns == until_ns
    assert all(a.end_ns == b.start_ns for a, b in pairwise(spans))
    assert all(s.length_ns > 0 for s in spans)
    assert all(s.start_ns // SCENE_NS == (s.end_ns - 1) // SCENE_NS for s in spans)


# The scenes


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_every_concept_is_alone_once_in_48_scenes_and_the_others_hold_several(seed: int) -> None:
    turns = [[concepts(seed, n) for n in range(first, first + 48)] for first in (0, 48)]
    for turn in turns:
        assert sorted(turn[::2]) == sorted((c.name,) for c in CONCEPTS)
        for several in turn[1::2]:
            assert 2 <= len(set(several)) == len(several) <= 3
            assert sum(BY_NAME[name].kind == "motion" for name in several) <= 1
            assert not ALONE_ONLY & set(several)
    assert turns[0][::2] != turns[1][::2]


def test_worlds_of_two_seeds_differ() -> None:
    assert [concepts(0, n) for n in range(8)] != [concepts(1, n) for n in range(8)]
    assert len({scene(seed, n).seed for seed in (0, 1) for n in range(4)}) == 8


def test_the_scene_changes_every_eight_seconds() -> None:
    before, t_s = at(SEED, SCENE_NS - 1)
    after, zero_s = at(SEED, SCENE_NS)

    assert before is scene(SEED, 0)
    assert after is scene(SEED, 1)
    assert (t_s, zero_s) == (pytest.approx(8), 0)


# What the sensors give


def test_what_a_sensor_gives_does_not_depend_on_what_was_asked_before() -> None:
    wanted = [
        Capture(modality, n * SCENE_NS + 40 * BLOCK_NS, BLOCK_NS)
        for n in range(4)
        for modality in MODALITIES
    ]
    forwards = [_bytes(capture) for capture in wanted]
    backwards = [_bytes(capture) for capture in reversed(wanted)]

    assert forwards == backwards[::-1]
    assert len(set(forwards)) == len(wanted)


def _bytes(capture: Capture) -> bytes:
    given = data(SEED, capture, 0, 200)
    if isinstance(given, AudioBlock):
        return given.samples.tobytes()
    if isinstance(given, ImuBlock):
        return given.t_ns.tobytes() + given.values.tobytes()
    assert isinstance(given, np.ndarray)
    return given.tobytes()


def test_blocks_of_sound_are_cut_from_the_scene_without_a_seam() -> None:
    blocks = [data(SEED, c, 0, 200) for c in _scene_blocks("audio")]
    played = scene(SEED, 1)
    samples = [b.samples for b in blocks if isinstance(b, AudioBlock)]

    assert all(s.shape == (800,) and s.dtype == np.float32 for s in samples)
    whole = soundtrack(played.voices, played.ambience, 0.0, 8 * 16_000)
    # Filters run over blocks of another length and so round differently.
    np.testing.assert_allclose(np.concatenate(samples), whole, atol=1e-6)


@pytest.mark.parametrize("hz", [200, 400])
def test_blocks_of_readings_are_cut_from_the_motion_without_a_seam(hz: int) -> None:
    start_ns = 1_700_000_000 * NS_PER_S
    blocks = [data(SEED, c, start_ns, hz) for c in _scene_blocks("imu")]
    moved = scene(SEED, 1)
    readings = [b for b in blocks if isinstance(b, ImuBlock)]
    t_ns = np.concatenate([b.t_ns for b in readings])
    ticks = np.arange(8 * hz)

    np.testing.assert_array_equal(t_ns, start_ns + SCENE_NS + ticks * (NS_PER_S // hz))
    whole = inertial.readings(moved.motion, ticks / hz, moved.seed)
    np.testing.assert_array_equal(np.concatenate([b.values for b in readings]), whole)


def _scene_blocks(modality: Modality) -> list[Capture]:
    return [c for c in captures(modality, 2 * SCENE_NS) if c.t_ns >= SCENE_NS]


# The truth


@pytest.mark.parametrize("number", range(24))
def test_the_truth_is_what_the_sense_can_perceive_and_the_camera_has_in_view(number: int) -> None:
    played = scene(SEED, number)
    for into_ns in range(0, SCENE_NS, SCENE_NS // 5):
        start_ns = number * SCENE_NS + into_ns // TRUTH_NS * TRUTH_NS
        found = _present(start_ns)
        t_s = start_ns % SCENE_NS / NS_PER_S

        assert found["audio"] == perceived(played.concepts, "audio")
        assert found["imu"] == perceived(played.concepts, "imu")
        for modality in FRAME_HZ:
            assert set(found[modality]) <= set(perceived(played.concepts, modality))
            if played.motion.name and modality in BY_NAME[played.motion.name].senses:
                assert played.motion.name in found[modality]
        for thing in (t for t in played.things if t.concept):
            column, row, ahead = seen(played, thing, t_s)
            shown = thing.concept in found["vision"]
            # The angle to the side and that upwards: the corners of the square differ a little.
            if ahead > 0 and max(abs(column), abs(row)) < 0.85:
                assert shown
            if ahead < 0 or max(abs(column), abs(row)) > 1.35:
                assert not shown


def _present(start_ns: int) -> Mapping[Modality, tuple[str, ...]]:
    return truth(SEED, Span(start_ns, start_ns + TRUTH_NS), 0, "truth", MODALITIES).present


def test_the_truth_tells_only_of_the_senses_that_are_there() -> None:
    told = truth(SEED, Span(0, 1), 7, "known", ("imu", "audio"))

    assert list(told.present) == ["audio", "imu"]
    assert told.stream == "known"
    assert told.span == Span(7, 8)


def test_the_reference_shows_the_senses_of_every_concept() -> None:
    lines = ["| concept | vision | audio | depth | thermal | imu |", "|---|---|---|---|---|---|"]
    for concept in CONCEPTS:
        marks = " | ".join("x" if sense in concept.senses else " " for sense in MODALITIES)
        lines.append(f"| {concept.name} | {marks} |")

    assert "\n".join(lines) in (ROOT / "docs" / "reference" / "world.md").read_text()
