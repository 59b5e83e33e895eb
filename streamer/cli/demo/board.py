"""What the demo shows: the belief of every sense beside the truth, and the score at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from streamer.cli.demo.judge import Judgement, Verdict, belief
from streamer.cli.demo.scores import RECENT, Row, Scores, overall
from streamer.cli.labels import UNCALIBRATED
from streamer.fusion import FUSED
from streamer.metrics import Latencies, cpu_seconds
from streamer.protocols import Clock
from streamer.types import NS_PER_S, Embedding

WIDE = 100
"""From this many columns on, all of them are shown; below it, what says whether it works."""
_MARKS: Mapping[Verdict, tuple[str, str]] = {"hit": ("✓", "green"), "miss": ("✗", "red")}
_UNJUDGED = "·", "bright_black"
_DIM = "bright_black"
_LEGEND = "✓ right   ✗ wrong   · not judged: the scene changed, or nothing was there for this sense"


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time since a moment, as a share of one core."""

    since_ns: int
    cpu_s: float

    @classmethod
    def start(cls, clock: Clock) -> "Usage":
        return cls(clock.now_ns(), cpu_seconds())

    def share(self, clock: Clock) -> float:
        wall_s = (clock.now_ns() - self.since_ns) / NS_PER_S
        return (cpu_seconds() - self.cpu_s) / wall_s if wall_s > 0 else 0.0


class Board:
    """The live view. `encode` is how long ticks took; `where` tells where else to listen.

    `scene_s` is how long a scene lasts, None where there are none. Everything is asked for when it
    is drawn; nothing is changed by it.
    """

    def __init__(
        self, scores: Scores, encode: Latencies, clock: Clock, where: str, scene_s: float | None
    ) -> None:
        self._scores, self._encode, self._clock = scores, encode, clock
        self._where, self._scene_s = where, scene_s
        self._usage = Usage.start(clock)

    @property
    def cpu_share(self) -> float:
        return self._usage.share(self._clock)

    def line(self) -> str:
        """The same in one line, for a log."""
        rows = self._scores.rows
        told = [f"{stream} {_ratio(row.hits, row.total)}" for stream, row in rows.items()]
        return f"{self._scene()}; right so far: {', '.join(told)}; {self._pace()}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        yield Text()
        header = Table.grid(Column(ratio=1), Column(justify="right"), expand=True)
        header.add_row(Text(f" {self._scene()}", "bold"), Text(f"{self._pace()} ", _DIM))
        yield header
        yield self._table(wide)
        if wide:
            yield Text(f" {_LEGEND}", _DIM)
        yield Text(f" {self._where}", _DIM)
        if not self._calibrated:
            yield Text(f" {UNCALIBRATED}", _DIM)

    def _table(self, wide: bool) -> Table:
        table = Table(
            Column("sense", width=10),
            Column("believes", ratio=1),
            Column("", justify="right", width=4),
            Column("", width=1),
            Column("truth", ratio=1),
            Column("right", justify="right", width=11),
            box=SIMPLE_HEAD,
            header_style=_DIM,
            border_style=_DIM,
            expand=True,
            padding=(0, 1, 0, 0),
        )
        if wide:
            table.add_column("lately", width=RECENT)
            for name, width in (("rate", 6), ("age", 6), ("there", 5)):
                table.add_column(name, justify="right", width=width)
        for column in table.columns:
            column.no_wrap, column.overflow = True, "ellipsis"
        rows = self._scores.rows
        for stream, row in rows.items():
            if stream == FUSED:
                table.add_section()
            cells = [Text(stream, "bold"), *_said(row), Text(_ratio(row.hits, row.total))]
            if wide:
                cells += [_history(row), *self._figures(row)]
            table.add_row(*cells)
        return table

    def _figures(self, row: Row) -> list[Text]:
        """Embeddings a second, time since the newest capture, coverage."""
        if row.latest is None:
            return [Text(), Text(), Text()]
        age_s = (self._clock.now_ns() - row.latest.ledger.capture_ns) / NS_PER_S
        told = f"{row.rate_hz:.1f}/s", f"{age_s:.1f} s", f"{row.latest.quality.coverage:.0%}"
        return [Text(each, _DIM) for each in told]

    def _scene(self) -> str:
        began_ns = self._scores.began_ns
        if began_ns is None:
            return "waiting for the first truth"
        since_s = (self._clock.now_ns() - began_ns) / NS_PER_S
        if self._scene_s is None:
            return f"{since_s:.0f} s"
        number, at_s = divmod(since_s, self._scene_s)
        return f"scene {number + 1:.0f}, {at_s:.0f} s"

    def _pace(self) -> str:
        encode = self._encode.report().get("p50_ms")
        pace = "" if encode is None else f"encoding {encode:.0f} ms a tick, "
        return f"{pace}CPU {self.cpu_share:.0%} of a core"

    @property
    def _calibrated(self) -> bool:
        latest = [row.latest for row in self._scores.rows.values() if row.latest]
        return all(each.labels is None or each.labels.calibrated for each in latest)


