"""The voices that never pause: kettle, fan, radio, tap, fire, engine, drone.

Every number is drawn, mostly over an octave or more, so that spectra of different voices overlap;
what tells them apart is what moves: how fast it pulses, what it is made of, how tones lie together.
Parts come with a mean square of about 1 in all.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from sources.world.curves import SCENE_S
from sources.world.shapes import burst, edges, mixed, ring, seconds
from sources.world.synthesis import (
    RATE_HZ,
    Noise,
    Part,
    Signal,
    Strikes,
    Tone,
    band,
    grains,
    grid_s,
    look_up,
    noise,
    octaves,
    turning,
    wander,
    wave,
)

Rng = np.random.Generator


def kettle(rng: Rng) -> tuple[Part, ...]:
    """Hiss of steam, slow deep bubbles that come in surges; a third of the kettles whistle."""
    blubs = [_bubble(rng, octaves(rng, 120, 600), octaves(rng, 0.02, 0.05)) for _ in range(3)]
    centre, width = octaves(rng, 900, 5000), rng.uniform(0.7, 1.6)
    flutter = _swell(rng, octaves(rng, 5, 12), rng.uniform(0.25, 0.6))
    whistle: tuple[tuple[float, Tone], ...] = ()
    if rng.uniform() < 0.35:
        pitch = octaves(rng, 900, 3000) * (1 + 0.02 * wander(rng, 0.7))
        table = wave(0.2 ** np.arange(3), rng)
        whistle = ((rng.uniform(0.4, 1.2), Tone(table, turning(pitch), flutter)),)
    return _together(
        (rng.uniform(0.5, 1.0), Noise(noise(rng, lambda hz: band(hz, centre, width)), flutter)),
        (rng.uniform(0.6, 1.3), Noise(grains(rng, octaves(rng, 4, 10), blubs), _flat())),
        *whistle,
    )


def tap(rng: Rng) -> tuple[Part, ...]:
    """A steady rush and the quick high bubbles of the water in the sink."""
    drops = [_bubble(rng, octaves(rng, 500, 2500), octaves(rng, 0.005, 0.015)) for _ in range(3)]
    centre, width = octaves(rng, 600, 4500), rng.uniform(1.0, 2.0)
    return _together(
        (rng.uniform(0.6, 1.0), Noise(noise(rng, lambda hz: band(hz, centre, width)), _flat())),
        (rng.uniform(0.4, 0.9), Noise(grains(rng, octaves(rng, 20, 55), drops), _flat())),
    )


def fan(rng: Rng) -> tuple[Part, ...]:
    """Air that swells each time a blade passes, over the hum of the motor."""
    centre, width = octaves(rng, 300, 4000), rng.uniform(1.0, 2.0)
    blades = turning(octaves(rng, 9, 28) * (1 + 0.01 * wander(rng, 0.5)))
    gain = 1 + rng.uniform(0.5, 0.9) * np.cos(2 * np.pi * blades)
    hum = wave(rng.uniform(0.1, 1, 14) / np.arange(1, 15) ** rng.uniform(0.2, 1), rng)
    mains = turning(2 * rng.choice([50.0, 60.0]) * rng.uniform(0.9, 1.1))
    return _together(
        (1.0, Noise(noise(rng, lambda hz: band(hz, centre, width)), gain)),
        (rng.uniform(0.2, 0.8), Tone(hum, mains, _flat())),
    )


def engine(rng: Rng) -> tuple[Part, ...]:
    """Firings of four unequal cylinders as a rough low pulse train, and rattling metal."""
    firing = octaves(rng, 16, 42) * (1 + 0.03 * wander(rng, 3) + 0.05 * wander(rng, 0.4))
    cycles = turning(firing / 4)
    harmonics = np.arange(1, 400)
    hz = harmonics * float(firing.mean()) / 4
    low, high = octaves(rng, 60, 250), octaves(rng, 300, 1500)
    body = 0.02 + band(hz, low, 0.8) + 0.6 * band(hz, high, 0.5)
    # Every fourth harmonic is what equal cylinders would give.
    unequal = np.where(harmonics % 4 == 0, 1.0, rng.uniform(0.1, 0.4))
    knock = np.exp(-3.0 * ((cycles * 4 + rng.uniform()) % 1.0))
    centre = octaves(rng, 800, 4000)
    return _together(
        (1.0, Tone(wave(body * unequal), cycles, 1 + 0.15 * wander(rng, 6))),
        (rng.uniform(0.2, 0.7), Noise(noise(rng, lambda hz: band(hz, centre, 0.8)), knock / 0.42)),
    )


def drone(rng: Rng) -> tuple[Part, ...]:
    """Four rotors nearly in tune, each with many harmonics, hunting to hold their place."""
    pitch = octaves(rng, 110, 330)
    slope = rng.uniform(0.2, 1.0)
    centre = octaves(rng, 1000, 5000)
    numbers = np.arange(1, int(6000 / pitch))
    hunt = wander(rng, rng.uniform(1, 3))
    rotors: list[tuple[float, Tone]] = []
    for turns in (1, 1, -1, -1):
        # To lean against a gust, one pair speeds up while the other slows down.
        own = 1 + 0.012 * wander(rng, 3) + 0.015 * turns * hunt
        cycles = turning(pitch * rng.uniform(0.95, 1.05) * own)
        harmonics = rng.uniform(0.3, 1, numbers.size) / numbers**slope
        rotors.append((1.0, Tone(wave(harmonics, rng), cycles, _flat())))
    air = Noise(noise(rng, lambda hz: band(hz, centre, 1.0)), 1 + 0.2 * wander(rng, 8))
    return _together(*rotors, (rng.uniform(0.3, 1.2), air))


def fire(rng: Rng) -> tuple[Part, ...]:
    """Sharp cracks of very different strength over a low roar that flickers."""
    cracks = [
        burst(rng, octaves(rng, 1500, 5000), 1.0, octaves(rng, 0.0005, 0.003)) for _ in range(3)
    ]
    centre = octaves(rng, 80, 600)
    roar = noise(rng, lambda hz: band(hz, centre, 1.3))
    return _together(
        (rng.uniform(0.5, 1.1), Noise(roar, _swell(rng, rng.uniform(1, 4), 0.4))),
        (rng.uniform(0.7, 1.2), Noise(grains(rng, octaves(rng, 3, 9), cracks, 1.1), _flat())),
    )


def radio(rng: Rng) -> tuple[Part, ...]:
    """Chords, a tune on the beat and a drum."""
    beat_s = 60 / octaves(rng, 80, 160)
    key = octaves(rng, 180, 400)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])
    # As many harmonics as the highest note, 28 semitones up, has below 8 kHz.
    numbers = np.arange(1, 1 + int(8000 / (key * 2 ** (28 / 12))))
    timbre = wave(rng.uniform(0.1, 1, numbers.size) / numbers ** rng.uniform(0.5, 1.5), rng)
    roots = rng.integers(0, 5, 64)
    tune = rng.integers(0, scale.size, 256)
    plays = rng.uniform(size=256) < 0.75
    drum = mixed(
        (1.0, burst(rng, octaves(rng, 1500, 4000), 1.0, 0.03), 0.0),
        (rng.uniform(0.3, 1), ring(rng, [octaves(rng, 120, 300)], [0.05], 0.5), 0.0),
    )
    chord_level, tune_level, beats = (
        rng.uniform(0.4, 0.8),
        rng.uniform(0.6, 1.0),
        rng.uniform(0.3, 0.9),
    )
    fade = rng.uniform(1.5, 4)

    def note(step: int, length_s: float) -> Signal:
        t = seconds(length_s)
        hz = key * 2.0 ** (step / 12)
        return look_up(timbre, hz * t) * edges(t, 0.008, 0.02) * np.exp(-fade * t / length_s)

    def half_beat(n: int) -> Signal:
        out = np.zeros(int(2 * beat_s * RATE_HZ))
        out[: drum.size] += drum * (beats if n % 2 == 0 else 0.3 * beats)
        if plays[n]:
            tone = tune_level * note(int(scale[tune[n]]) + 12, beat_s * 0.55)
            out[: tone.size] += tone
        if n % 4 == 0:
            for third in (0, 2, 4):
                tone = chord_level * note(int(scale[roots[n // 8] + third]) - 12, beat_s * 2)
                out[: tone.size] += tone
        return out

    late = rng.uniform(0, beat_s)
    times = np.arange(-late, SCENE_S, beat_s / 2)
    return (Strikes(tuple(times.tolist()), 2 * beat_s, lru_cache(maxsize=8)(half_beat)),)


def _bubble(rng: Rng, hz: float, decay_s: float) -> Signal:
    """A bubble sings higher as it closes."""
    return ring(rng, [hz], [decay_s], -rng.uniform(0.2, 0.5))


def _flat() -> Signal:
    return np.ones_like(grid_s())


def _swell(rng: Rng, hz: float, depth: float) -> Signal:
    return np.maximum(0.05, 1 + depth * wander(rng, hz))


def _together(*parts: tuple[float, Noise | Tone]) -> tuple[Part, ...]:
    """Parts at these strengths, as one sound of mean square 1."""
    scale = 1 / np.sqrt(sum(strength**2 for strength, _ in parts))
    return tuple(replace(part, gain=part.gain * (strength * scale)) for strength, part in parts)
