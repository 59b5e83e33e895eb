"""Looks of what lives: dog, cat, person, plant."""

from math import cos, pi, sin

from sources.world.geometry import Paint
from sources.world.looks.parts import RGB, Part, any_colour, darker, dice, grey, mix, typical

SKIN: tuple[RGB, ...] = (
    (0.95, 0.8, 0.7), (0.85, 0.65, 0.5), (0.65, 0.45, 0.32), (0.42, 0.28, 0.2),
)  # fmt: skip
# Families of colours: hue, saturation and value, lowest and highest.
BROWN = (0.03, 0.5, 0.3), (0.1, 0.85, 0.75)
GREY = (0.5, 0.0, 0.15), (0.7, 0.15, 0.75)
CLAY = (0.02, 0.5, 0.5), (0.07, 0.8, 0.85)


def _fur(u: tuple[float, ...], family: tuple[RGB, RGB], *, tabby: bool) -> tuple[Paint, Paint]:
    """Body and extremities. Fur hides some of the warmth."""
    colour = typical(u[30], u[0], u[1], u[2], family)
    body = Paint(
        colour, mix(u[4], 27, 32), darker(colour, 0.5), "stripes" if tabby else "plain", 4.5
    )
    return body, Paint(darker(colour, 0.8), mix(u[4], 29, 35))


