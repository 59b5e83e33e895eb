"""When sound was taken: by the count of samples, whatever arrives when and claims what."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.soundclock import (
    HOLD_NS,
    LATE_NS,
    SLEW,
    TOLERANCE_NS,
    TRUST_NS,
    Block,
    Piece,
    SoundClock,
)
from streamer.errors import SourceLost
from streamer.types import NS_PER_S

MS = 1_000_000
RATE_HZ = 48000
FRAMES = RATE_HZ // 25
LENGTH_NS = NS_PER_S // 25
START_NS = 1000 * NS_PER_S


def block(number: int, arrival_ns: int, delay_ns: int | None = None, **more: bool) -> Block:
    """Block `number` of a stream: its samples are their own numbers."""
    samples = np.arange(number * FRAMES, (number + 1) * FRAMES, dtype=np.float32)
    return Block(samples, arrival_ns, LENGTH_NS if delay_ns is None else delay_ns, **more)


def due_ns(number: int, *, missing_ns: int = 0, ppm: float = 0.0) -> int:
    """When the last sample of a block is taken, of a device that is off by `ppm`."""
    return START_NS + missing_ns + round((number + 1) * LENGTH_NS * (1 + ppm / 1e6))


def played(blocks: Iterable[Block], clock: SoundClock | None = None) -> list[Piece]:
    clock = clock or SoundClock("mic", RATE_HZ)
    return [piece for item in blocks for piece in clock.push(item)]


def spans(pieces: Iterable[Piece]) -> list[tuple[int, int, bool]]:
    """First and last moment of each piece, and whether it begins a stretch."""
    frames = 0
    found: list[tuple[int, int, bool]] = []
    for piece in pieces:
        frames = 0 if piece.begins else frames
        start_ns = piece.origin_ns + frames * NS_PER_S // RATE_HZ
        frames += len(piece.samples)
        found.append((start_ns, piece.origin_ns + frames * NS_PER_S // RATE_HZ, piece.begins))
    return found


def follow_each_other(pieces: list[Piece]) -> None:
    """Within a stretch a piece follows on the one before, but for the slew; none overlaps."""
    for (_, end_ns, _), (start_ns, stop_ns, begins) in pairwise(spans(pieces)):
        if begins:
            assert start_ns >= end_ns
        else:
            assert abs(start_ns - end_ns) <= (stop_ns - start_ns) * SLEW / 1e6 + 1


@given(st.lists(st.integers(0, 8 * MS), min_size=10, max_size=80))
def test_stamps_go_by_the_samples_alone_while_deliveries_jitter(late_ns: list[int]) -> None:
    blocks = [block(n, due_ns(n) + late) for n, late in enumerate(late_ns)]
    pieces = played(blocks)
    assert [piece.begins for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert len({piece.origin_ns for piece in pieces}) == 1
    assert 0 <= pieces[0].origin_ns - START_NS <= max(late_ns)
    heard = np.concatenate([piece.samples for piece in pieces])
    np.testing.assert_array_equal(heard, np.arange(len(heard)))
    assert not any(piece.lost for piece in pieces)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("ppm", [-200.0, 0.0, 30.0, 200.0])
def test_a_crystal_that_is_off_is_followed_without_a_jump(ppm: float, seed: int) -> None:
    late_ns = np.random.default_rng(seed).integers(0, 20 * MS, 25 * 300)
    clock = SoundClock("mic", RATE_HZ)
    pieces = played((block(n, due_ns(n, ppm=ppm) + int(x)) for n, x in enumerate(late_ns)), clock)
    follow_each_other(pieces)
    assert sum(piece.begins for piece in pieces) == 1
    # 300 s at 200 ppm are 60 ms, of which no more is left than what is tolerated and the jitter.
    _, end_ns, _ = spans(pieces)[-1]
    assert abs(end_ns - due_ns(len(late_ns) - 1, ppm=ppm)) <= TOLERANCE_NS + 22 * MS
    assert clock.card.error_ns <= TOLERANCE_NS + 22 * MS


@given(st.integers(2, 200), st.integers(0, 8 * MS))
def test_an_overflow_is_a_gap_of_its_length(missing: int, late_ns: int) -> None:
    gap_ns = missing * LENGTH_NS
    before = [block(n, due_ns(n)) for n in range(30)]
    after = [
        block(n, due_ns(n, missing_ns=gap_ns) + late_ns * (n % 3 == 1), overflow=n == 30)
        for n in range(30, 60)
    ]
    pieces = played(before + after)
    follow_each_other(pieces)
    (begin,) = [piece for piece in pieces[1:] if piece.begins]
    assert begin.samples[0] == 30 * FRAMES
    assert (begin.lost, begin.cause) == (missing, "overflow")
    assert begin.origin_ns == START_NS + 30 * LENGTH_NS + gap_ns


def test_an_overflow_too_short_to_be_seen_is_counted_as_one_block() -> None:
    pieces = played(block(n, due_ns(n), overflow=n == 30) for n in range(60))
    (begin,) = [piece for piece in pieces[1:] if piece.begins]
    assert (begin.lost, begin.cause) == (1, "overflow")
    follow_each_other(pieces)


@given(st.integers(LATE_NS + MS, 60 * NS_PER_S))
def test_a_source_that_was_suspended_leaves_a_gap_that_nobody_told_of(gap_ns: int) -> None:
    """PulseAudio reports no overflow: sound goes on later as if nothing had been."""
    before = [block(n, due_ns(n)) for n in range(30)]
    after = [block(n, due_ns(n, missing_ns=gap_ns)) for n in range(30, 60)]
    pieces = played(before + after)
    (begin,) = [piece for piece in pieces[1:] if piece.begins]
    assert begin.samples[0] == 30 * FRAMES
    assert begin.cause == "gap"
    assert begin.lost == round(gap_ns / LENGTH_NS)
    assert begin.origin_ns == START_NS + 30 * LENGTH_NS + gap_ns


@given(st.integers(1, 100))
def test_what_was_only_held_up_is_no_gap(held: int) -> None:
    """A sound server that was frozen sends what it kept at once."""
    thaw_ns = due_ns(30 + held)
    blocks = [
        block(n, thaw_ns + n * 1000 if 30 <= n < 30 + held else due_ns(n)) for n in range(140)
    ]
    pieces = played(blocks)
    assert [piece.begins for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert {piece.origin_ns for piece in pieces} == {START_NS}
    assert sum(len(piece.samples) for piece in pieces) == 140 * FRAMES


def test_an_overflow_amid_what_was_held_up_pushes_nothing_into_the_future() -> None:
    """A server that was frozen for 2 s, and has lost something when it sends what it kept."""
    thaw_ns = due_ns(80)
    kept = [block(n, thaw_ns + n * 1000, overflow=n == 40) for n in range(30, 80)]
    blocks = [block(n, due_ns(n)) for n in range(30)]
    pieces = played([*blocks, *kept, *(block(n, due_ns(n)) for n in range(80, 120))])
    follow_each_other(pieces)
    assert [piece.cause for piece in pieces if piece.lost] == ["overflow"]
    _, end_ns, _ = spans(pieces)[-1]
    assert end_ns == due_ns(119)


def test_nothing_is_said_before_the_start_is_known() -> None:
    """The first deliveries of a stream come in bursts: the first of all is the latest."""
    clock = SoundClock("mic", RATE_HZ)
    burst = [block(n, due_ns(5)) for n in range(6)]
    assert played(burst, clock) == []
    assert clock.card.error_ns == HOLD_NS
    pieces = played((block(n, due_ns(n)) for n in range(6, 20)), clock)
    assert pieces[0].origin_ns == START_NS
    assert (pieces[0].begins, pieces[0].lost) == (True, 0)
    assert pieces[0].samples[0] == 0


@pytest.mark.parametrize(
    "delay_ns",
    [0, -5 * NS_PER_S, 1_700_000_000 * NS_PER_S, LENGTH_NS + TRUST_NS + 50 * MS],
    ids=["none", "negative", "since the epoch", "more than there can be"],
)
def test_claims_that_cannot_be_are_passed_over(delay_ns: int) -> None:
    pieces = played(block(n, due_ns(n), delay_ns) for n in range(60))
    assert {piece.origin_ns for piece in pieces} == {START_NS}


def test_the_lies_of_a_sound_server_that_starts_move_nothing() -> None:
    """Seen with PulseAudio: 600 ms for a while, then less by 40 ms with every 40 ms."""
    claims = [max(60, 600 - 40 * max(0, n - 10)) * MS for n in range(60)]
    clock = SoundClock("mic", RATE_HZ)
    pieces = played((block(n, due_ns(n), claim) for n, claim in enumerate(claims)), clock)
    follow_each_other(pieces)
    assert all(abs(piece.origin_ns - START_NS) <= TOLERANCE_NS for piece in pieces)


def test_claims_that_agree_are_believed() -> None:
    """Sound that was under way for 80 ms, in a radio link: it was taken so much earlier."""
    pieces = played(block(n, due_ns(n) + 80 * MS, LENGTH_NS + 80 * MS) for n in range(60))
    assert {piece.origin_ns for piece in pieces} == {START_NS}


def test_a_device_of_twice_the_rate_is_found_out() -> None:
    with pytest.raises(SourceLost, match="mic: expected 48000 samples a second, got more"):
        played(block(n, START_NS + (n + 1) * LENGTH_NS // 2) for n in range(200))


def test_a_device_of_half_the_rate_has_gaps() -> None:
    pieces = played(block(n, START_NS + (n + 1) * LENGTH_NS * 2) for n in range(200))
    follow_each_other(pieces)
    lost = sum(piece.lost for piece in pieces)
    assert {piece.cause for piece in pieces if piece.lost} == {"gap"}
    assert 150 <= lost <= 210


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 450 * MS), st.booleans(), st.integers(-1, 3 * NS_PER_S)),
        max_size=60,
    )
)
def test_whatever_comes_nothing_overlaps_and_nothing_is_lost(
    told: list[tuple[int, bool, int]],
) -> None:
    """`told`: how late, an overflow, what it claims, of each block."""
    arrival_ns, blocks = 0, list[Block]()
    for number, (late_ns, overflow, claim_ns) in enumerate(told):
        arrival_ns = max(arrival_ns, due_ns(number) + late_ns)
        blocks.append(block(number, arrival_ns, claim_ns, overflow=overflow))
    # Then all is well for long enough that nothing is held any more.
    last_ns = arrival_ns
    blocks += [
        block(len(told) + n, last_ns + (n + 1) * LENGTH_NS, overflow=n == 0) for n in range(20)
    ]
    pieces = played(blocks)
    follow_each_other(pieces)
    heard = np.concatenate([piece.samples for piece in pieces])
    np.testing.assert_array_equal(heard, np.arange(len(heard)))
    assert len(heard) == len(blocks) * FRAMES
