"""The commands that make a log of ours: cut, merge, convert."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from sources.recording.about import About
from sources.recording.recording import Recording
from sources.replay.log import Log
from sources.rewriting.rewrite import Item, Rewritten, rewrite
from streamer.cli.log.newfile import new_log
from streamer.cli.log.progress import shown
from streamer.cli.output import console
from streamer.cli.times import length
from streamer.errors import SourceLost
from streamer.types import NS_PER_S


def write(
    output: Path,
    about: About,
    items: Iterable[tuple[int, Item]],
    span_ns: tuple[int, int] | None,
    made: str,
    logs: Sequence[Log],
) -> Rewritten:
    """`span_ns`: what will be gone through, for the progress. `made`: how the log came to be.
    `logs`: those that `items` are from."""
    about = replace(about, more={**about.more, "made": made})
    begin_ns, end_ns = span_ns or (0, 0)
    with new_log(output) as file, shown(output.name) as hear:
        done = rewrite(
            (item for _, item in items),
            Recording(file, about),
            lambda now_ns: hear(max(0, now_ns - begin_ns), end_ns - begin_ns),
            logs,
        )
        if done.first_ns is None:
            raise SourceLost(f"{output}: not made: nothing happened in that time")
        return done


def say(output: Path, done: Rewritten) -> dict[str, Any]:
    """On the terminal; returns the same for --json."""
    span_ns = done.last_ns - (done.first_ns or 0)
    samples = ", ".join(f"{name} {count}" for name, count in done.samples.items()) or "no samples"
    console.print(
        f"[bold]{escape(str(output))}[/]: {output.stat().st_size / 1e6:.1f} MB, {length(span_ns)}: "
        f"{escape(samples)}; {done.notes} published messages",
        soft_wrap=True,
    )
    console.print(f"windows: {done.ticks} ticks, {done.windows}", soft_wrap=True)
    for cause, count in done.problems.items():
        console.print(f"[bold yellow]left out[/]: {count} x {escape(cause)}", soft_wrap=True)
    return {
        "path": str(output),
        "bytes": output.stat().st_size,
        "seconds": round(span_ns / NS_PER_S, 3),
        "samples": dict(done.samples),
        "published": done.notes,
        "ticks": done.ticks,
        "windows": done.windows,
        "problems": dict(done.problems),
    }
