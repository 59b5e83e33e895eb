"""The voices of hard things: alarm, ball, clock, and the robot's own stairs, stones and bumps."""

from itertools import pairwise

import numpy as np

from sources.world.curves import SCENE_S
from sources.world.happenings import Happening
from sources.world.shapes import burst, each, edges, longest_s, mixed, ring, seconds, sung
from sources.world.synthesis import (
    Noise,
    Part,
    Signal,
    Tone,
    grains,
    grid_s,
    look_up,
    octaves,
    turning,
    wander,
    wave,
)

Rng = np.random.Generator
Events = tuple[Happening, ...]


def alarm(rng: Rng, events: Events) -> tuple[Part, ...]:
    """Beeps of one pitch, of two in turn, or trilled like a bell."""
    pitch = octaves(rng, 600, 2600)
    odd = np.arange(1, 1 + int(7500 / pitch)) % 2
    table = wave((0.15 + 0.85 * odd) / np.arange(1, odd.size + 1) ** rng.uniform(0.5, 2), rng)
    second = rng.choice([1.0, rng.uniform(0.7, 0.9)])
    trill_hz, depth = rng.uniform(12, 25), rng.choice([0.0, 0.0, 0.06])

    def beep(n: int) -> Signal:
        t = seconds(events[n].length_s)
        trill = 1 + depth * np.sign(np.sin(2 * np.pi * trill_hz * t))
        hz = pitch * (second if n % 2 else 1.0) * trill
        return look_up(table, sung(hz)) * edges(t, 0.004, 0.01)

    return (each(events, longest_s(events), beep),)


def ball(rng: Rng, events: Events) -> tuple[Part, ...]:
    """A thump whose pitch drops, and the air inside that rings."""
    thump = ring(rng, [octaves(rng, 70, 260)], [octaves(rng, 0.02, 0.06)], rng.uniform(0.3, 1.0))
    hollow = octaves(rng, 350, 1500)
    air = ring(rng, [hollow, hollow * rng.uniform(1.5, 2.2)], [octaves(rng, 0.03, 0.1)] * 2)
    slap = burst(rng, octaves(rng, 800, 4000), 1.0, 0.004)
    hollow_level, slap_level = rng.uniform(0.4, 1.1), rng.uniform(0.2, 0.7)
    touch = mixed((1.0, thump, 0.0), (hollow_level, air, 0.0), (slap_level, slap, 0.0))
    return (each(events, 1.0, lambda _: touch),)


def clock(rng: Rng, events: Events) -> tuple[Part, ...]:
    """Tick and tock: two short clicks of a small hard body, in turn."""
    body = octaves(rng, 900, 4500)

    def click() -> Signal:
        hz = [body * rng.uniform(0.6, 1.6) for _ in range(3)]
        metal = ring(rng, hz, [octaves(rng, 0.002, 0.012) for _ in hz])
        return mixed((1.0, metal, 0.0), (rng.uniform(0, 0.6), metal, rng.uniform(0.01, 0.04)))

    pair = click(), click()
    return (each(events, 0.2, lambda n: pair[n % 2]),)


def stairs(rng: Rng, events: Events) -> tuple[Part, ...]:
    """A foot comes down with a clunk; then the servos whirr up and down to lift the next."""
    frame = octaves(rng, 140, 500)
    low, climb = octaves(rng, 250, 900), rng.uniform(1.4, 2.2)
    length_s = rng.uniform(0.25, 0.5)
    numbers = np.arange(1, 1 + min(8, int(7900 / (low * climb))))
    table = wave(rng.uniform(0.2, 1, numbers.size) / numbers**0.7, rng)
    whirr_level = rng.uniform(0.35, 0.8)
    seeds = rng.integers(2**32, size=len(events))

    def step(n: int) -> Signal:
        own = np.random.default_rng(seeds[n])
        modes = [frame * f * own.uniform(0.95, 1.05) for f in (1, 1.7, 2.9, 5.1)]
        clunk = ring(own, modes, [octaves(own, 0.015, 0.05) for _ in modes])
        t = seconds(length_s * own.uniform(0.85, 1.15))
        u = t / t[-1]
        hz = low * (1 + (climb - 1) * np.sin(np.pi * u) ** 0.7)
        whirr = look_up(table, sung(hz)) * edges(t, 0.04, 0.06)
        return mixed((1.0, clunk, 0.0), (whirr_level, whirr, 0.08))

    return (each(events, 0.7, step),)


