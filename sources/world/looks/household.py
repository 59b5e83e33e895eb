"""Looks of things of the house: kettle, alarm, fan, clock, radio, tap, fire, lamp, ice."""

from math import cos, floor, pi, sin

from sources.world.geometry import Paint
from sources.world.looks.parts import (
    FACING,
    Part,
    any_colour,
    darker,
    dice,
    grey,
    mix,
    typical,
)

# Families of colours: hue, saturation and value, lowest and highest.
STEEL = (0.55, 0.0, 0.65), (0.65, 0.15, 0.95)
PALE = (0.1, 0.0, 0.8), (0.6, 0.12, 1.0)
SKY = (0.5, 0.5, 0.7), (0.58, 0.9, 1.0)
TEAL = (0.42, 0.5, 0.35), (0.5, 0.9, 0.75)
RED = (-0.04, 0.75, 0.5), (0.03, 1.0, 1.0)


def kettle(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    colour = typical(u[30], u[0], u[1], u[2], STEEL)
    hot = mix(u[3], 65, 97)
    metal = Paint(colour, hot, grey(0.9), "plain")
    handle = Paint(grey(mix(u[4], 0.05, 0.3)), mix(u[5], room_c, 40))
    fat = mix(u[6], 0.26, 0.34)
    steam: list[Part] = []
    for k in range(4):
        rise = (t_s * mix(u[7], 0.6, 1.2) + k / 4) % 1
        puff = Paint(grey(0.95), 48, alpha=0.45 * (1 - rise), glow=0.8)
        wide = 0.06 + 0.12 * rise
        steam.append(
            Part(
                "ball",
                (0, 0.52 + 0.1 * sin(6 * rise + k), 0.62 + 0.5 * rise),
                (wide, wide, wide),
                puff,
            )
        )
    return [
        Part("tube", (0, 0, 0.26), (fat, fat, 0.26), metal),
        Part("ball", (0, 0, 0.52), (fat, fat, 0.14), metal),
        Part("ball", (0, 0, 0.68), (0.05, 0.05, 0.05), handle),
        Part("tube", (0, 0.4, 0.42), (0.045, 0.045, 0.17), metal, (0, 0, -0.75)),
        *(Part("tube", (0, y, 0.72), (0.025, 0.025, 0.16), handle) for y in (-0.22, 0.22)),
        Part("box", (0, 0, 0.88), (0.03, 0.25, 0.025), handle),
        *steam,
    ]


def alarm(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del t_s
    u = dice(seed)
    red = typical(u[30], u[0], u[1], u[2], RED)
    plate = Paint(typical(u[31], u[3], u[4], u[5], PALE), room_c)
    lamp = Paint((1, 0.75, 0.2), room_c + 0.5, glow=1.3) if active else Paint(darker(red), room_c)
    return [
        Part("box", (0.01, 0, 0.42), (0.01, 0.34, 0.36), plate),
        Part("tube", (0.025, 0, 0.36), (0.26, 0.26, 0.012), Paint(red, room_c), FACING),
        Part(
            "tube", (0.035, 0, 0.36), (0.16, 0.16, 0.012), Paint(darker(red, 0.7), room_c), FACING
        ),
        Part("tube", (0.045, 0, 0.36), (0.05, 0.05, 0.012), Paint(grey(0.85), room_c), FACING),
        Part("box", (0.03, 0, 0.86), (0.02, 0.13, 0.09), lamp),
    ]


def fan(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    body = Paint(any_colour(u[0], u[1], u[2]), room_c)
    blade = Paint(typical(u[30], u[3], u[4], u[5], SKY), room_c)
    guard = Paint(grey(mix(u[6], 0.05, 0.3)), room_c)
    count = 3 + int(3 * u[7])
    angle = 2 * pi * mix(u[8], 0.7, 2.6) * t_s
    parts = [
        Part("tube", (0, 0, 0.03), (0.2, 0.2, 0.03), body),
        Part("tube", (-0.04, 0, 0.28), (0.03, 0.03, 0.26), body),
        Part("ball", (-0.06, 0, 0.64), (0.12, 0.08, 0.08), body),
        Part("tube", (-0.02, 0, 0.64), (0.4, 0.4, 0.01), guard, FACING),
        Part("ball", (0.06, 0, 0.64), (0.05, 0.07, 0.07), body),
    ]
    for i in range(count):
        a = angle + 2 * pi * i / count
        centre = (0.05, 0.2 * sin(a), 0.64 + 0.2 * cos(a))
        parts.append(Part("ball", centre, (0.015, 0.09, 0.18), blade, (0.3, 0, -a)))
    return parts


def clock(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    rim = Paint(any_colour(u[0], u[1], u[2]), room_c)
    face = Paint(typical(u[30], u[3], u[4], u[5], PALE), room_c)
    ink = Paint(grey(mix(u[6], 0.0, 0.25)), room_c)
    parts = [
        Part("tube", (0.01, 0, 0.45), (0.45, 0.45, 0.01), rim, FACING),
        Part("tube", (0.02, 0, 0.45), (0.38, 0.38, 0.01), face, FACING),
    ]
    for i in range(12 if u[7] > 0.4 else 4):
        a = 2 * pi * i / (12 if u[7] > 0.4 else 4)
        centre = (0.032, 0.32 * sin(a), 0.45 + 0.32 * cos(a))
        parts.append(Part("box", centre, (0.004, 0.012, 0.03), ink, (0, 0, -a)))
    hours = 2 * pi * u[8]
    seconds = 2 * pi * (floor(t_s) / 60 + u[9])
    for a, length, wide in (
        (hours, 0.11, 0.022),
        (hours * 12, 0.15, 0.016),
        (seconds, 0.16, 0.007),
    ):
        centre = (0.036, length * sin(a), 0.45 + length * cos(a))
        parts.append(Part("box", centre, (0.004, wide, length), ink, (0, 0, -a)))
    return parts


def radio(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del t_s, active
    u = dice(seed)
    case = Paint(typical(u[30], u[0], u[1], u[2], TEAL), room_c + 1)
    dark = Paint(grey(mix(u[4], 0.05, 0.3)), room_c + 1, grey(0.4), "checks", 6.5)
    metal = Paint(grey(0.8), room_c)
    pair = (-0.26, 0.26) if u[5] > 0.4 else (-0.24,)
    return [
        Part("box", (0, 0, 0.27), (0.14, 0.46, 0.27), case),
        *(Part("tube", (0.14, y, 0.24), (0.16, 0.16, 0.015), dark, FACING) for y in pair),
        Part(
            "box", (0.145, 0, 0.46), (0.01, 0.3, 0.045), Paint((0.9, 0.85, 0.6), room_c, glow=0.7)
        ),
        Part("tube", (0.16, 0.36 if len(pair) == 1 else 0, 0.3), (0.05, 0.05, 0.03), metal, FACING),
        Part(
            "tube", (-0.05, 0.38, 0.78), (0.012, 0.012, 0.28), metal, (0, 0, mix(u[6], -0.5, 0.5))
        ),
        Part("box", (0, 0, 0.62), (0.03, 0.28, 0.025), Paint(grey(0.15), room_c)),
    ]


def tap(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    cold = mix(u[0], 5, min(11, room_c - 4))
    metal = Paint(grey(mix(u[1], 0.5, 0.9)), (2 * cold + room_c) / 3)
    basin = Paint(typical(u[30], u[2], u[3], u[4], PALE), (cold + room_c) / 2)
    wood = any_colour(mix(u[5], 0.05, 0.12), u[6], u[7])
    cupboard = Paint(wood, room_c, darker(wood, 0.7), "bars", 2.5)
    water = Paint((0.75, 0.85, 0.95), cold, (0.5, 0.65, 0.85), "stripes", 5, 0.6, 0.85)
    wobble = 0.01 * sin(17 * t_s)
    return [
        Part("box", (0, 0, 0.2), (0.3, 0.42, 0.2), cupboard),
        Part("box", (0, 0, 0.45), (0.34, 0.46, 0.05), basin),
        Part("box", (0.02, 0, 0.5), (0.24, 0.34, 0.012), Paint((0.45, 0.55, 0.65), cold)),
        Part("tube", (-0.28, 0, 0.72), (0.04, 0.04, 0.24), metal),
        Part("tube", (-0.1, 0, 0.95), (0.04, 0.04, 0.2), metal, FACING),
        Part("tube", (0.09, 0, 0.9), (0.04, 0.04, 0.07), metal),
        Part("box", (-0.28, 0, 1.0), (0.03, 0.13, 0.025), metal),
        Part("tube", (0.09, wobble, 0.67), (0.025, 0.025, 0.17), water),
        Part("tube", (0.09, 0, 0.515), (0.12, 0.12, 0.006), water),
    ]


def fire(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    bark = Paint((0.3, 0.2, 0.12), mix(u[0], 60, 120), (0.12, 0.08, 0.05), "stripes", 5.5)
    stone = Paint(grey(mix(u[1], 0.25, 0.6)), mix(u[2], room_c + 4, room_c + 14))
    logs = [
        Part(
            "tube",
            (0, 0, 0.1 + 0.03 * i),
            (0.06, 0.06, 0.4),
            bark,
            (pi * (i / 3 + u[3]), pi / 2, 0),
        )
        for i in range(3)
    ]
    ring = [
        Part("ball", (0.42 * cos(a), 0.42 * sin(a), 0.06), (0.09, 0.09, 0.07), stone)
        for a in (2 * pi * (i / 7 + u[4]) for i in range(7))
    ]
    flames: list[Part] = []
    for k in range(6):
        beat = sin(2 * pi * (mix(u[6 + k], 1.5, 4) * t_s + u[12 + k]))
        tall = mix(u[18 + k], 0.16, 0.34) * (1 + 0.3 * beat)
        away = 0.16 * (k > 0)
        a = 2 * pi * (k / 5 + u[5])
        shade = (1.0, mix(u[24 + k], 0.35, 0.85), mix(u[30 + k], 0.02, 0.3))
        centre = (away * cos(a) + 0.03 * beat, away * sin(a) + 0.04 * beat, 0.16 + tall)
        flames.append(
            Part("ball", centre, (0.09, 0.1, tall), Paint(shade, 320, glow=1.2, alpha=0.75))
        )
    return [*logs, *ring, *flames]


def lamp(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del t_s, active
    u = dice(seed)
    stand = Paint(any_colour(u[0], u[1], u[2]), room_c)
    warm = any_colour(mix(u[3], 0.08, 0.17), 0.5 * u[4], 1.0)
    shade = Paint(warm, mix(u[5], 38, 60), darker(warm, 0.9), "plain", glow=1.25)
    wide, tall = mix(u[6], 0.16, 0.26), mix(u[7], 0.1, 0.17)
    round_ = u[8] > 0.6
    return [
        Part("tube", (0, 0, 0.025), (0.16, 0.16, 0.025), stand),
        Part("tube", (0, 0, 0.36), (0.022, 0.022, 0.34), stand),
        Part("ball" if round_ else "tube", (0, 0, 0.82), (wide, wide, tall), shade),
        Part("ball", (0, 0, 0.7), (0.06, 0.06, 0.07), Paint((1, 0.97, 0.85), 120, glow=1.5)),
    ]


def ice(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del t_s, active
    u = dice(seed)
    cold = mix(u[0], -9, 0)
    pale = (mix(u[1], 0.6, 0.8), mix(u[2], 0.78, 0.92), mix(u[3], 0.88, 1.0))
    block = Paint(pale, cold, (0.95, 0.98, 1.0), "grain", mix(u[4], 2, 5))
    tall = mix(u[5], 0.24, 0.4)
    pool = Paint((0.5, 0.6, 0.7), mix(u[6], 2, min(10, room_c - 3)))
    second = Part(
        "box", (0.02, mix(u[7], -0.1, 0.1), 2 * tall + 0.13), (0.2, 0.22, 0.13), block, (u[8], 0, 0)
    )
    return [
        Part("tube", (0, 0, 0.006), (0.48, 0.48, 0.006), pool),
        Part("box", (0, 0, tall), (0.32, 0.36, tall), block, (0.3 * u[9], 0, 0)),
        *([second] if u[10] > 0.5 else []),
    ]
