"""Moments that were found, as a table for people."""

import shlex
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from streamer.cli.output import console
from streamer.cli.search.gallery import Hit
from streamer.cli.search.query import Part


def show(hits: Sequence[Hit], parts: Sequence[Part], searched: dict[str, int]) -> None:
    """What was found, in what, and how to look at the first of it."""
    logs = any(hit.stream is not None for hit in hits)
    files = not logs or len({hit.file for hit in hits}) > 1
    days = sorted({hit.utc[:10] for hit in hits if hit.utc is not None})
    day = days[0] if len(days) == 1 else ""
    table = Table()
    for name in ("", "score", "cosine", "start", "end"):
        table.add_column(name, justify="right", no_wrap=True)
    if logs:
        table.add_column(f"UTC {day}".strip(), justify="right", no_wrap=True)
        table.add_column("stream", overflow="fold")
        table.add_column("also in", overflow="fold")
    else:
        table.add_column("modality", no_wrap=True)
    if files:
        table.add_column("file", overflow="fold")
    for hit in hits:
        table.add_row(
            str(hit.rank), f"{hit.score:+.3f}", f"{hit.cosine:.3f}", _clock(hit.from_s),
            _clock(hit.to_s), *map(escape, _who(hit, day) if logs else (hit.modality,)),
            *((escape(_where(hit)),) if files else ()),
        )  # fmt: skip
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
    first = next((hit for hit in hits if hit.stream is not None), None)
    if first is not None:
        console.print(escape(_how_to_see(first)), soft_wrap=True)


def _how_to_see(hit: Hit) -> str:
    name = shlex.quote(_printable(hit.file))
    span = f"--from {max(0.0, hit.from_s or 0):g} --to {max(0.0, hit.to_s or 0):g}"
    return f"the first of a log: streamer replay {name} {span}; streamer log cut {name} {span}"


def _who(hit: Hit, day: str) -> tuple[str, str, str]:
    """When the best window began, to a tenth of a second; of which stream; who saw it too."""
    when = (hit.utc or "")[:21].removeprefix(f"{day}T").replace("T", " ")
    stream = hit.modality if hit.stream in (None, hit.modality) else f"{hit.stream} {hit.modality}"
    return when, _printable(stream), _printable(", ".join(hit.also or ()))


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
