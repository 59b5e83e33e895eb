"""How a run goes, while it goes: a table for a terminal, a line for a log."""

from rich.table import Table
from rich.text import Text

from streamer.cli.labels import UNCALIBRATED, best
from streamer.fusion import FUSED
from streamer.pipeline import Pipeline
from streamer.types import Embedding, SourceStatus

_DIM = "bright_black"
_WHY_CHARACTERS = 60


class Progress:
    """The table that rich asks for again and again: a row for every stream of the configuration.

    It shows the newest label; of a stream that is not online its state instead, for the label is
    of a time that is over.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __rich__(self) -> Table:
        pipeline = self._pipeline
        encode = pipeline.latencies["encode"].report().get("p50_ms")
        pace = "waiting for the first window" if encode is None else f"{encode:.0f} ms a tick"
        caption = "\n".join(filter(None, (_caption(pipeline), *_waits(pipeline))))
        table = Table(title=f"encoding: {pace}", title_justify="left", caption=caption or None)
        table.add_column("stream", no_wrap=True)
        # The one that gives way where there is little room.
        table.add_column("label")
        for name in ("embeddings", "coverage"):
            table.add_column(name, justify="right", no_wrap=True)
        for stream in sorted({*pipeline.states.outages, *pipeline.latest}):
            latest = pipeline.latest.get(stream)
            said = self._said(stream, latest)
            said.no_wrap, said.overflow = True, "ellipsis"
            table.add_row(
                stream,
                said,
                str(pipeline.published.get(stream, 0)),
                f"{latest.quality.coverage:.0%}" if latest else "",
            )
        return table

    def _said(self, stream: str, latest: Embedding | None) -> Text:
        away = _away(self._pipeline)
        if stream in away:
            status = away[stream]
            return Text(
                f"{status.state}: {shortened(status.why.removeprefix(f'{status.stream}: '))}",
                "yellow",
            )
        if stream == FUSED and len(away) == len(self._pipeline.states.outages):
            return Text("no stream is online", "yellow")
        return Text(_label(latest)) if latest else Text("nothing yet", _DIM)


def line(pipeline: Pipeline) -> str:
    """The same in one line: embeddings by stream, who is away, which sinks are behind.

    Empty while there is nothing to tell.
    """
    parts: list[str] = []
    if pipeline.published:
        counts = (f"{name} {count}" for name, count in pipeline.published.items())
        parts.append(f"embeddings: {', '.join(counts)}")
    away = _away(pipeline)
    for state in ("offline", "stalled"):
        names = ", ".join(stream for stream, status in away.items() if status.state == state)
        parts += [f"{state}: {names}"] if names else []
    return "; ".join((*parts, *_waits(pipeline)))


def shortened(why: str) -> str:
    """A reason on one line of bounded length."""
    text = " ".join(why.split())
    return text if len(text) <= _WHY_CHARACTERS else f"{text[: _WHY_CHARACTERS - 1]}…"


def _away(pipeline: Pipeline) -> dict[str, SourceStatus]:
    """A file that was read to its end is not away."""
    return pipeline.states.away if pipeline.live else {}


def _waits(pipeline: Pipeline) -> list[str]:
    """Sinks that are behind, and why."""
    reports = [sink.report() for sink in pipeline.sinks]
    return [
        f"{report['pending']} messages wait: {report['why']}"
        for report in reports
        if report["pending"] and report.get("why")
    ]


def _caption(pipeline: Pipeline) -> str | None:
    labels = [embedding.labels for embedding in pipeline.latest.values() if embedding.labels]
    return UNCALIBRATED if any(not each.calibrated for each in labels) else None


def _label(embedding: Embedding) -> str:
    labels = embedding.labels
    if labels is None:
        return ""
    return best(
        labels.probabilities.tolist(), labels.names, labels.none, calibrated=labels.calibrated
    )
