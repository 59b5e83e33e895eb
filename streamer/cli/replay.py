"""`streamer replay`: a log through the same windows, encoder and sinks as when it was recorded."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from configs.load import load, parse_run
from configs.schema import RunConfig
from sources.replay.own import OwnLog
from sources.replay.source import Replay
from streamer.cli import session
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
from streamer.cli.progress import Progress
from streamer.cli.run import losses, summary
from streamer.clock import ReplayClock
from streamer.errors import ConfigError


def replay(
    log: Annotated[Path, typer.Argument(help="A recorded log.")],
    config: Annotated[
        str | None, typer.Option(help="Encoder, labels and sinks; default: those of the log.")
    ] = None,
    speed: Annotated[str, typer.Option(help="Times as fast as it was, or max.")] = "1",
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Replay LOG. Nothing is dropped at any speed."""
    say_logs()
    with one_line_errors("replay", as_json=as_json), live_view() as show:
        pace = _pace(speed)
        settings = _settings(log, config, overrides or ())
        session.preflight(settings)
        with settings.encoder.open(settings.modalities, text=bool(settings.labels)) as encoder:
            report = asyncio.run(
                session.run(
                    settings, encoder, watch=lambda p: show(Progress(p)), clock=ReplayClock(pace)
                )
            )
    lost = losses(report)
    console.print(summary(report), markup=False, soft_wrap=True)
    say_lost(lost)
    if as_json:
        emit({"command": "replay", "ok": not lost, "lost": lost, **report})
    if lost:
        raise typer.Exit(1)


def _pace(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        pace = float(speed)
    except ValueError:
        pace = 0.0
    if not 0.01 <= pace <= 1e6:
        raise ConfigError(f"--speed: expected max or a number from 0.01, got {speed}")
    return pace


def _settings(log: Path, config: str | None, overrides: list[str] | tuple[()]) -> RunConfig:
    """The log in the place of the sources. The sinks of the run that was recorded stay silent."""
    source = Replay(path=log)
    if config is not None:
        base = load(config, overrides)
        return base.model_copy(update={"sources": (source,), "record": None})
    own = OwnLog(log)
    own.close()
    if not own.about.config:
        raise ConfigError(f"{log}: holds no configuration; give one with --config")
    base = parse_run(own.about.config, str(log), overrides)
    return base.model_copy(update={"sources": (source,), "sinks": (), "record": None})
