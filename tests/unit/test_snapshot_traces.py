"""What `streamer snapshot` draws of sound and motion: looked at where it must show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamer.cli.snapshot.drawing import BAD, FAINT, PAPER
from streamer.cli.snapshot.motion import COLOURS, GRAVITY, motion, panels
from streamer.cli.snapshot.sheet import Drawn
from streamer.cli.snapshot.sound import WAVE, boxes, flatness, mels, sound, spectrogram
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Span

RATE_HZ = 16_000
SECOND = np.arange(RATE_HZ) / RATE_HZ


def tone(hz: float, size: float) -> NDArray[np.float32]:
    return (size * np.sin(2 * np.pi * hz * SECOND)).astype(np.float32)


def heard(samples: NDArray[np.float32], *more: tuple[int, NDArray[np.float32]]) -> Drawn:
    blocks = [(t_ns, AudioBlock(block, RATE_HZ)) for t_ns, block in ((0, samples), *more)]
    end_ns = max(t_ns + len(block.samples) * NS_PER_S // RATE_HZ for t_ns, block in blocks)
    return sound(blocks, Span(0, end_ns))


def bad(drawn: Drawn) -> str:
    return "; ".join(note.text for note in drawn.notes if note.bad)


@pytest.mark.parametrize("hz", [250, 1000, 4000])
def test_a_tone_is_a_bright_line_at_its_pitch_and_as_high_as_it_is_loud(hz: int) -> None:
    drawn = heard(tone(hz, 0.5))
    wave, spectrum = boxes(1, RATE_HZ)
    shown = drawn.body[spectrum.top : spectrum.bottom, spectrum.left + 20 : spectrum.right - 60]
    brightest = int(shown.astype(int).sum(axis=(1, 2)).argmax())
    assert spectrum.top + brightest == pytest.approx(float(spectrum.at_y(mels(hz))), abs=4)
    part = drawn.body[:, wave.left + 100 : wave.left + 120]
    rows = np.flatnonzero((part == WAVE).all(axis=2).any(axis=1))
    assert rows.min() == pytest.approx(float(wave.at_y(0.5)), abs=2)
    assert rows.max() == pytest.approx(float(wave.at_y(-0.5)), abs=2)
    assert drawn.notes[0].text.startswith("16000 Hz; peak -6.0 dB, level -9.0 dB")
    assert bad(drawn) == ""


@given(st.integers(4, 250), st.floats(0.01, 1))
def test_a_sine_has_the_decibels_of_its_size(line: int, size: float) -> None:
    """Line n of 512 samples at 16 kHz is n * 31.25 Hz."""
    levels = spectrogram(tone(line * 31.25, size), RATE_HZ)
    assert levels[:, 3].argmax() == line
    assert levels[line, 3] == pytest.approx(20 * np.log10(size), abs=0.2)


def test_clipping_is_said_and_marked_where_it_is() -> None:
    sound_of = tone(440, 0.5)
    sound_of[8000:] = np.clip(4 * sound_of[8000:], -1, 1)
    drawn = heard(sound_of)
    wave, _ = boxes(1, RATE_HZ)
    marks = np.flatnonzero((drawn.body[wave.top] == BAD).all(axis=1)) - wave.left
    assert marks.min() >= wave.width / 2 - 2
    assert marks.max() > 0.95 * wave.width
    assert "clipped: " in bad(drawn)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(RATE_HZ, np.float32), "silent: nothing but zeros"),
        (tone(440, 1e-4), "hardly anything"),
        (tone(440, 0.1) + np.float32(0.3), "its middle is at +0.30"),
        (np.full(RATE_HZ, np.nan, np.float32), "nothing was heard"),
    ],
)
def test_what_is_wrong_with_a_microphone_is_said(samples: NDArray[np.float32], words: str) -> None:
    assert words in bad(heard(samples))


def test_swapped_bytes_sound_like_noise_and_speech_and_music_do_not() -> None:
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.standard_normal(RATE_HZ))
    walk -= walk.mean()
    music = (tone(440, 0.3) + 0.2 * walk / np.abs(walk).max()).astype(np.float32)
    right = (music * 32767).astype(np.int16)
    assert bad(heard((right / 32768).astype(np.float32))) == ""
    assert "swapped" in bad(heard((right.byteswap() / 32768).astype(np.float32)))
    assert flatness(rng.standard_normal(RATE_HZ)) == pytest.approx(np.exp(-0.5772), abs=0.03)


def test_a_hole_is_pale_at_its_place() -> None:
    half = tone(440, 0.5)[:8000]
    drawn = heard(half, (NS_PER_S, half))
    wave, spectrum = boxes(1.5, RATE_HZ)
    y = spectrum.top + 150
    assert tuple(drawn.body[y, round(float(spectrum.at_x(0.75)))]) == FAINT
    assert tuple(drawn.body[y, round(float(spectrum.at_x(0.2)))]) != FAINT
    inside = drawn.body[wave.top : wave.bottom, round(float(wave.at_x(0.75)))]
    assert not (inside == WAVE).all(axis=1).any()
    assert "33.3% of the time is missing" in bad(drawn)


def readings(values: NDArray[np.float64], hz: float = 200) -> ImuBlock:
    t_ns = (np.arange(len(values)) * NS_PER_S / hz).astype(np.int64)
    return ImuBlock(5 * NS_PER_S + t_ns, values.astype(np.float32))


def resting(noise: float = 0.02, n: int = 400) -> NDArray[np.float64]:
    values = noise * np.random.default_rng(1).standard_normal((n, 6))
    values[:, 2] += GRAVITY
    return values


def test_each_axis_is_a_trace_of_its_colour_at_its_value() -> None:
    values = resting(0.001)
    values[:, 0], values[:, 5] = 3.0, 0.5
    values[200:, 5] = -0.5
    drawn = motion(readings(values))
    seconds = np.arange(400) / 200
    pushed, turned = panels(seconds, values)
    for axes, at_s, value, name in (
        (pushed, 0.5, 3.0, "x"),
        (pushed, 1.5, GRAVITY, "z"),
        (turned, 0.5, 0.5, "z"),
        (turned, 1.5, -0.5, "z"),
    ):
        column = drawn.body[axes.top : axes.bottom, round(float(axes.at_x(at_s)))].astype(int)
        far = np.abs(column - COLOURS["xyz".index(name)]).sum(axis=1)
        # A thin line is shared by two rows of pixels: the nearest in colour is where it is.
        assert axes.top + int(far.argmin()) == pytest.approx(float(axes.at_y(value)), abs=2)
    assert tuple(drawn.body[pushed.bottom - 5, pushed.left + 50]) == PAPER


@pytest.mark.parametrize(
    ("scale", "turn", "words"),
    [
        (1 / GRAVITY, 1, "is it in g?"),
        (1000 / GRAVITY, 1, "is it in mg?"),
        (0, 1, "no gravity"),
        (0.5, 1, "is its scale right?"),
        (1, 5000, "degrees read as rad?"),
    ],
)
def test_wrong_units_are_said(scale: float, turn: float, words: str) -> None:
    values = resting()
    assert bad(motion(readings(values))) == ""
    values[:, :3] *= scale
    values[:, 3:] *= turn
    assert words in bad(motion(readings(values)))


@pytest.mark.parametrize(("axis", "sign", "said"), [(2, 1, "+z"), (1, -1, "-y"), (0, 1, "+x")])
def test_the_axis_that_points_up_is_named(axis: int, sign: int, said: str) -> None:
    values = resting()
    values[:, [2, axis]] = values[:, [axis, 2]]
    values[:, axis] *= sign
    assert f"gravity is on {said}" in motion(readings(values)).notes[1].text


def test_an_axis_that_is_stuck_and_stamps_that_go_back_are_said() -> None:
    values = resting()
    values[:, 4] = 0.25
    block = readings(values)
    block.t_ns[100] -= NS_PER_S
    said = bad(motion(block))
    assert "y turning never changes from 0.25" in said
    assert "stamps go back 1 times" in said


@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.just(6)), elements=st.floats(width=32)))
def test_whatever_is_measured_is_drawn(values: NDArray[np.float32]) -> None:
    motion(readings(values.astype(np.float64)))


@settings(max_examples=30)
@given(arrays(np.float32, st.integers(1, 3000), elements=st.floats(width=32)))
def test_whatever_is_heard_is_drawn(samples: NDArray[np.float32]) -> None:
    heard(samples)
