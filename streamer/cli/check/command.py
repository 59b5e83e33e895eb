"""`streamer check`: would this configuration run, and what would it publish?"""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from configs.load import load_sensors
from configs.schema import RunConfig
from sinks.mqtt.sink import MqttSink
from streamer.cli.check.look import Look, look_at
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs
from streamer.cli.session import preflight
from streamer.protocols import Source


def check(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, live, media, robot.")],
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long to look at each source.")
    ] = 3.0,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Validate a configuration, watch its sources for a moment, and say what would be published.

    All sources are open side by side, as in a run. Nothing is encoded and nothing published. Rates
    are those of the time stamps; jitter is how unevenly they are spaced, age how long after it was
    taken a sample came (half of them, 99 of 100). Ends with status 1 if a stream is not ok.
    """
    say_logs()
    with one_line_errors("check", as_json=as_json):
        settings = load_sensors(config, overrides or ())
        preflight(settings.model_copy(update={"record": None}))
        seen = asyncio.run(_look_at_all(settings.sources, seconds))
    topics = _topics(settings)
    console.print(_table(seen))
    for look in seen:
        if look.verdict != "ok":
            # Reasons of lost sources begin with their stream.
            verdict = look.verdict.removeprefix(f"{look.stream}: ")
            said = f"[bold red]{escape(look.stream)}[/]: {escape(verdict)}"
            console.print(said, soft_wrap=True)
    ok = all(look.verdict == "ok" for look in seen)
    for topic in topics if ok else ():
        console.print(f"would publish [bold]{topic}[/]")
    if as_json:
        streams = {look.stream: look.report() for look in seen}
        emit({"command": "check", "ok": ok, "streams": streams, "topics": topics})
    if not ok:
        raise typer.Exit(1)


async def _look_at_all(sources: Sequence[Source], seconds: float) -> list[Look]:
    looks = await asyncio.gather(*(look_at(source, seconds) for source in sources))
    return [look for of_source in looks for look in of_source]


def _table(looks: Sequence[Look]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("stream", "", "Hz", "jitter ms", "age ms", "cover", "drops"):
        table.add_column(name, no_wrap=True)
    table.add_column("what")
    for look in looks:
        report, ages_ms = look.report(), look.timing.ages_ms
        jitter_ms = look.timing.jitter_ms
        table.add_row(
            escape(look.stream),
            "[green]ok[/]" if look.verdict == "ok" else "[bold red]bad[/]",
            f"{report['rate_hz']:g}",
            "-" if jitter_ms is None else f"{jitter_ms:.3g}",
            "-" if ages_ms is None else f"{ages_ms[0]:.3g} / {ages_ms[1]:.3g}",
            f"{report['coverage']:.0%}",
            "\n".join(f"{count} {cause}" for cause, count in look.dropped.items()) or "-",
            look.what or look.modality,
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