def _said(row: Row) -> tuple[Text, Text, Text, Text]:
    """What is believed, how firmly, whether that is right, and what is true."""
    if row.latest is None:
        return Text("nothing yet", _DIM), Text(), Text(), Text()
    judged = row.judged
    # The newest window whose truth is known: both sides are of the same moment.
    embedding, judgement = judged or (row.latest, None)
    name, probability = _belief(embedding)
    mark = Text(*_mark(judgement.verdict)) if judgement else Text()
    firm = Text(probability, _DIM)
    return Text(name), firm, mark, _truth(judgement, name) if judgement else Text()


def _belief(embedding: Embedding) -> tuple[str, str]:
    if embedding.labels is None:
        return "", ""
    name, probability = belief(embedding.labels)
    star = "" if embedding.labels.calibrated else "*"
    return _short(name) if name else "none of these", f"{probability:.0%}{star}"


def _short(name: str) -> str:
    """The robot is the one who speaks here."""
    return name.removeprefix("the robot ")


def _mark(verdict: Verdict) -> tuple[str, str]:
    return _MARKS.get(verdict, _UNJUDGED)


def _truth(judgement: Judgement, believed: str) -> Text:
    """What is true: first what the belief has got right, the others as a number."""
    if judgement.verdict == "unknown":
        return Text("not known", _DIM)
    names = sorted(map(_short, judgement.present), key=lambda name: name != believed)
    style = "" if judgement.verdict in _MARKS else _DIM
    if not names:
        return Text("nothing to perceive" if judgement.verdict == "nothing" else "nothing", _DIM)
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return Text.assemble((names[0], style), (more, _DIM))


def _history(row: Row) -> Text:
    """A dot for each of the newest windows."""
    dots = [("•" if verdict in _MARKS else "·", _mark(verdict)[1]) for verdict in row.recent]
    return Text.assemble(*dots)


def _ratio(hits: int, total: int) -> str:
    return f"{hits}/{total} {hits / total:4.0%}" if total else "-"


def summary(scores: Scores, report: Mapping[str, Any], cpu_share: float) -> RenderableType:
    """The score of a run that is over, and what it took."""
    table = Table("sense", box=SIMPLE_HEAD, header_style=_DIM, border_style=_DIM)
    for name in ("embeddings", "judged", "right", "rate", "changing", "nothing there"):
        table.add_column(name, justify="right", no_wrap=True)
    for stream, row in scores.rows.items():
        if stream == FUSED:
            table.add_section()
        table.add_row(
            Text(stream, "bold"),
            str(row.embeddings),
            str(row.total),
            str(row.hits),
            f"{row.hits / row.total:.0%}" if row.total else "-",
            Text(str(row.verdicts.get("changed", 0)), _DIM),
            Text(str(row.verdicts.get("nothing", 0)), _DIM),
        )
    hits, total = overall(scores.rows)
    lines = [
        f"{_ratio(hits, total)} right over all senses",
        f"{report['ticks']['delivered']} ticks, dropped: {_causes(report)}",
        f"{_percentiles(report)}",
        f"CPU {cpu_share:.0%} of a core, {report['peak_memory_mb']:.0f} MB at most",
    ]
    return Group(table, *(Text(f" {line}") for line in lines))


def _causes(report: Mapping[str, Any]) -> str:
    """Everything that was dropped on the way, by what it was and why."""
    accounts = {"ticks": report["ticks"], "embeddings": report["embeddings"]}
    accounts |= {f"samples of {n}": each["samples"] for n, each in report["streams"].items()}
    accounts |= {f"messages to {sink['kind']}": sink for sink in report["sinks"]}
    told = [
        f"{number} {name} ({cause})"
        for name, account in accounts.items()
        for cause, number in account["dropped"].items()
    ]
    return ", ".join(told) or "none"


def _percentiles(report: Mapping[str, Any]) -> str:
    told = [
        f"{stage.replace('_', ' ')} {each['p50_ms']:.0f} / {each['p99_ms']:.0f} ms"
        for stage, each in report["latency"].items()
        if each["n"]
    ]
    return f"median / 99 %: {', '.join(told)}" if told else "nothing was encoded"
