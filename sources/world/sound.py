"""What the robot hears: voices in a room, over a background, at 16 kHz."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sources.world import calls, steady, struck
from sources.world.happenings import Happening
from sources.world.synthesis import (
    GRID,
    LENGTH,
    RATE_HZ,
    Noise,
    Part,
    Signal,
    Tone,
    noise,
    octaves,
    quick_size,
    turning,
    wander,
    wave,
)

_EQ_TAPS = 512
# Voices and backgrounds of the scenes that are playing, about 2 MB each.
_KEPT = 16


@dataclass(frozen=True, slots=True)
class Voice:
    """One thing that sounds. `seed` decides what it sounds like.

    `level` is its root mean square, full scale 1, before the room colours it: of a voice that never
    pauses over all of it, of an event over its loudest 50 ms.
    `events`: what `happenings` tells of a thing; of a motion, the times of its jolts.
    """

    concept: str
    seed: int
    level: float
    events: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class Ambience:
    """The background; `level` is its root mean square, full scale 1."""

    seed: int
    level: float


def soundtrack(
    voices: Sequence[Voice], ambience: Ambience, start_s: float, count: int
) -> NDArray[np.float32]:
    """Samples (count,) from `start_s` of the scene on, 16 kHz, in -1..1.

    Sample i of the scene, at i / 16000 s, is the same however the time is cut into blocks.
    `start_s` is rounded to a sample. Before the scene and after it there is silence.
    """
    start = round(start_s * RATE_HZ)
    first, last = max(0, start), min(LENGTH, start + count)
    out = np.zeros(count)
    if first < last:
        heard = _background(ambience, first, last - first)
        for voice in voices:
            heard += _voice(voice, first, last - first)
        out[first - start : last - start] = heard
    # As a microphone does; levels are drawn so that it is rare.
    return np.clip(out, -1, 1).astype(np.float32)


def draw(
    sounding: Mapping[str, Sequence[Happening]], seed: int
) -> tuple[tuple[Voice, ...], Ambience]:
    """Levels for what sounds in a scene: concepts and their events. The background is 0 to 20 dB
    below the softest voice."""
    rng = np.random.default_rng([seed, zlib.crc32(b"levels")])
    loudest_db = rng.uniform(-36, -17)
    levels_db = [loudest_db - rng.uniform(0, 5) * (n > 0) for n in range(len(sounding))]
    rng.shuffle(levels_db)
    voices = tuple(
        Voice(concept, seed, float(10 ** (level / 20)), tuple(events))
        for (concept, events), level in zip(sounding.items(), levels_db, strict=True)
    )
    quiet_db = min(levels_db, default=loudest_db) - rng.uniform(0, 20)
    return voices, Ambience(seed, float(10 ** (quiet_db / 20)))


def _voice(voice: Voice, first: int, count: int) -> Signal:
    parts, room = _prepared(voice)
    before = min(first, room.size - 1)
    dry = np.zeros(before + count)
    for part in parts:
        dry += part.play(first - before, before + count)
    return voice.level * _filtered(dry, room)[before:]


@lru_cache(maxsize=_KEPT)
def _prepared(voice: Voice) -> tuple[tuple[Part, ...], Signal]:
    rng = np.random.default_rng([voice.seed, zlib.crc32(voice.concept.encode())])
    if voice.concept in _STEADY:
        parts = _STEADY[voice.concept](rng)
    else:
        parts = _STRUCK[voice.concept](rng, voice.events)
    return parts, _room(rng)


def _room(rng: np.random.Generator) -> Signal:
    """The impulse response from the voice to the microphone; it begins at once, energy 1.

    A smooth equaliser within +-8 dB, of minimum phase so that nothing is heard before it happens,
    and in most rooms a tail of echoes.
    """
    hz = np.fft.rfftfreq(_EQ_TAPS, 1 / RATE_HZ)
    knots_db = rng.uniform(-8, 8, 7)
    log_gain = np.interp(
        np.log2(np.maximum(hz, 60)), np.linspace(np.log2(60), np.log2(8000), 7), knots_db
    ) * (np.log(10) / 20)
    cepstrum = np.fft.irfft(log_gain, _EQ_TAPS)
    cepstrum[1 : _EQ_TAPS // 2] *= 2
    cepstrum[_EQ_TAPS // 2 + 1 :] = 0
    equaliser = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), _EQ_TAPS)
    decay = octaves(rng, 0.01, 0.05) * RATE_HZ
    size = int(4 * decay)
    echoes = np.exp(-np.arange(size) / decay) * rng.standard_normal(size)
    echoes[: int(rng.uniform(0.002, 0.01) * RATE_HZ)] = 0
    echoes *= rng.uniform(0, 0.7) / np.sqrt(max(1e-9, float(echoes @ echoes)))
    echoes[0] = 1
    response = _filtered(np.pad(echoes, (0, _EQ_TAPS // 2)), equaliser[: _EQ_TAPS // 2])
    return response / np.sqrt(np.sum(response * response))


def _background(ambience: Ambience, first: int, count: int) -> Signal:
    out = np.zeros(count)
    for part in _surroundings(ambience.seed):
        out += part.play(first, count)
    return ambience.level * out


@lru_cache(maxsize=_KEPT)
def _surroundings(seed: int) -> tuple[Part, ...]:
    """Air, far chatter, the mains and the robot's own motors, in any mixture; mean square 1."""
    rng = np.random.default_rng([seed, zlib.crc32(b"ambience")])
    slope = rng.uniform(0.0, 1.1)
    knots = rng.uniform(-6, 6, 7)

    def air(hz: Signal) -> Signal:
        colour = np.interp(np.log2(np.maximum(hz, 60)), np.linspace(5.9, 13, 7), knots)
        return np.maximum(hz, 40) ** -slope * 10 ** (colour / 20)

    strengths = np.array([1.0, *(rng.uniform(0, 0.8, 3) * (rng.uniform(size=3) < 0.5))])
    strengths /= np.sqrt(strengths @ strengths)
    flat = np.ones(GRID)
    parts: list[Part] = [Noise(noise(rng, air), flat * strengths[0])]
    if strengths[1]:
        low, high = octaves(rng, 200, 500), octaves(rng, 800, 3000)
        chatter = noise(rng, lambda hz: ((hz > low) & (hz < high)) / np.maximum(hz, 1) ** 0.5)
        babble = np.maximum(0.1, 1 + 0.5 * wander(rng, rng.uniform(2, 5)))
        parts.append(Noise(chatter, babble * (strengths[1] / np.sqrt(np.mean(babble**2)))))
    if strengths[2]:
        mains = wave(rng.uniform(0, 1, 8) / np.arange(1, 9), rng)
        parts.append(Tone(mains, turning(rng.choice([50.0, 60.0])), flat * strengths[2]))
    if strengths[3]:
        motors = wave(rng.uniform(0.1, 1, 20) / np.arange(1, 21) ** rng.uniform(0.5, 1.2), rng)
        speed = octaves(rng, 70, 300) * (1 + 0.03 * wander(rng, 0.5))
        parts.append(Tone(motors, turning(speed), flat * strengths[3]))
    return tuple(parts)


def _filtered(sound: Signal, response: Signal) -> Signal:
    size = quick_size(sound.size + response.size - 1)
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: sound.size]


_STEADY: Mapping[str, Callable[[np.random.Generator], tuple[Part, ...]]] = MappingProxyType(
    {
        "a kettle boiling": steady.kettle,
        "a fan spinning": steady.fan,
        "a radio playing music": steady.radio,
        "water running from a tap": steady.tap,
        "a fire burning": steady.fire,
        "a car with its engine running": steady.engine,
        "a drone hovering": steady.drone,
    }
)
_STRUCK: Mapping[str, Callable[[np.random.Generator, tuple[Happening, ...]], tuple[Part, ...]]] = (
    MappingProxyType(
        {
            "an alarm ringing": struck.alarm,
            "a ball bouncing": struck.ball,
            "a dog barking": calls.dog,
            "a cat meowing": calls.cat,
            "a person talking": calls.person,
            "a clock ticking": struck.clock,
            "the robot climbing stairs": struck.stairs,
            "the robot driving over rough ground": struck.rough,
            "the robot bumping into a wall": struck.bump,
        }
    )
)
