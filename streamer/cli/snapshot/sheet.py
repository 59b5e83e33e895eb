"""One sheet a stream: its name, what it shows, and what is to be said about it."""

from dataclasses import dataclass

import numpy as np

from streamer.cli.snapshot.drawing import BAD, LINE, SOFT, Picture, blank, write

WIDTH = 800
MARGIN = 14


@dataclass(frozen=True, slots=True)
class Note:
    """A figure of what came; `bad` if it looks wrong."""

    text: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """`body` is at most `WIDTH` wide."""

    body: Picture
    notes: tuple[Note, ...]


def sheet(name: str, what: str, drawn: Drawn) -> Picture:
    """A title, the picture, one line a note. Always of the same width, `WIDTH + 2 * MARGIN`."""
    head = MARGIN + 2 * LINE + 6
    height = head + len(drawn.body) + MARGIN + LINE * len(drawn.notes) + MARGIN // 2
    page = blank(WIDTH + 2 * MARGIN, height)
    write(page, name, (MARGIN, MARGIN + LINE - 6), bold=True)
    write(page, what, (MARGIN, MARGIN + 2 * LINE - 6), colour=SOFT)
    rows, across = drawn.body.shape[:2]
    page[head : head + rows, MARGIN : MARGIN + across] = drawn.body
    for line, note in enumerate(drawn.notes):
        at = MARGIN, head + rows + MARGIN + LINE * line + 6
        if note.bad:
            write(page, f"! {note.text}", at, colour=BAD)
        else:
            write(page, note.text, at)
    return page


def side_by_side(pages: list[Picture], across: int) -> Picture:
    """Pages of one width in `across` columns, each put where the column is shortest."""
    heaps: list[list[Picture]] = [[] for _ in range(across)]
    for page in pages:
        min(heaps, key=lambda heap: sum(map(len, heap))).append(page)
    tallest = max(sum(map(len, heap)) for heap in heaps)
    filled = [
        np.concatenate([*heap, blank(WIDTH + 2 * MARGIN, tallest - sum(map(len, heap)))])
        for heap in heaps
    ]
    return np.concatenate(filled, axis=1)
