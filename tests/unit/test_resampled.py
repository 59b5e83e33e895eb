"""Sound at another rate: the right tone at the right moment, in whatever pieces it comes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sources.resampled import Resampled, Stamped
from streamer.types import NS_PER_S

TO_HZ = 16000
ORIGIN_NS = 123_456_789_012


def tone(hz: float, rate_hz: int, seconds: float) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def resampled(samples: NDArray[np.float64], rate_hz: int, sizes: list[int]) -> list[Stamped]:
    """In pieces of these sizes, over and over."""
    stretch, parts, first, turn = Resampled(rate_hz, TO_HZ), list[Stamped](), 0, 0
    while first < len(samples):
        size = sizes[turn % len(sizes)]
        parts += stretch.push(samples[first : first + size].astype(np.float32), ORIGIN_NS)
        first, turn = first + size, turn + 1
    return parts + stretch.flush()


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("hz", [440.0, 1000.0, 3000.0])
def test_a_tone_is_what_float64_computes_at_the_same_moments(rate_hz: int, hz: float) -> None:
    parts = resampled(tone(hz, rate_hz, 1.0), rate_hz, [rate_hz // 25])
    heard = np.concatenate([part.samples for part in parts])
    exact = tone(hz, TO_HZ, 1.0)
    assert abs(len(heard) - len(exact)) <= 1
    # Not the edges: there the filter hears silence beside the tone.
    inner = slice(1000, 15000)
    np.testing.assert_allclose(heard[inner], exact[inner], atol=2e-5)


def test_what_16_khz_cannot_hold_is_gone() -> None:
    parts = resampled(tone(10000.0, 48000, 1.0), 48000, [1920])
    heard = np.concatenate([part.samples for part in parts])[1000:15000]
    assert np.abs(heard).max() < 1e-4


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([8000, 16000, 44100, 48000]),
    st.lists(st.integers(1, 9000), min_size=1, max_size=8),
)
def test_stamps_are_exact_and_the_cut_changes_nothing(rate_hz: int, sizes: list[int]) -> None:
    samples = tone(440.0, rate_hz, 1.5)
    parts = resampled(samples, rate_hz, sizes)
    assert parts[0].t_ns == ORIGIN_NS
    for one, two in pairwise(parts):
        assert abs(two.t_ns - one.t_ns - len(one.samples) * NS_PER_S / TO_HZ) <= 1
    whole = resampled(samples, rate_hz, [len(samples)])
    np.testing.assert_array_equal(
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.samples for part in whole]),
    )


def test_a_click_comes_out_at_its_moment() -> None:
    """The filter's delay is in no stamp."""
    click = np.zeros(44100)
    click[22050] = 1.0
    parts = resampled(click, 44100, [1764])
    heard = np.concatenate([part.samples for part in parts])
    assert np.argmax(np.abs(heard)) == 8000


def test_long_sound_is_cut_into_seconds() -> None:
    parts = resampled(np.zeros(16000 * 5), 16000, [16000 * 5])
    assert [len(part.samples) for part in parts] == [16000] * 5


def test_a_stretch_that_had_no_sound_gives_none() -> None:
    assert Resampled(48000, TO_HZ).flush() == []
