"""`streamer check`: would this configuration run, and what would it publish?"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table

from configs.load import load
from configs.schema import RunConfig
from sinks.mqtt.sink import MqttSink
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs
from streamer.cli.session import preflight
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.protocols import Source
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, Truth, pixels


def check(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, media, robot.")],
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long to look at each source.")
    ] = 2.0,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Validate a configuration, open its sources for a moment, and say what would be published.

    Nothing is encoded and nothing published. Rates are those of the time stamps.
    """
    say_logs()
    with one_line_errors("check", as_json=as_json):
        settings = load(config, overrides or ())
        preflight(settings)
        seen = asyncio.run(_look_at_all(settings.sources, seconds))
    topics = _topics(settings)
    console.print(_table(seen))
    ok = all(look.verdict == "ok" for look in seen)
    for topic in topics if ok else ():
        console.print(f"would publish [bold]{topic}[/]")
    if as_json:
        streams = {look.stream: look.report() for look in seen}
        emit({"command": "check", "ok": ok, "streams": streams, "topics": topics})
    if not ok:
        raise typer.Exit(1)


HIGHEST_HZ = {"vision": 1e4, "depth": 1e4, "thermal": 1e4, "audio": 1e6, "imu": 1e5}
"""No sensor of a robot is faster; a higher rate means that stamps are read in the wrong unit."""


@dataclass(slots=True)
class Look:
    """What was seen of one stream."""

    stream: str
    modality: str
    samples: int = 0
    first_ns: int = 0
    end_ns: int = 0
    covered_ns: int = 0
    readings: int = 0
    what: str = ""
    why: str = ""

    @property
    def verdict(self) -> str:
        if self.why or not self.samples:
            return self.why or "no sample came"
        highest_hz = HIGHEST_HZ[self.modality]
        if self.rate_hz > highest_hz:
            return f"{self.rate_hz:.3g} Hz is not possible: are the units of its time right?"
        return "ok"

    @property
    def rate_hz(self) -> float:
        """Pictures, sound samples or readings a second of its own time."""
        span_ns = self.end_ns - self.first_ns
        return self.readings * NS_PER_S / span_ns if span_ns > 0 else 0.0

    def add(self, sample: Sample) -> None:
        if not self.samples:
            self.first_ns = sample.t_ns
            self.what = _describe(sample)
        self.samples += 1
        self.end_ns = max(self.end_ns, sample.end_ns)
        self.covered_ns += sample.duration_ns
        self.readings += _readings(sample)

    def report(self) -> dict[str, Any]:
        span_s = (self.end_ns - self.first_ns) / NS_PER_S
        return {
            "modality": self.modality,
            "verdict": self.verdict,
            "samples": self.samples,
            "rate_hz": round(self.rate_hz, 2),
            "coverage": round(min(1.0, self.covered_ns / NS_PER_S / span_s), 3) if span_s else 0.0,
            "what": self.what,
        }


async def _look_at_all(sources: Sequence[Source], seconds: float) -> list[Look]:
    looks = await asyncio.gather(*(_look_at(source, seconds) for source in sources))
    return [look for of_source in looks for look in of_source]


async def _look_at(source: Source, seconds: float) -> list[Look]:
    """Read until `seconds` have passed, of wall time or in every stream's own time."""
    clock = SystemClock()
    looks = {info.name: Look(info.name, info.modality) for info in source.streams}
    enough_ns = int(seconds * NS_PER_S)

    async def read() -> None:
        async with source.open(clock) as samples:
            async for sample in samples:
                if isinstance(sample, Truth):
                    continue
                look = looks[sample.stream]
                look.add(sample)
                if not source.live and all(
                    each.end_ns - each.first_ns >= enough_ns for each in looks.values()
                ):
                    return

    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(read(), seconds if source.live else 30 + seconds)
    except SourceLost as error:
        for look in looks.values():
            look.why = str(error)
    return list(looks.values())


def _describe(sample: Sample) -> str:
    if isinstance(sample.data, AudioBlock):
        return f"{sample.data.rate_hz} Hz, blocks of {len(sample.data.samples)}"
    if isinstance(sample.data, ImuBlock):
        return f"6 axes, blocks of {len(sample.data.t_ns)}"
    picture = pixels(sample)
    return f"{picture.dtype} {'x'.join(map(str, picture.shape))}"


def _readings(sample: Sample) -> int:
    """Pictures, sound samples or inertial readings."""
    if isinstance(sample.data, AudioBlock):
        return len(sample.data.samples)
    if isinstance(sample.data, ImuBlock):
        return len(sample.data.t_ns)
    return 1


def _table(looks: Sequence[Look]) -> Table:
    table = Table("stream", "modality", "rate", "coverage", "what", "verdict")
    for look in looks:
        report = look.report()
        table.add_row(
            look.stream,
            look.modality,
            f"{report['rate_hz']:g} Hz",
            f"{report['coverage']:.0%}",
            look.what,
            look.verdict,
        )
    return table


def _topics(settings: RunConfig) -> list[str]:
    """Every topic under which embeddings and labels would appear."""
    streams: list[tuple[str, str]] = [
        (info.modality, info.name) for source in settings.sources for info in source.streams
    ]
    if settings.fusion.enabled:
        streams.append(("fused", "fused"))
    found: list[str] = []
    for sink in settings.sinks:
        if isinstance(sink, MqttSink):
            found += [sink.topics.embedding(m, s) for m, s in streams]
            if settings.labels:
                found += [sink.topics.label(m, s) for m, s in streams]
    return found
