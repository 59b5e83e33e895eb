"""Moments that were found, as a table for people."""

import shlex
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from streamer.cli.output import console
from streamer.cli.search.gallery import Hit
from streamer.cli.search.query import Part

# Of a log the cosine is left to --json: room is short, and the score ranks.
_OF_FILES = ("", "score", "cosine", "start", "end", "modality", "file")
_OF_LOGS = ("", "score", "start", "end", "UTC", "modality", "stream", "also in")
_RIGHT = {"", "score", "cosine", "start", "end", "UTC"}


def show(hits: Sequence[Hit], parts: Sequence[Part], searched: dict[str, int]) -> None:
    """What was found, in what, and how to look at the first of it."""
    names = _OF_LOGS if any(hit.stream is not None for hit in hits) else _OF_FILES
    if len({hit.file for hit in hits}) > 1 and "file" not in names:
        names = (*names, "file")
    days = {hit.utc[:10] for hit in hits if hit.utc is not None}
    table = Table()
    for name in names:
        right, free = name in _RIGHT, name in ("also in", "file")
        table.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=not free,
            overflow="fold",
            min_width=10 if free else None,
        )
    for hit in hits:
        cells = _cells(hit, dated=len(days) > 1)
        table.add_row(*(escape(cells[name]) for name in names))
    console.print(table)
    query = " ".join(
        f"{p.weight:+g} {p.kind} {_printable(p.of)!r}"
        if len(parts) > 1
        else f"{_printable(p.of)!r}"
        for p in parts
    )
    counts = ", ".join(f"{n} {kind}" for kind, n in searched.items())
    console.print(escape(f"{query} in {counts}"), soft_wrap=True)
    console.print("score: cosine above the mean of all searched of the modality", soft_wrap=True)
    first = next((hit for hit in hits if hit.utc is not None), None)
    if first is not None:
        console.print(escape(_how_to_see(first)), soft_wrap=True)


def _how_to_see(hit: Hit) -> str:
    begins_s, ends_s = (max(0.0, each or 0.0) for each in (hit.from_s, hit.to_s))
    span = f"--from {begins_s:.1f} --to {ends_s:.1f}"
    log = shlex.quote(_printable(hit.file))
    return f"{hit.utc}: streamer replay {log} {span}; or streamer log cut {log} {span} -o PART.mcap"


def _cells(hit: Hit, *, dated: bool) -> dict[str, str]:
    """By column. `dated`: with the day, where one is not as another."""
    when = (hit.utc or "")[:21].replace("T", " ")
    return {
        "": str(hit.rank),
        "score": f"{hit.score:+.3f}",
        "cosine": f"{hit.cosine:.3f}",
        "start": _clock(hit.from_s),
        "end": _clock(hit.to_s),
        "UTC": when if dated else when[11:],
        "modality": hit.modality,
        "stream": _printable(hit.stream or ""),
        "also in": " ".join(map(_printable, hit.also or ())),
        "file": _where(hit),
    }


def _where(hit: Hit) -> str:
    line = "" if hit.text is None else f":{hit.line} {_printable(hit.text)}"
    return f"{_printable(hit.file)}{line}"


def _clock(seconds: float | None) -> str:
    """1:02:03.5. What a window has before the file begins is not in the file."""
    if seconds is None:
        return ""
    tenths = max(0, round(seconds * 10))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{whole}:{rest // 10:02}.{rest % 10}"


def _printable(text: str) -> str:
    """Names and lines come from files: nothing in them may steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:300])
