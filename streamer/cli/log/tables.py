"""What `streamer log info` tells, on a terminal."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from streamer.cli.output import console
from streamer.cli.times import date, length
from streamer.types import NS_PER_S

_CHANNELS_SHOWN = 40


def show(report: dict[str, Any]) -> None:
    console.print(f"[bold]{escape(report['path'])}[/]: {_head(report)}", soft_wrap=True)
    for line in _lines(report):
        console.print(line, soft_wrap=True)
    if report["streams"]:
        console.print(_streams(report))
    for name, stream in report["streams"].items():
        for line in _stream_lines(name, stream, report["start_ns"] or 0):
            console.print(f"  {line}", soft_wrap=True)
    if report.get("channels"):
        console.print(_channels(report["channels"]))
    for problem in report["problems"]:
        console.print(f"[bold yellow]problem[/]: {escape(problem)}", soft_wrap=True)


def _head(report: dict[str, Any]) -> str:
    parts = [report["container"]]
    if report["bytes"] is not None:
        parts.append(_size(report["bytes"]))
    if report["seconds"] is not None:
        parts.append(length(int(report["seconds"] * NS_PER_S)))
        parts.append(f"from {date(report['start_ns'])}")
    return ", ".join(parts)


def _lines(report: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    if "whole" in report:
        index = "indexed" if report["indexed"] else "[bold yellow]no index[/]"
        if report["whole"]:
            state = "whole"
        elif report["read_to"] < report["bytes"]:
            lost = report["bytes"] - report["read_to"]
            state = f"[bold yellow]cut off[/] at byte {report['read_to']}: {lost} bytes are lost"
        elif all("cut off" in problem for problem in report["problems"]):
            state = "[bold yellow]cut off[/] behind its last chunk"
        else:
            state = "[bold yellow]damaged[/]"
        lines.append(f"{state}, {index}, {report['chunks']} chunks")
    recorded = report["recorded"]
    if recorded is not None:
        kind = "live" if recorded["live"] else "from files"
        config = "with" if recorded["configuration"] else "without"
        digest = report.get("digest")
        version = escape(str(report.get("version")))
        hop = f"hop {recorded['hop_s']:g} s, {config} configuration"
        lines.append(f"recorded by streamer {version}, {kind}, {hop}")
        missing = "[bold yellow]no final digest[/]: it replays, without a proof"
        lines.append(f"digest {digest}" if digest else missing)
        if recorded.get("made"):
            lines.append(escape(recorded["made"]))
    elif report.get("library"):
        lines.append(escape(f"written by {report['library']} (profile {report['profile'] or '-'})"))
    if report.get("recovered"):
        lost = report["recovered"].get("bytes_lost", "?")
        lines.append(f"recovered from a damaged file; {escape(lost[:20])} bytes were lost")
    for stream, causes in report["lost"].items():
        told = ", ".join(f"{count} {cause}" for cause, count in causes.items())
        lines.append(f"[bold yellow]left out by the recorder[/]: {escape(stream)}: {escape(told)}")
    return lines


def _streams(report: dict[str, Any]) -> Table:
    table = Table()
    # Names are what one looks for: never cut short.
    table.add_column("stream", overflow="fold", min_width=10)
    table.add_column("kept as", overflow="fold")
    for name in ("samples", "rate", "MB", "lasts", "gaps"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, stream in report["streams"].items():
        gaps = stream["gaps"]
        table.add_row(
            escape(name),
            escape(", ".join((stream["modality"], *stream["forms"]))),
            str(stream["samples"]),
            f"{stream['rate_hz']:.5g}/s" if stream["rate_hz"] else "",
            f"{stream['bytes'] / 1e6:.2f}",
            length(int(stream["seconds"] * NS_PER_S)),
            f"{gaps[0]['seconds']:.2f} s" if gaps else "none",
        )
    return table


def _stream_lines(name: str, stream: dict[str, Any], begin_ns: int) -> list[str]:
    lines: list[str] = []
    since_s = (stream["start_ns"] - begin_ns) / NS_PER_S
    if stream["samples"] and abs(since_s) >= 2:
        lines.append(f"begins at {since_s:+.2f} s")
    if stream["gaps"]:
        told = ", ".join(
            f"{gap['seconds']:.2f} s at {(gap['start_ns'] - begin_ns) / NS_PER_S:.2f}"
            for gap in stream["gaps"]
        )
        lines.append(f"longest gaps: {told}")
    words = {
        "backward": "stamped before the one before",
        "late": "of them too late for their windows",
        "repeated": "with the stamp of the one before",
        "future": "stamped beyond the clock",
    }
    lines += [f"{stream[key]} {what}" for key, what in words.items() if stream[key]]
    lines += [
        f"the clock stepped by {step['by_s']:+.3f} s at "
        f"{(step['at_ns'] - begin_ns) / NS_PER_S:.2f} s"
        for step in stream.get("clock_steps", ())
    ]
    return [f"{escape(name)}: {line}" for line in lines]


def _channels(channels: list[dict[str, Any]]) -> Table:
    table = Table()
    for name in ("channel", "encoding", "schema"):
        table.add_column(name, overflow="fold")
    for name in ("messages", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for channel in channels[:_CHANNELS_SHOWN]:
        table.add_row(
            escape(channel["topic"]),
            escape(channel["encoding"]),
            escape(channel["schema"] or ""),
            str(channel["messages"]),
            "" if channel["bytes"] is None else f"{channel['bytes'] / 1e6:.3f}",
        )
    if len(channels) > _CHANNELS_SHOWN:
        table.add_row(f"... {len(channels) - _CHANNELS_SHOWN} more", "", "", "", "")
    return table


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"
