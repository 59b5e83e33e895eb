"""`streamer log`: look at recorded logs, and make new ones out of them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from configs.schema import RunConfig
from encoders.noop import NoopEncoder
from sources.recording.about import About
from sources.replay.container import McapLog
from sources.replay.log import open_log
from sources.replay.own import OwnLog
from sources.replay.source import Replay
from sources.rewriting import merge as merging
from sources.rewriting.recover import recover as recovered
from sources.rewriting.rewrite import everything
from streamer.cli.log.info import info
from streamer.cli.log.newfile import new_log
from streamer.cli.log.progress import shown
from streamer.cli.log.rewriting import say, write
from streamer.cli.log.span import began, span
from streamer.cli.output import Json, console, emit, one_line_errors, say_logs
from streamer.cli.times import moment
from streamer.errors import ConfigError, SourceLost
from streamer.plan import Plan

app = typer.Typer(no_args_is_help=True)

LogFile = Annotated[Path, typer.Argument(metavar="LOG", help="A recorded log.")]
Output = Annotated[
    Path, typer.Option("-o", "--output", help="The file to make; it must not be there.")
]


@app.callback()
def log() -> None:
    """Look at recorded logs, and make new ones out of them.

    No command changes the log it is given, and none writes over a file.
    """


app.command("info")(info)


@app.command("recover")
def recover_command(log: LogFile, output: Output, as_json: Json = False) -> None:
    """Save what is whole of a truncated, unindexed or damaged MCAP file into a new one.

    Everything in closed chunks is kept, byte for byte, with attachments and metadata, of logs of
    this program and of any other. The new file has an index. One of ours opens and replays as far
    as it goes; it has no final digest, since that was of the whole. Ends with status 1 if nothing
    could be recovered.
    """
    say_logs()
    with one_line_errors("log recover", as_json=as_json):
        source = McapLog(log)
        try:
            # The first record says what kind of log it is, which tools go by.
            next(iter(source.parts()), None)
            with new_log(output, profile=source.profile) as file, shown(log.name) as hear:
                done = recovered(source, file, hear)
                if not done.messages and not done.metadata and not done.attachments:
                    raise SourceLost(f"{log}: nothing in it can be recovered")
        finally:
            source.close()
    count = sum(done.messages.values())
    console.print(
        f"[bold]{escape(str(output))}[/]: {count} messages on {len(done.messages)} channels, "
        f"{done.metadata} metadata, {done.attachments} attachments",
        soft_wrap=True,
    )
    console.print(
        f"read {done.bytes_read} bytes of {source.size}; {done.bytes_lost} behind that are lost"
    )
    for cause, times in done.problems.items():
        console.print(f"[bold yellow]lost[/]: {times} x {escape(cause)}", soft_wrap=True)
    if not done.digest:
        console.print("a recording of ours has no final digest now: it replays, without a proof")
    if as_json:
        emit(
            {
                "command": "log recover",
                "ok": True,
                "path": str(output),
                "messages": done.messages,
                "metadata": done.metadata,
                "attachments": done.attachments,
                "bytes_read": done.bytes_read,
                "bytes_lost": done.bytes_lost,
                "problems": done.problems,
                "digest": done.digest,
            }
        )


@app.command("cut")
def cut_command(
    log: LogFile,
    output: Output,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="T", help="Seconds into the log, 1:30, or a date with a time."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="T", help="Up to here, not included.")
    ] = None,
    streams: Annotated[
        str | None, typer.Option(metavar="A,B", help="These streams only; default: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Cut a part out of a recording: a span of time, some of the streams, or both.

    Samples are copied byte for byte, with what was published in that time. The windows are cut
    anew from where the part begins, and the new log has their digest: streamer replay --verify
    proves it. By the index of the log, the beginning is found at once.
    """
    say_logs()
    with one_line_errors("log cut", as_json=as_json):
        source = OwnLog(log)
        try:
            begin_ns = began(source)
            if begin_ns is None:
                raise SourceLost(f"{log}: nothing happened in it")
            from_ns = None if from_ is None else moment("--from", from_, begin_ns)
            to_ns = None if to is None else moment("--to", to, begin_ns)
            if from_ns is not None and to_ns is not None and from_ns >= to_ns:
                raise ConfigError(f"--to: expected a time after --from {from_}, got {to}")
            about, names = _only(source.about, streams)
            items = everything(log, source, names, from_ns, to_ns)
            end_ns = min((t for t in (to_ns, source.end_ns) if t is not None), default=None)
            span_ns = None if end_ns is None else (from_ns or begin_ns, end_ns)
            done = write(output, about, items, span_ns, f"cut from {log.name}", [source])
        finally:
            source.close()
        report = say(output, done)
    if as_json:
        emit({"command": "log cut", "ok": True, **report})


@app.command("merge")
def merge_command(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG LOG...", help="Two logs or more.")],
    output: Output,
    as_json: Json = False,
) -> None:
    """Join recordings: of different streams side by side, or parts of one run in a row.

    Everything comes in the order of the clocks of arrival. Two logs may have the same stream only
    where one follows the other in time, as the parts of a rotated recording do. Their windows must
    be cut alike. The configuration is that of the first log.
    """
    say_logs()
    with one_line_errors("log merge", as_json=as_json):
        if len(logs) < 2:
            raise ConfigError(f"log merge: expected two logs or more, got {len(logs)}")
        opened: list[OwnLog] = []
        try:
            for path in logs:
                opened.append(OwnLog(path))  # noqa: PERF401 - what is open is closed below
            pieces = [merging.piece(*each) for each in zip(logs, opened, strict=True)]
            span_ns = min(p.first_ns for p in pieces), max(p.last_ns for p in pieces)
            about = merging.about(pieces)
            made = "merged from " + ", ".join(path.name for path in logs)
            done = write(output, about, merging.items(pieces), span_ns, made, opened)
        finally:
            for each in opened:
                each.close()
        report = say(output, done)
    if as_json:
        emit({"command": "log merge", "ok": True, **report})


@app.command("convert")
def convert_command(log: LogFile, output: Output, as_json: Json = False) -> None:
    """Make a recording of this program out of any log that it can read.

    The result replays and verifies. What can be kept as it is stays byte for byte: compressed
    pictures, integer depth, sound of 16 bits. A recording of this program keeps its windows and
    their digest; others get the windows of the default configuration.
    """
    say_logs()
    with one_line_errors("log convert", as_json=as_json):
        source = open_log(log)
        try:
            about = source.about or About(False, source.streams, _default_plan(log))
            if not about.streams:
                raise SourceLost(f"{log}: nothing in it is a stream that this program knows")
            made = f"converted from {log.name}"
            items = everything(log, source)
            done = write(output, about, items, span(source), made, [source])
        finally:
            source.close()
        report = say(output, done)
    if as_json:
        emit({"command": "log convert", "ok": True, **report})


def _only(about: About, streams: str | None) -> tuple[About, list[str] | None]:
    """Raises `ConfigError`."""
    if streams is None:
        return about, None
    names = [name.strip() for name in streams.split(",") if name.strip()]
    known = [info.name for info in about.streams]
    for name in names:
        if name not in known:
            raise ConfigError(f"--streams: expected some of {', '.join(known)}, got {name}")
    if not names:
        raise ConfigError(f"--streams: expected some of {', '.join(known)}")
    kept = tuple(info for info in about.streams if info.name in names)
    return replace(about, streams=kept), names


def _default_plan(log: Path) -> Plan:
    noop = NoopEncoder(dim=2)
    return RunConfig(sources=(Replay(path=log),), encoder=noop, labels=False).plan()