def dog(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del room_c
    u = dice(seed)
    body, limb = _fur(u, BROWN, tabby=u[5] > 0.9)
    lift = 0.05 if active else 0.0
    wag = 0.4 * sin(2 * pi * mix(u[6], 1.5, 3) * t_s)
    legs = [
        Part("tube", (x, y, 0.19), (0.05, 0.05, 0.19), limb)
        for x in (-0.28, 0.26)
        for y in (-0.1, 0.1)
    ]
    head = [
        Part("ball", (0.44, 0, 0.74 + lift), (0.16, 0.14, 0.15), body),
        Part("ball", (0.6, 0, 0.7 + lift), (0.13, 0.07, 0.06), limb),
        Part("ball", (0.72, 0, 0.71 + lift), (0.03, 0.03, 0.03), Paint(grey(0.1), 24)),
        *(
            Part("ball", (0.41, y, 0.68 + lift), (0.06, 0.03, 0.15), limb, (0, 0, -y))
            for y in (-0.15, 0.15)
        ),
    ]
    if active:
        head.append(Part("ball", (0.58, 0, 0.64), (0.1, 0.05, 0.03), Paint((0.6, 0.2, 0.2), 35)))
    return [
        *legs,
        Part("ball", (0, 0, 0.5), (0.42, 0.17, 0.18), body),
        Part("tube", (0.32, 0, 0.6), (0.09, 0.09, 0.16), body, (0, 0.6, 0)),
        Part("tube", (-0.5, 0.12 * wag, 0.62), (0.03, 0.03, 0.17), limb, (0, -0.7, wag)),
        *head,
    ]


def cat(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del room_c
    u = dice(seed)
    body, limb = _fur(u, GREY, tabby=u[5] > 0.25)
    sway = 0.25 * sin(2 * pi * mix(u[6], 0.3, 0.7) * t_s)
    legs = [
        Part("tube", (x, y, 0.14), (0.035, 0.035, 0.14), limb)
        for x in (-0.2, 0.2)
        for y in (-0.08, 0.08)
    ]
    ears = [
        Part("box", (0.33, y, 0.7), (0.02, 0.06, 0.06), limb, (0, 0, pi / 4)) for y in (-0.1, 0.1)
    ]
    mouth = [Part("ball", (0.48, 0, 0.5), (0.02, 0.04, 0.04), Paint((0.7, 0.3, 0.35), 35))]
    return [
        *legs,
        Part("ball", (0, 0, 0.36), (0.31, 0.14, 0.16), body),
        Part("ball", (0.34, 0, 0.55), (0.15, 0.16, 0.14), body),
        *ears,
        Part("ball", (0.47, 0, 0.52), (0.04, 0.05, 0.035), Paint(grey(0.9), 33)),
        Part("tube", (-0.32, 0.05 * sway, 0.62), (0.03, 0.03, 0.26), limb, (0, -0.15, sway)),
        Part("tube", (-0.4, 0.14 * sway, 0.9), (0.025, 0.025, 0.1), limb, (0, -0.7, sway)),
        *(mouth if active else []),
    ]


def person(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    u = dice(seed)
    skin = Paint(SKIN[int(u[0] * 4)], mix(u[1], 32, 35))
    hair = Paint(any_colour(mix(u[2], 0, 0.15), u[3], 0.5 * u[4]), mix(u[5], 26, 30))
    warmth = mix(u[6], 24, 29)
    shirt = Paint(
        any_colour(u[7], u[8], u[9]), warmth, grey(u[10]), ("plain", "stripes")[int(2 * u[11])], 4
    )
    trousers = Paint(any_colour(u[12], u[13], 0.6 * u[14]), max(warmth - 1.5, room_c))
    swing = 0.5 * sin(2 * pi * mix(u[15], 0.4, 1) * t_s) * (1.0 if active else 0.5)
    mouth = [Part("ball", (0.065, 0, 0.865), (0.02, 0.02, 0.012), Paint((0.4, 0.1, 0.1), 36))]
    return [
        *(Part("tube", (0, y, 0.24), (0.05, 0.05, 0.24), trousers) for y in (-0.065, 0.065)),
        Part("ball", (0, 0, 0.6), (0.085, 0.14, 0.2), shirt),
        Part("box", (0, 0, 0.62), (0.06, 0.11, 0.14), shirt),
        Part("tube", (0.06, 0.17, 0.6), (0.035, 0.035, 0.15), shirt, (0, -0.6 - swing, 0.25)),
        Part("tube", (0.03, -0.17, 0.6), (0.035, 0.035, 0.15), shirt, (0, -0.3 + swing, -0.25)),
        Part("ball", (0.13 + 0.05 * swing, 0.2, 0.5 + 0.1 * swing), (0.035, 0.03, 0.04), skin),
        Part("ball", (0.08, -0.2, 0.47), (0.035, 0.03, 0.04), skin),
        Part("tube", (0, 0, 0.78), (0.035, 0.035, 0.05), skin),
        Part("ball", (0, 0, 0.89), (0.075, 0.07, 0.09), skin),
        Part("ball", (-0.02, 0, 0.925), (0.075, 0.075, 0.075), hair),
        *(mouth if active else []),
    ]


def plant(seed: int, t_s: float, active: bool, room_c: float) -> list[Part]:
    del active
    u = dice(seed)
    pot = Paint(typical(u[30], u[0], u[1], u[2], CLAY), room_c)
    leaf = any_colour(mix(u[3], 0.22, 0.42), mix(u[4], 0.5, 1), mix(u[5], 0.1, 0.7))
    green = Paint(leaf, room_c - mix(u[6], 0.2, 1), darker(leaf, 0.5), "grain", 3.5)
    leaves: list[Part] = []
    count = 7 + int(5 * u[7])
    for i in range(count):
        angle = 2 * pi * (i * 0.382 + u[8])
        lean = mix(u[10 + i], 0.35, 1.1)
        away = 0.24 * sin(lean)
        height = 0.5 + 0.25 * cos(lean) + 0.15 * u[22 + i]
        breeze = 0.03 * sin(2 * pi * 0.3 * t_s + i)
        leaves.append(
            Part(
                "ball",
                (away * cos(angle), away * sin(angle), height),
                (0.07, 0.025, mix(u[9], 0.16, 0.24)),
                green,
                (angle, lean + breeze, 0),
            )
        )
    return [
        Part("tube", (0, 0, 0.13), (0.15, 0.15, 0.13), pot),
        Part("tube", (0, 0, 0.27), (0.18, 0.18, 0.03), pot),
        Part("tube", (0, 0, 0.4), (0.02, 0.02, 0.15), Paint((0.35, 0.25, 0.12), room_c)),
        *leaves,
    ]
