"""Short sounds, from which strikes are made: what rings, what bursts, what is sung."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from sources.world.happenings import Happening
from sources.world.synthesis import RATE_HZ, Signal, Strikes, band, quick_size

_LOUD = RATE_HZ // 20


def ring(
    rng: np.random.Generator, hz: list[float], decay_s: list[float], bend: float = 0.0
) -> Signal:
    """Modes struck together, each dying by e in its `decay_s`, random in strength and phase.

    `bend`: by how much more (0.5: half) the pitch begins, falling within the first decay.
    """
    t = np.arange(int(6 * max(decay_s) * RATE_HZ)) / RATE_HZ
    out = np.zeros(t.size)
    for f, decay in zip(hz, decay_s, strict=True):
        fading = rng.uniform(0.4, 1.0) * np.exp(-t / decay)
        cycles = f * t + bend * f * decay * (1 - np.exp(-t / decay)) + rng.uniform()
        out += fading * np.sin(2 * np.pi * cycles)
    return out * np.minimum(1.0, t / 0.0005)


def burst(rng: np.random.Generator, centre: float, width: float, decay_s: float) -> Signal:
    """Noise of a band that begins at once and dies by e in `decay_s`."""
    size = int(6 * decay_s * RATE_HZ)
    whole = quick_size(size)
    spectrum = np.fft.rfft(rng.standard_normal(whole))
    spectrum *= band(np.fft.rfftfreq(whole, 1 / RATE_HZ), centre, width)
    sound = np.fft.irfft(spectrum, whole)[:size]
    return sound * np.exp(-np.arange(size) / (decay_s * RATE_HZ))


def mixed(*sounds: tuple[float, Signal, float]) -> Signal:
    """Short sounds laid over each other, each (loudness, sound, begin in seconds); loudness 1."""
    starts = [round(after * RATE_HZ) for _, _, after in sounds]
    out = np.zeros(max(at + sound.size for at, (_, sound, _) in zip(starts, sounds, strict=True)))
    for at, (strength, sound, _) in zip(starts, sounds, strict=True):
        out[at : at + sound.size] += strength * sound / max(1e-9, loudness(sound))
    return out / max(1e-9, loudness(out))


def loudness(sound: Signal) -> float:
    """The root mean square of its loudest 50 ms."""
    energy = np.concatenate([[0.0], np.cumsum(sound * sound)])
    loudest = (energy[_LOUD:] - energy[:-_LOUD]).max() if sound.size >= _LOUD else energy[-1]
    return float(np.sqrt(loudest / _LOUD))


def each(
    events: tuple[Happening, ...], longest_s: float, shape: Callable[[int], Signal]
) -> Strikes:
    """`shape(n)`, no longer than `longest_s`, at event n, all equally loud.

    The latest shapes are kept: a live block is shorter than most of them.
    """

    @lru_cache(maxsize=8)
    def heard(n: int) -> Signal:
        sound = shape(n)
        return sound / max(1e-9, loudness(sound))

    return Strikes(tuple(event.t_s for event in events), longest_s, heard)


def longest_s(events: tuple[Happening, ...]) -> float:
    return max((event.length_s for event in events), default=0.0)


def seconds(length_s: float) -> Signal:
    """The times of the samples of a sound: 0, 1 / 16000 ..."""
    return np.arange(max(2, int(length_s * RATE_HZ))) / RATE_HZ


def sung(hz: Signal) -> Signal:
    """The phase in cycles of a frequency given per sample."""
    return np.cumsum(hz) / RATE_HZ


def edges(t: Signal, rise_s: float, fall_s: float) -> Signal:
    """A gain of 1 that begins and ends at 0."""
    return np.minimum(1, np.minimum(t / rise_s, (t[-1] - t) / fall_s))
