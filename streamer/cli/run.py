"""`streamer run`: the sources of a configuration to embeddings and labels on its sinks."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from configs.load import load
from streamer.cli import recorded, session
from streamer.cli.output import (
    Json,
    Overrides,
    console,
    emit,
    live_view,
    one_line_errors,
    say_logs,
    say_lost,
)
from streamer.cli.progress import Progress, line, shortened
from streamer.pipeline import Pipeline

log = logging.getLogger(__name__)

TELL_S = 15.0


def run(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, live, media, robot.")],
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this long; default: at the end.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Run a configuration: sensors or files in, embeddings and labels out.

    Files are read as fast as the encoder takes them and nothing is dropped; live sensors drop
    whole ticks rather than lag. Ctrl-C drains and leaves; a second one ends at once.
    """
    say_logs()
    with one_line_errors("run", as_json=as_json):
        settings = load(config, overrides or ())
        session.preflight(settings)
        if not settings.sinks:
            log.warning("no sinks: nothing will be published")
        with (
            settings.encoder.open(settings.modalities, text=bool(settings.labels)) as encoder,
            live_view() as show,
        ):

            def watch(pipeline: Pipeline) -> None:
                show(Progress(pipeline))
                if not console.is_terminal:
                    tell(partial(line, pipeline))

            report = asyncio.run(session.run(settings, encoder, seconds=seconds, watch=watch))
    lost = losses(report)
    console.print(summary(report), markup=False, soft_wrap=True)
    say_lost(lost)
    if as_json:
        emit({"command": "run", "ok": not lost, "lost": lost, **report})
    if lost:
        raise typer.Exit(1)


def losses(report: dict[str, Any]) -> list[str]:
    """What the run was asked to deliver and did not: one line each, empty when all is well.

    A run that was stopped early may have ended before a stream's first window was full.
    """
    lost: list[str] = []
    for name, stream in report["streams"].items():
        if not stream["samples"]["produced"]:
            lost.append(f"stream {name}: no sample came")
        elif not stream["embeddings"] and not report["stopped"]:
            causes = ", ".join(f"{n} {cause}" for cause, n in stream["absent"].items())
            lost.append(
                f"stream {name}: no window was full enough (ticks without: {causes or 'none'}); "
                "is it too short, or are its time stamps wrong?"
            )
        if not report["live"]:
            # A file loses nothing: what was dropped is a fault in the file.
            for cause, count in stream["samples"]["dropped"].items():
                lost.append(f"stream {name}: {count} samples ({cause})")
    for cause, count in report["embeddings"]["dropped"].items():
        lost.append(f"{count} embeddings ({cause})")
    for cause, count in report["truths"]["dropped"].items():
        lost.append(f"{count} truths ({cause})")
    for sink in report["sinks"]:
        for cause, count in sink["dropped"].items():
            # A state that a newer one replaced before it was sent is no loss.
            if cause != "superseded":
                lost.append(f"sink {sink['kind']}: {count} messages ({cause})")
        if sink["pending"]:
            lost.append(f"sink {sink['kind']}: {sink['pending']} messages not sent")
    return lost + (recorded.losses(report["record"]) if "record" in report else [])


def tell(say: Callable[[], str]) -> None:
    """Progress where no table can be shown: a log line now and then, while the loop runs."""
    asyncio.get_running_loop().call_later(TELL_S, partial(tell, say))
    if told := say():
        log.info("%s", told)


def summary(report: dict[str, Any]) -> str:
    """What the run took, a line for each stream that was lost on the way, what was recorded."""
    took = (
        f"{report['ticks']['delivered']} ticks in {report['wall_s']:.1f} s, "
        f"{report['peak_memory_mb']:.0f} MB at most"
    )
    lost = (
        f"stream {stream}: {_outages(stream, source)}"
        for stream, source in report["sources"].items()
        if source["outages"]
    )
    kept = [recorded.summary(report["record"])] if "record" in report else []
    return "\n".join((took, *lost, *kept))


def _outages(stream: str, source: dict[str, Any]) -> str:
    told = [_counted(source["outages"], "outage")]
    if source["restarts"]:
        told.append(_counted(source["restarts"], "restart"))
    if source["state"] != "online" and source["why"] != "ended":
        why = source["why"].removeprefix(f"{stream}: ")
        told.append(f"{source['state']} at the end: {shortened(why)}")
    return ", ".join(told)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
