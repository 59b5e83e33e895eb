"""Furniture: what stands about in rooms and means nothing. No concept is recognised by it."""

from sources.world.geometry import Paint
from sources.world.looks.parts import Part, darker, dice, grey, mix, typical

MUTED = (0.05, 0.05, 0.35), (0.13, 0.4, 0.75)


def clutter(seed: int, room_c: float) -> list[Part]:
    """One piece, about one unit tall: table, crates, shelf, chair, pillar, barrel or cushion."""
    u = dice(seed)
    # Sunlight and draughts: nothing has quite the temperature of the room.
    warmth = room_c + mix(u[0], -2.5, 2.5)
    pattern = ("plain", "stripes", "bars", "checks", "grain")[int(5 * u[1])]
    # Wood and cloth: what is meant to be noticed stands out against it.
    cloth = typical(u[30], u[2], u[3], u[4], MUTED)
    paint = Paint(cloth, warmth, darker(cloth, 0.75), pattern, 3.5)
    plain = Paint(typical(u[31], u[8], u[9], u[10], MUTED), warmth)
    parts: list[Part]
    match int(7 * u[11]):
        case 0:
            legs = [
                Part("box", (x, y, 0.35), (0.035, 0.035, 0.35), plain)
                for x in (-0.3, 0.3)
                for y in (-0.4, 0.4)
            ]
            parts = [*legs, Part("box", (0, 0, 0.73), (0.38, 0.5, 0.035), paint)]
        case 1:
            parts = [
                Part("box", (0, 0, 0.28), (0.3, 0.3, 0.28), paint),
                Part("box", (0.02, 0.05, 0.74), (0.22, 0.2, 0.18), plain, (u[12], 0, 0)),
            ]
        case 2:
            boards = [
                Part("box", (0, 0, 0.05 + 0.3 * i), (0.16, 0.4, 0.02), plain) for i in range(4)
            ]
            sides = [Part("box", (0, y, 0.5), (0.16, 0.02, 0.5), plain) for y in (-0.4, 0.4)]
            parts = [*boards, *sides, Part("box", (0, 0.1, 0.15), (0.1, 0.15, 0.1), paint)]
        case 3:
            legs = [
                Part("tube", (x, y, 0.22), (0.03, 0.03, 0.22), plain)
                for x in (-0.2, 0.2)
                for y in (-0.2, 0.2)
            ]
            seat = Part("box", (0, 0, 0.46), (0.24, 0.24, 0.03), paint)
            parts = [*legs, seat, Part("box", (-0.22, 0, 0.74), (0.025, 0.24, 0.26), paint)]
        case 4:
            parts = [Part("tube", (0, 0, 0.8), (0.16, 0.16, 0.8), paint)]
        case 5:
            parts = [
                Part("tube", (0, 0, 0.4), (0.26, 0.26, 0.4), paint),
                Part("tube", (0, 0, 0.8), (0.27, 0.27, 0.02), Paint(grey(0.3), warmth)),
            ]
        case _:
            parts = [Part("ball", (0, 0, 0.2), (0.4, 0.4, 0.2), paint)]
    return parts
