"""The voices with a throat: dog, cat, person."""

import numpy as np

from sources.world.happenings import Happening
from sources.world.shapes import burst, each, longest_s, seconds, sung
from sources.world.synthesis import Part, Signal, band, look_up, octaves, wave

Rng = np.random.Generator
Events = tuple[Happening, ...]


def dog(rng: Rng, events: Events) -> tuple[Part, ...]:
    """Rough bursts: a quick rise, then the pitch falls, through an open throat."""
    pitch = octaves(rng, 220, 800)
    throat, bright = octaves(rng, 500, 1300), octaves(rng, 1500, 3200)
    drop, rough = rng.uniform(0.5, 0.75), rng.uniform(0.3, 0.8)
    voice = _vowel(rng, pitch, ((throat, 0.5), (bright, 0.4)))
    seeds = rng.integers(2**32, size=len(events))

    def bark(n: int) -> Signal:
        own = np.random.default_rng(seeds[n])
        t = seconds(events[n].length_s)
        u = t / t[-1]
        fall = (1 - (1 - drop) * u**1.5) * np.minimum(1, 0.8 + u * 2)
        hz = pitch * own.uniform(0.93, 1.07) * fall
        voiced = look_up(voice, sung(hz))
        breath = burst(own, throat * 1.5, 0.8, t[-1] / 3)[: t.size]
        breath = np.pad(breath, (0, t.size - breath.size))
        sound = voiced + rough * breath / max(1e-9, float(np.std(breath)))
        return sound * np.minimum(1, t / 0.01) * np.exp(-2.5 * u) * np.minimum(1, (1 - u) / 0.15)

    return (each(events, longest_s(events), bark),)


def cat(rng: Rng, events: Events) -> tuple[Part, ...]:
    """One long tone that rises and falls while the mouth opens and closes."""
    pitch = octaves(rng, 350, 900)
    closed, opened = octaves(rng, 600, 1100), octaves(rng, 1400, 2800)
    rise, fall = rng.uniform(1.15, 1.5), rng.uniform(0.6, 0.85)
    peak = rng.uniform(0.25, 0.5)
    tables = [_vowel(rng, pitch, ((f, 0.6), (3.5 * pitch, 0.5))) for f in (closed, opened)]
    seeds = rng.integers(2**32, size=len(events))

    def meow(n: int) -> Signal:
        own = np.random.default_rng(seeds[n])
        t = seconds(events[n].length_s)
        u = t / t[-1]
        hz = np.interp(u, [0, peak, 1], [1, rise, fall]) * pitch * own.uniform(0.92, 1.08)
        hz *= 1 + 0.015 * np.sin(2 * np.pi * own.uniform(5, 8) * t)
        cycles = sung(hz)
        mouth = np.sin(np.pi * u) ** 0.8
        sound = (1 - mouth) * look_up(tables[0], cycles) + mouth * look_up(tables[1], cycles)
        return sound * np.minimum(1, u / 0.1) * np.minimum(1, (1 - u) / 0.3)

    return (each(events, longest_s(events), meow),)


# The first two resonances of i, e, a, o, u and of the sound between them.
_VOWELS_HZ = ((300, 2300), (430, 1900), (730, 1150), (570, 850), (330, 900), (500, 1500))


def person(rng: Rng, events: Events) -> tuple[Part, ...]:
    """Syllables: a breath of consonant, then the voice gliding from vowel to vowel."""
    pitch = octaves(rng, 85, 280)
    throat = rng.uniform(0.85, 1.2)
    tilt = rng.uniform(0.6, 1.3)
    third = (2700 * throat, 0.15)
    vowels = [
        _vowel(rng, pitch, ((low * throat, 0.25), (high * throat, 0.15), third), tilt)
        for low, high in _VOWELS_HZ
    ]
    seeds = rng.integers(2**32, size=len(events))

    def syllable(n: int) -> Signal:
        own = np.random.default_rng(seeds[n])
        t = seconds(events[n].length_s)
        u = t / t[-1]
        begin, end = pitch * own.uniform(0.85, 1.25, 2)
        cycles = sung(begin + (end - begin) * u)
        first, second = own.choice(len(vowels), 2)
        sound = (1 - u) * look_up(vowels[first], cycles) + u * look_up(vowels[second], cycles)
        sound *= np.minimum(1, u / 0.15) * np.minimum(1, (1 - u) / 0.3)
        if own.uniform() < 0.6:
            hiss = burst(own, own.uniform(2500, 5500), 0.5, own.uniform(0.01, 0.025))
            hiss *= own.uniform(0.2, 0.6) / max(1e-9, float(np.std(hiss)))
            size = min(hiss.size, sound.size)
            sound[:size] += hiss[:size]
        return sound

    return (each(events, longest_s(events), syllable),)


def _vowel(
    rng: Rng, pitch: float, bells: tuple[tuple[float, float], ...], tilt: float = 0.7
) -> Signal:
    """One cycle of a voice at `pitch` through resonances at (hertz, octaves wide)."""
    # The highest stays below 8 kHz when the voice rises by six tenths.
    numbers = np.arange(1, int(4900 / pitch) + 1)
    hz = numbers * pitch
    throat = 0.03 + sum((band(hz, centre, width) for centre, width in bells), np.zeros(hz.size))
    return wave(throat / numbers**tilt * rng.uniform(0.7, 1.0, hz.size), rng)
