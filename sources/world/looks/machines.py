"""Looks of things that move about: ball, car, drone."""

from math import cos, pi, sin

from sources.world.geometry import Paint
from sources.world.looks.parts import SIDEWAYS, Part, any_colour, darker, dice, grey, mix, typical

PAINTED = (0.6, 0.6, 0.4), (0.7, 1.0, 0.9)
DARK = (0.0, 0.0, 0.05), (1.0, 0.3, 0.35)


def ball(seed: int, height: float, t_s: float, room_c: float) -> list[Part]:
    """`height` of its lowest point above the floor, in diameters of the ball."""
    u = dice(seed)
    first = any_colour(u[0], mix(u[1], 0.6, 1), mix(u[2], 0.4, 1))
    second = any_colour(u[0] + mix(u[3], 0.3, 0.7), mix(u[4], 0, 1), mix(u[5], 0.5, 1))
    turn = (2 * pi * u[6], 0.6 * t_s + u[7], pi * u[8])
    paint = Paint(first, room_c, second, "stripes", mix(u[9], 2, 4))
    shadow = Paint(grey(0.03), room_c, alpha=0.35)
    return [
        Part("ball", (0, 0, 0.5 + height), (0.5, 0.5, 0.5), paint, turn),
        Part("tube", (0, 0, 0.006), (0.42, 0.42, 0.006), shadow),
    ]


def car(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    colour = typical(u[30], u[0], u[1], u[2], PAINTED)
    body = Paint(colour, room_c + mix(u[3], 0, 3))
    bonnet = Paint(darker(colour, 0.95), mix(u[4], 42, 75))
    glass = Paint((0.15, 0.2, 0.28), room_c - 2)
    tyre = Paint(grey(0.08), room_c + mix(u[5], 3, 9))
    hub = Paint(grey(0.7), room_c + 8)
    shake = 0.004 * sin(2 * pi * 11 * t_s)
    exhaust = Paint(grey(0.7), 45, alpha=0.25)
    wheels: list[Part] = []
    for x in (-0.3, 0.3):
        for y in (-0.19, 0.19):
            wheels += [
                Part("tube", (x, y, 0.1), (0.1, 0.1, 0.035), tyre, SIDEWAYS),
                Part("tube", (x, y * 1.12, 0.1), (0.05, 0.05, 0.02), hub, SIDEWAYS),
            ]
    return [
        *wheels,
        Part("box", (-0.12, 0, 0.2 + shake), (0.38, 0.19, 0.09), body),
        Part("box", (0.36, 0, 0.2 + shake), (0.14, 0.19, 0.08), bonnet),
        Part("box", (-0.08, 0, 0.37 + shake), (0.24, 0.16, 0.085), glass),
        Part("box", (-0.08, 0, 0.46 + shake), (0.22, 0.165, 0.015), body),
        *(
            Part("ball", (0.5, y, 0.21), (0.02, 0.04, 0.03), Paint((1, 1, 0.8), 40, glow=1.1))
            for y in (-0.13, 0.13)
        ),
        *(
            Part("ball", (-0.54 - 0.1 * puff, 0.1, 0.1 + 0.1 * puff), (0.08, 0.08, 0.08), exhaust)
            for puff in ((1.3 * t_s + k / 2) % 1 for k in range(2))
        ),
    ]


def drone(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    shell = Paint(typical(u[30], u[0], u[1], u[2], DARK), mix(u[3], room_c + 2, room_c + 8))
    arm = Paint(grey(mix(u[4], 0.05, 0.6)), room_c + 1)
    motor = Paint(grey(0.2), mix(u[5], 42, 65))
    disc = Paint(grey(mix(u[6], 0.3, 0.9)), room_c, alpha=0.35)
    bob = 0.04 * sin(2 * pi * (mix(u[7], 0.3, 0.7) * t_s + u[8]))
    parts = [
        Part("box", (0, 0, 0.3 + bob), (0.15, 0.11, 0.055), shell),
        Part("ball", (0.1, 0, 0.23 + bob), (0.05, 0.05, 0.05), Paint(grey(0.1), room_c + 4)),
        *(Part("box", (0, y, 0.13 + bob), (0.14, 0.012, 0.012), arm) for y in (-0.1, 0.1)),
        *(Part("box", (0, y, 0.19 + bob), (0.012, 0.012, 0.06), arm) for y in (-0.1, 0.1)),
    ]
    for i in range(4):
        a = pi / 4 + i * pi / 2
        x, y = 0.36 * cos(a), 0.36 * sin(a)
        parts += [
            Part("box", (x / 2, y / 2, 0.31 + bob), (0.18, 0.018, 0.015), arm, (a, 0, 0)),
            Part("tube", (x, y, 0.34 + bob), (0.04, 0.04, 0.045), motor),
        ]
    for i in range(4):
        a = pi / 4 + i * pi / 2
        centre = (0.36 * cos(a), 0.36 * sin(a), 0.4 + bob)
        blade = (2 * pi * (7.3 * t_s + u[9 + i]), 0.0, 0.0)
        parts += [
            Part("tube", centre, (0.2, 0.2, 0.008), disc),
            Part("box", centre, (0.2, 0.015, 0.006), arm, blade),
        ]
    return parts
