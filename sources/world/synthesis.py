"""Sound as a pure function of the sample's number in the scene, and what sounds are made of.

Noise is a loop longer than a window, so it has a value at every index at no cost. Whatever changes
slowly is a curve on a grid over the scene. Both are made once per voice; a block of any length and
place is then cut out of them, and where blocks are cut makes no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sources.world.curves import SCENE_S

Signal: TypeAlias = NDArray[np.floating[Any]]
"""float64, (n,)."""

RATE_HZ = 16_000
LENGTH = int(SCENE_S * RATE_HZ)
LOOP = 1 << 15  # 2.05 s
STEP = 64  # Samples from one grid point to the next: 250 Hz.
GRID = LENGTH // STEP + 1

_TABLE = 1 << 13


class Part(Protocol):
    """A part of a voice."""

    def play(self, first: int, count: int) -> Signal:
        """Samples first .. first + count of the scene, all of them inside it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """A `loop` (LOOP,) played at the `gain` (GRID,)."""

    loop: Signal
    gain: Signal

    def play(self, first: int, count: int) -> Signal:
        at = first % LOOP
        rounds = -(-(at + count) // LOOP)
        cut = np.tile(self.loop, rounds)[at : at + count]
        return cut * at_samples(self.gain, first, count)


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """One cycle of a wave (`table`), its phase in `cycles` (GRID,) at the `gain` (GRID,)."""

    table: Signal
    cycles: Signal
    gain: Signal

    def play(self, first: int, count: int) -> Signal:
        cycles = at_samples(self.cycles, first, count)
        return look_up(self.table, cycles) * at_samples(self.gain, first, count)


@dataclass(frozen=True, slots=True, eq=False)
class Strikes:
    """`shape(n)`, no longer than `longest_s`, begins at `times_s[n]`. They may overlap."""

    times_s: tuple[float, ...]
    longest_s: float
    shape: Callable[[int], Signal]

    def play(self, first: int, count: int) -> Signal:
        out = np.zeros(count)
        for n, t_s in enumerate(self.times_s):
            start = round(t_s * RATE_HZ) - first
            if -self.longest_s * RATE_HZ - 1 < start < count:
                shape = self.shape(n)
                begin, end = max(0, start), min(count, start + shape.size)
                if begin < end:
                    out[begin:end] += shape[begin - start : end - start]
        return out


def at_samples(curve: Signal, first: int, count: int) -> Signal:
    """A curve on the grid (GRID,) read between its points at `count` samples from `first`."""
    begin, end = first // STEP, -(-(first + count) // STEP)
    points = curve[begin : end + 1]
    between = np.arange(STEP) / STEP
    lines = points[:-1, None] + np.diff(points)[:, None] * between
    return lines.ravel()[first - begin * STEP :][:count]


def grid_s() -> Signal:
    return np.arange(GRID) * (STEP / RATE_HZ)


def wander(rng: np.random.Generator, hz: float) -> Signal:
    """A curve (GRID,) of standard deviation about 1 that turns about `hz` times a second."""
    knots = rng.standard_normal(int(SCENE_S * 2 * hz) + 3)
    smooth = (knots + np.roll(knots, 1)) * 0.9
    return np.interp(grid_s() * 2 * hz, np.arange(knots.size), smooth)


def turning(hz: Signal | float) -> Signal:
    """The phase in cycles (GRID,) of a frequency (GRID,) in hertz."""
    speed = np.broadcast_to(hz, GRID) * (STEP / RATE_HZ)
    return np.concatenate([[0.0], np.cumsum(speed[:-1])])


def octaves(rng: np.random.Generator, low: float, high: float) -> float:
    """Drawn so that every octave between `low` and `high` is as likely."""
    return float(low * (high / low) ** rng.uniform())


def band(hz: Signal, centre: float, width: float) -> Signal:
    """A bell around `centre` on the scale of octaves, `width` its standard deviation."""
    return np.exp(-0.5 * (np.log2(np.maximum(hz, 20.0) / centre) / width) ** 2)


def noise(rng: np.random.Generator, spectrum: Callable[[Signal], Signal]) -> Signal:
    """A seamless loop (LOOP,) of noise, mean square 1; `spectrum` maps hertz to amplitude."""
    flat = rng.standard_normal(LOOP, dtype=np.float32).view(np.complex64)
    # In steps of 16 Hz: the ear does not hear stairs in noise, and this is ten times as fast.
    gains = spectrum(np.arange(512) * (RATE_HZ / 1024)).astype(np.float32)
    shaped = np.zeros(LOOP // 2 + 1, np.complex64)
    shaped[1:] = flat * np.repeat(gains, LOOP // 1024)
    return _unit(np.fft.irfft(shaped, LOOP))


def grains(
    rng: np.random.Generator, per_s: float, shapes: list[Signal], spread: float = 0.7
) -> Signal:
    """A seamless loop (LOOP,) of short sounds at random times, mean square 1.

    `per_s` of each shape; `spread` is the standard deviation of the logarithm of their strength.
    """
    out = np.zeros(LOOP + max(shape.size for shape in shapes))
    for shape in shapes:
        number = max(3, int(rng.poisson(per_s * LOOP / RATE_HZ)))
        strengths = np.exp(spread * rng.standard_normal(number)) * rng.choice((-1, 1), number)
        starts = rng.integers(LOOP, size=number).tolist()
        for start, strength in zip(starts, strengths.tolist(), strict=True):
            out[start : start + shape.size] += strength * shape
    # What rings on after the end is heard at the beginning.
    out[: out.size - LOOP] += out[LOOP:]
    return _unit(out[:LOOP])


def wave(harmonics: Signal, rng: np.random.Generator | None = None) -> Signal:
    """One cycle with these amplitudes from the fundamental up, mean square 1.

    With `rng` the phases are random; without it all crests meet, which is a pulse.
    """
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    phase = np.zeros(harmonics.size) if rng is None else rng.uniform(0, 2 * np.pi, harmonics.size)
    spectrum[1 : harmonics.size + 1] = harmonics * np.exp(1j * phase)
    return _unit(np.fft.irfft(spectrum, _TABLE))


def look_up(table: Signal, cycles: Signal) -> Signal:
    """The wave at these phases. Without interpolation: the table is fine enough for the ear."""
    return table[((cycles - np.floor(cycles)) * _TABLE).astype(np.intp)]


def quick_size(least: int) -> int:
    """The next 2^a, 3 * 2^a or 5 * 2^a: quick to transform."""
    power = 1 << max(3, (least - 1).bit_length())
    return min(size for size in (power, power * 3 // 4, power * 5 // 8) if size >= least)


def _unit(sound: NDArray[np.float32] | Signal) -> Signal:
    wide = sound.astype(np.float64)
    return wide / np.sqrt(np.mean(wide * wide))
