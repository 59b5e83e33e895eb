"""`streamer log info`: what is in a log, and what is wrong with it."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.markup import escape

from sources.replay.foreign import ForeignLog
from sources.replay.log import Log, open_log
from sources.replay.outside import McapFacts, kind, look
from sources.replay.survey import LATENESS_NS, Survey, survey
from sources.rewriting.rewrite import everything
from streamer.cli.log.newfile import check_new, new_file
from streamer.cli.log.progress import Hear, shown
from streamer.cli.log.report import channel_report, stream_report, topic_report
from streamer.cli.log.span import span
from streamer.cli.log.tables import show
from streamer.cli.log.timeline import timeline
from streamer.cli.output import Json, console, emit, one_line_errors, say_logs
from streamer.errors import ConfigError, SourceLost
from streamer.types import NS_PER_S


def info(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A recorded log of any kind.")],
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw a timeline: presence, gaps, losses, rates."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell what is in LOG, and what is wrong with it: all of it is read.

    Streams with codec, size and rate; the longest gaps; what the recorder had to leave out; stamps
    that go back, come twice or lie in the future; steps of clocks; whether the file is whole, has
    an index, or is cut off and where; whether a digest is stored, by which a replay proves itself.
    Ends with status 1 only if nothing in it can be read: a damaged log is told about, not refused.
    """
    say_logs()
    with one_line_errors("log info", as_json=as_json):
        _check(plot)
        report, found = _look(log)
        show(report)
        if plot is not None and found is not None:
            _draw(plot, log.name, found)
        elif plot is not None:
            console.print(f"{escape(str(plot))}: not drawn: no streams", soft_wrap=True)
    if as_json:
        emit({"command": "log info", "ok": True, **report})


def _look(path: Path) -> tuple[dict[str, Any], Survey | None]:
    """The report, and what there is to draw. Raises `SourceLost` if nothing can be read."""
    container = kind(path)
    facts: McapFacts | None = None
    with shown(path.name) as hear:
        if container == "MCAP":
            facts = look(path, hear)
        try:
            log = open_log(path)
        except SourceLost as error:
            # One of a kind that has no streams for this program still has channels.
            if facts is None:
                raise
            return _report(path, container, facts, None, None, [str(error)]), None
        try:
            found = _survey(path, log, hear)
            problems = [f"{count} x {cause}" for cause, count in log.problems.items()]
            return _report(path, container, facts, log, found, problems), found
        finally:
            log.close()


def _survey(path: Path, log: Log, hear: Hear) -> Survey:
    begin_ns, end_ns = span(log) or (0, 0)
    lateness_ns = LATENESS_NS if log.about is None else log.about.plan.lateness_ns
    return survey(
        everything(path, log),
        log.streams,
        lateness_ns,
        lambda now_ns: hear(max(0, now_ns - begin_ns), end_ns - begin_ns),
    )


def _report(
    path: Path,
    container: str,
    facts: McapFacts | None,
    log: Log | None,
    found: Survey | None,
    problems: list[str],
) -> dict[str, Any]:
    about = log.about if log is not None else None
    first_ns = found.first_ns if found is not None else None
    last_ns = found.last_ns if found is not None else 0
    if first_ns is None and facts is not None:
        first_ns, last_ns = facts.first_ns, facts.last_ns
    report: dict[str, Any] = {
        "path": str(path),
        "container": container,
        "bytes": path.stat().st_size if path.is_file() else None,
        "start_ns": first_ns,
        "seconds": None if first_ns is None else round((last_ns - first_ns) / NS_PER_S, 3),
        "streams": {}
        if found is None
        else {name: stream_report(each, about is not None) for name, each in found.streams.items()},
        "lost": {} if found is None else _lost(found),
        "recorded": None,
        "problems": problems,
    }
    if about is not None:
        report["recorded"] = {
            "live": about.live,
            "clock_error_ns": about.clock_error_ns,
            "hop_s": about.plan.hop_ns / NS_PER_S,
            "configuration": bool(about.config),
            **{name[:40]: text[:200] for name, text in list(about.more.items())[:20]},
        }
    elif isinstance(log, ForeignLog):
        report["channels"] = topic_report(log.container.topics())
    if facts is not None:
        session = facts.session or {}
        report |= {
            "whole": facts.whole,
            "indexed": facts.indexed,
            "read_to": facts.read_to,
            "chunks": facts.chunks,
            "profile": facts.profile,
            "library": facts.library,
            "version": session.get("version", "")[:40] or None,
            "digest": None if facts.digest is None else facts.digest.get("windows", "")[:64],
            "recovered": facts.recovered,
            "channels": channel_report(facts),
            "attachments": facts.attachments,
            "metadata": facts.metadata,
        }
        known = set(problems)
        told = [f"{count} x {cause}" for cause, count in facts.problems.items()]
        report["problems"] = problems + [text for text in told if text not in known]
    return report


def _lost(found: Survey) -> dict[str, dict[str, int]]:
    """Of streams, and of what belongs to none."""
    lost: dict[str, Counter[str]] = {}
    for _, left in found.lost:
        if left.stream not in found.streams:
            lost.setdefault(left.stream[:128], Counter())[left.cause[:128]] += left.count
    of_streams = {n: dict(each.lost) for n, each in found.streams.items() if each.lost}
    return of_streams | {name: dict(causes) for name, causes in lost.items()}


def _check(plot: Path | None) -> None:
    if plot is not None and plot.suffix != ".png":
        raise ConfigError(f"--plot: expected a name that ends in .png, got {plot}")
    if plot is not None:
        check_new(plot)


def _draw(plot: Path, name: str, found: Survey) -> None:
    _, encoded = cv2.imencode(".png", timeline(name, found)[:, :, ::-1])
    with new_file(plot) as part:
        part.write_bytes(encoded.tobytes())
    console.print(f"[bold]{escape(str(plot))}[/]", soft_wrap=True)