def rough(rng: Rng, events: Events) -> tuple[Part, ...]:
    """Gravel under the wheels in uneven surges, crunching and rattling at every stone."""
    stones = [
        burst(rng, octaves(rng, 600, 4000), 0.8, octaves(rng, 0.003, 0.012)) for _ in range(3)
    ]
    bed = np.maximum(0.0, 0.5 + 0.5 * wander(rng, rng.uniform(3, 6)))
    plate = octaves(rng, 900, 4000)
    seeds = rng.integers(2**32, size=len(events))

    def jolt(n: int) -> Signal:
        own = np.random.default_rng(seeds[n])
        thud = ring(own, [octaves(own, 70, 200)], [0.04], 0.3)
        crunch = [(own.uniform(0.2, 0.8), stones[k % 3], own.uniform(0, 0.12)) for k in range(8)]
        rattle = ring(own, [plate, plate * 1.37], [0.012] * 2)
        rattles = [(0.4 * 0.8**k, rattle, 0.02 + 0.03 * k) for k in range(4)]
        return mixed((own.uniform(0.3, 0.9), thud, 0.0), (0.8, stones[0], 0.0), *crunch, *rattles)

    gravel = Noise(grains(rng, octaves(rng, 25, 80), stones), bed * rng.uniform(0.3, 0.6))
    return (gravel, each(events, 0.6, jolt))


def bump(rng: Rng, events: Events) -> tuple[Part, ...]:
    """A heavy thud and the motor straining against the wall; until the next, the motor's whine
    as the robot backs off and comes back."""
    deep = octaves(rng, 55, 190)
    pitch, growl_hz = octaves(rng, 100, 350), rng.uniform(18, 40)
    table = wave(rng.uniform(0.2, 1, 14) / np.arange(1, 15) ** 0.6, rng)
    strain_s = rng.uniform(0.25, 0.6)
    whine, strain = rng.uniform(0.2, 0.5), rng.uniform(0.4, 0.8)
    seeds = rng.integers(2**32, size=len(events))

    def blow(n: int) -> Signal:
        own = np.random.default_rng(seeds[n])
        thud = ring(own, [deep, 1.6 * deep, 3.4 * deep], [octaves(own, 0.03, 0.09)] * 3, 0.4)
        scrape = burst(own, octaves(own, 500, 2500), 1.0, 0.03)
        t = seconds(strain_s)
        stalled = look_up(table, sung(pitch * (0.75 - 0.35 * t / strain_s)))
        growl = stalled * (1 + 0.9 * np.sin(2 * np.pi * growl_hz * t)) * edges(t, 0.03, 0.08)
        return mixed((1.0, thud, 0.0), (own.uniform(0.2, 0.6), scrape, 0.0), (strain, growl, 0.05))

    speed = _there_and_back([event.t_s for event in events], strain_s)
    motor = Tone(table, turning(pitch * (0.5 + speed)), whine * speed)
    return (motor, each(events, strain_s + 0.6, blow))


def _there_and_back(blows_s: list[float], strain_s: float) -> Signal:
    """How fast the wheels turn, 0..1 on the grid: between two blows once back and once ahead."""
    speed = np.zeros(grid_s().size)
    for begin, end in pairwise([*blows_s, SCENE_S + 1.0]):
        driving = (grid_s() - begin - strain_s) / max(0.1, end - begin - strain_s)
        inside = (driving > 0) & (driving < 1)
        speed[inside] = np.abs(np.sin(2 * np.pi * driving[inside]))
    return speed
