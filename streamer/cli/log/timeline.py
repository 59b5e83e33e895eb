"""A log at a glance: a row a stream, with when it was there, gaps, losses, and its rate over time.

Drawn with OpenCV, as snapshots are (docs/decisions/0015).
"""

from dataclasses import dataclass

import numpy as np

from sources.replay.survey import StreamSurvey, Survey
from streamer.cli.snapshot.drawing import (
    BAD,
    FAINT,
    SOFT,
    Axes,
    Colour,
    Picture,
    blank,
    box,
    columns,
    number,
    rule_x,
    write,
)
from streamer.cli.times import date, length
from streamer.types import NS_PER_S, Modality

WIDTH = 1200
_LEFT, _RIGHT, _TOP = 150, 90, 74
_BAR, _RATE, _ROW = 12, 44, 92
"""Heights of the bar, of the rates below it, and from one row to the next."""
_LOSS: Colour = (214, 120, 0)
_PALE: Colour = (176, 190, 208)
_COLOURS: dict[Modality, Colour] = {
    "vision": (31, 95, 168),
    "audio": (44, 140, 96),
    "depth": (110, 76, 160),
    "thermal": (168, 90, 130),
    "imu": (120, 110, 40),
}


@dataclass(frozen=True, slots=True)
class _Time:
    """Of the whole picture: from the first sample or event to the last."""

    begin_ns: int
    end_ns: int

    def seconds(self, t_ns: int) -> float:
        return min(max(t_ns - self.begin_ns, 0), self.end_ns - self.begin_ns) / NS_PER_S


def timeline(name: str, found: Survey) -> Picture:
    """RGB. `WIDTH` wide, as high as there are streams."""
    time = _time(found)
    page = blank(WIDTH, _TOP + max(1, len(found.streams)) * _ROW + 50)
    write(page, name, (16, 28), bold=True)
    told = f"{length(time.end_ns - time.begin_ns)} from {date(time.begin_ns)} UTC"
    write(page, told, (16, 48), colour=SOFT)
    _legend(page)
    axes = Axes(_LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _ROW, (0, time.seconds(time.end_ns)), (0, 1))
    for row, (stream, each) in enumerate(found.streams.items()):
        lost = [t_ns for t_ns, left in found.lost if left.stream == stream]
        _draw(page, _TOP + row * _ROW, stream, each, time, lost)
    last = max(1, len(found.streams))
    foot = Axes(_LEFT, _TOP, axes.width, last * _ROW - 14, axes.x, (0, 1))
    rule_x(page, foot, "seconds")
    return page


def _time(found: Survey) -> _Time:
    there = [each for each in found.streams.values() if each.samples > each.future]
    begin_ns = min([found.first_ns or 0, *(each.first_ns for each in there)])
    end_ns = max([found.last_ns, *(each.last_ns for each in there)])
    # What is drawn needs a length, and a stamp at the end of time leaves room for nothing else.
    return _Time(begin_ns, max(end_ns, begin_ns + 1_000_000))


def _draw(
    page: Picture, top: int, name: str, stream: StreamSurvey, time: _Time, lost: list[int]
) -> None:
    across = WIDTH - _LEFT - _RIGHT
    whole = (0.0, time.seconds(time.end_ns))
    bar = Axes(_LEFT, top, across, _BAR, whole, (0, 1))
    colour = _COLOURS[stream.modality]
    write(page, name[:18], (16, top + 11), bold=True)
    write(page, ", ".join(stream.forms)[:17], (16, top + 30), colour=SOFT)
    write(page, f"{stream.samples} samples", (16, top + 48), colour=SOFT)
    page[bar.top : bar.bottom, bar.left : bar.right] = FAINT
    if stream.samples > stream.future:
        _span(page, bar, time, stream.first_ns, stream.last_ns, colour)
        for gap in stream.gaps:
            _span(page, bar, time, gap.start_ns, gap.start_ns + gap.length_ns, BAD)
        _rates(page, Axes(_LEFT, top + _BAR + 4, across, _RATE, whole, (0, 1)), stream, time)
    else:
        write(page, "nothing came", (_LEFT + 8, top + 34), colour=BAD)
    for t_ns in lost:
        x = round(float(bar.at_x(time.seconds(t_ns))))
        page[bar.top - 5 : bar.bottom, x - 1 : x + 2] = _LOSS
    for step in stream.steps.found:
        x = round(float(bar.at_x(time.seconds(step.at_ns))))
        page[bar.top - 5 : top + _BAR + 4 + _RATE, x : x + 2] = BAD
        words = f"clock {step.by_ns / NS_PER_S:+.2f} s"
        write(page, words, (x + 5, top + _BAR + 18), colour=BAD)


def _span(
    page: Picture, bar: Axes, time: _Time, start_ns: int, end_ns: int, colour: Colour
) -> None:
    """At least a pixel: a short gap in a long log is there to be seen."""
    first, last = (round(float(bar.at_x(time.seconds(t)))) for t in (start_ns, end_ns))
    page[bar.top : bar.bottom, first : max(last, first + 1)] = colour


def _rates(page: Picture, axes: Axes, stream: StreamSurvey, time: _Time) -> None:
    """Samples a second, in slots that hold some ten of them, from nothing to the most there was."""
    presence = stream.presence
    usual_ns = (stream.last_ns - stream.first_ns) / max(1, stream.samples)
    presence.coarser(int(max(10 * usual_ns, 4 * (time.end_ns - time.begin_ns) / axes.width)))
    slot_ns = presence.slot_ns
    # The first and the last slot are not full: their rate would be too low.
    slots = sorted(presence.counts)
    inner = [presence.counts[slot] for slot in slots[1:-1]] or [presence.counts[slots[0]]]
    most = max(inner)
    pixels = time.begin_ns + (np.arange(axes.width) + 0.5) * (
        (time.end_ns - time.begin_ns) / axes.width
    )
    edges = slots[0], slots[-1]
    heights: list[tuple[float, float]] = []
    for t_ns in pixels:
        slot = int(t_ns) // slot_ns
        there = stream.first_ns <= t_ns <= stream.last_ns
        count = presence.counts.get(slot, 0)
        if slot in edges and len(slots) > 2:
            count = presence.counts.get(slots[1] if slot == edges[0] else slots[-2], 0)
        heights.append((0.0, count / most) if there and count else (float("nan"), 0.0))
    columns(page, axes, heights, _PALE)
    box(page, axes)
    rate = number(float(f"{most * NS_PER_S / slot_ns:.3g}"))
    write(page, f"{rate}/s", (axes.right + 6, axes.top + 8), colour=SOFT)
    write(page, "0", (axes.right + 6, axes.bottom), colour=SOFT)


def _legend(page: Picture) -> None:
    x = WIDTH - _RIGHT - 430
    for words, colour in (
        ("there", SOFT),
        ("gap", BAD),
        ("left out", _LOSS),
        ("rate", _PALE),
    ):
        page[36:48, x : x + 14] = colour
        write(page, words, (x + 20, 47), colour=SOFT)
        x += 110
