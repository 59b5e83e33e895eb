"""`streamer listen`: what a robot says, live from the broker."""

import asyncio
import signal
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from configs.load import load
from sinks.mqtt.sink import MqttSink
from sinks.mqtt.subscribe import Heard, Subscriber
from sinks.wire.embedding import Received
from sinks.wire.reports import (
    LabelReport,
    RecordingReport,
    SourceReport,
    StatusReport,
    TruthReport,
)
from sinks.wire.topics import Topics
from streamer.cli.labels import UNCALIBRATED, best
from streamer.cli.output import Json, Overrides, emit, live_view, one_line_errors, say_logs
from streamer.clock import SystemClock
from streamer.errors import ConfigError
from streamer.protocols import Clock
from streamer.types import NS_PER_S


def listen(
    config: Annotated[
        str, typer.Argument(help="The configuration that says where the broker is.")
    ] = "demo",
    robot: Annotated[
        str | None, typer.Option(help="The robot's name, or + for all; default: the config's.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this long; default: Ctrl-C.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many embeddings.")] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Show labels, rates and ages as they arrive, in a live table.

    Waits for the broker where it is not there yet, and comes back when it was away. Sequence
    numbers are checked: what is missing is counted.
    """
    say_logs()
    with one_line_errors("listen", as_json=as_json):
        sink = _mqtt_of(config, overrides)
        topics = sink.topics if robot is None else Topics(sink.prefix, robot)
        view = _View(SystemClock())
        subscriber = asyncio.run(_listen(sink, topics, view, seconds, count))
    report = _report(subscriber, view)
    if as_json:
        emit(report)
    if not report["ok"]:
        raise typer.Exit(1)


def _mqtt_of(config: str, overrides: list[str] | None) -> MqttSink:
    for sink in load(config, overrides or ()).sinks:
        if isinstance(sink, MqttSink):
            return sink
    raise ConfigError(f"sinks: {config} has none of kind mqtt; expected one to listen to")


async def _listen(
    sink: MqttSink, topics: Topics, view: "_View", seconds: float | None, count: int | None
) -> Subscriber:
    subscriber = Subscriber(await sink.endpoint(), topics)
    task = asyncio.current_task()
    if task is not None:
        # As Ctrl-C does by itself: what was heard is still told.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    async def follow() -> None:
        async with aclosing(subscriber.messages()) as messages:
            async for heard in messages:
                view.add(heard)
                if count is not None and view.embeddings >= count:
                    return

    with live_view() as show:
        show(view)
        # Ctrl-C cancels the task; what was heard is still told.
        with suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(seconds):
                await follow()
    return subscriber


@dataclass(slots=True)
class _Row:
    """What is known of one stream of one robot."""

    received: int = 0
    first_t1_ns: int = 0
    last_t1_ns: int = 0
    delay_ms: float = 0.0
    coverage: float = 0.0
    label: str = ""
    calibrated: bool = True
    state: str = ""

    @property
    def rate_hz(self) -> float:
        span_ns = self.last_t1_ns - self.first_t1_ns
        return (self.received - 1) * NS_PER_S / span_ns if span_ns > 0 else 0.0


@dataclass(slots=True)
class _TruthRow:
    """What there was to perceive, as the newest truth of one robot says."""

    received: int = 0
    names: str = ""


class _View:
    """What the table shows; knows messages, not the network."""

    def __init__(self, clock: Clock) -> None:
        self.embeddings = 0
        self.rows: dict[tuple[str, str], _Row] = {}
        self.truths: dict[tuple[str, str], _TruthRow] = {}
        self.robots: dict[str, str] = {}
        self.recordings: dict[str, str] = {}
        self._clock = clock

    def add(self, heard: Heard) -> None:
        content = heard.content
        if isinstance(content, Received):
            self._embedding(heard.robot, content)
        elif isinstance(content, LabelReport):
            row = self._row(heard.robot, content.s)
            row.label, row.calibrated = _best(content), content.calibrated
        elif isinstance(content, TruthReport):
            truth = self.truths.setdefault((heard.robot, content.s), _TruthRow())
            truth.received += 1
            truth.names = _names(content)
        elif isinstance(content, SourceReport):
            why = f": {content.why}" if content.why else ""
            self._row(heard.robot, content.s).state = content.state + why
        elif isinstance(content, StatusReport):
            self.robots[heard.robot] = content.state
        elif isinstance(content, RecordingReport):
            why = f": {content.why}" if content.why else ""
            self.recordings[heard.robot] = f", recording {content.path}"
            if content.state != "recording":
                self.recordings[heard.robot] = f", recording {content.state}{why}"

    def _embedding(self, robot: str, received: Received) -> None:
        self.embeddings += 1
        embedding = received.embedding
        row = self._row(robot, embedding.stream)
        row.received += 1
        row.last_t1_ns = embedding.span.end_ns
        row.first_t1_ns = row.first_t1_ns or embedding.span.end_ns
        row.coverage = embedding.quality.coverage
        row.delay_ms = (self._clock.now_ns() - embedding.ledger.closed_ns) / 1e6

    def _row(self, robot: str, stream: str) -> _Row:
        return self.rows.setdefault((robot, stream), _Row())

    def __rich__(self) -> Table:
        said = ", ".join(
            f"{robot} {state}{self.recordings.get(robot, '')}"
            for robot, state in sorted(self.robots.items())
        )
        table = Table(
            title=said or "nobody heard yet",
            title_justify="left",
            caption=None if all(row.calibrated for row in self.rows.values()) else UNCALIBRATED,
        )
        for name in ("stream", "label"):
            table.add_column(name, no_wrap=True)
        for name in ("number", "rate", "delay", "coverage"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("source")
        for (robot, stream), row in sorted(self.rows.items()):
            table.add_row(
                f"{robot}/{stream}",
                Text(row.label),
                str(row.received),
                f"{row.rate_hz:.1f} Hz",
                f"{row.delay_ms:.0f} ms",
                f"{row.coverage:.0%}",
                Text(row.state),
            )
        for (robot, stream), truth in sorted(self.truths.items()):
            told = f"{robot}/{stream}", Text(truth.names), str(truth.received)
            table.add_row(*told, "", "", "", "ground truth")
        return table


def _best(report: LabelReport) -> str:
    names = [score.l for score in report.top]
    return best([s.p for s in report.top], names, report.none, calibrated=report.calibrated)


def _names(report: TruthReport) -> str:
    """What any modality could perceive, each once."""
    names = dict.fromkeys(name for present in report.present.values() for name in present)
    return ", ".join(names) or "nothing"


def _report(subscriber: Subscriber, view: _View) -> dict[str, Any]:
    """`ok` when something was heard and nothing is missing."""
    missing = sum(each.missing for each in subscriber.continuity.values())
    return {
        "command": "listen",
        "ok": view.embeddings > 0 and missing == 0,
        "why": "" if view.embeddings else subscriber.why,
        "embeddings": view.embeddings,
        "missing": missing,
        "duplicates": sum(each.duplicates for each in subscriber.continuity.values()),
        "malformed": subscriber.malformed,
        "connections": subscriber.connections,
        "streams": {
            f"{robot}/{stream}": {
                "embeddings": row.received,
                "rate_hz": round(row.rate_hz, 3),
                "delay_ms": round(row.delay_ms, 3),
                "label": row.label,
            }
            for (robot, stream), row in sorted(view.rows.items())
        },
        "truths": {
            f"{r}/{stream}": row.received for (r, stream), row in sorted(view.truths.items())
        },
    }
