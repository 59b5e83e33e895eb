"""`streamer demo`: what each sense of a simulated robot believes, and whether that is right."""

import asyncio
import io
import logging
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from configs.load import load
from configs.schema import RunConfig
from sinks.mqtt.sink import MqttSink
from sources.world.curves import SCENE_S
from sources.world.source import World
from streamer.cli import session
from streamer.cli.demo.board import Board, summary
from streamer.cli.demo.scores import Scores, overall, wrong
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
from streamer.cli.run import losses
from streamer.clock import SystemClock
from streamer.errors import ConfigError
from streamer.fusion import FUSED
from streamer.pipeline import Pipeline

log = logging.getLogger(__name__)

TELL_S = 5.0
UNWATCHED_S = 20.0
PICTURE_COLUMNS = 116


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Stop after this long; default: Ctrl-C, or 20 off a terminal."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another world; the same number, the same scenes.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write the view at the end to this SVG file.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Run the built-in demo, and hold what the model says against the truth.

    Ends with status 0 when the labels were mostly right: at least half of those of each sense with
    five or more judged windows, and 60 % of all. Windows during which the scene changed, or in
    which a sense could perceive nothing, are not judged.
    """
    say_logs()
    with one_line_errors("demo", as_json=as_json), live_view() as show:
        if console.is_terminal:
            # The view says it better.
            logging.getLogger().setLevel(logging.WARNING)
            show(Text("\n loading the model"))
        first = [] if seed is None else [f"sources.0.seed={seed}"]
        settings = load("demo", [*first, *(overrides or ())])
        if not settings.labels:
            raise ConfigError("labels: expected a label set; without labels nothing can be judged")
        session.preflight(settings)
        if seconds is None and not console.is_terminal:
            log.info("no terminal, so nobody to end it: stopping after %g s", UNWATCHED_S)
            seconds = UNWATCHED_S
        clock, scores = SystemClock(), Scores(_streams(settings))
        boards: list[Board] = []

        def watch(pipeline: Pipeline) -> None:
            encode = pipeline.latencies["encode"]
            board = Board(scores, encode, clock, _where(settings), _scene_s(settings))
            boards.append(board)
            if console.is_terminal:
                show(board)
            else:
                _tell(board)

        with settings.encoder.open(settings.modalities, text=True) as encoder:
            report = asyncio.run(
                session.run(settings, encoder, seconds=seconds, watch=watch, beside=[scores])
            )
        scores.finish()
        (board,) = boards
        cpu_share = board.cpu_share
        if picture is not None:
            _save(board, picture)
        show(summary(scores, report, cpu_share))
    lost, wrongs = losses(report), wrong(scores.rows)
    say_lost(lost)
    for line in wrongs:
        console.print(f"[bold red]wrong[/]: {line}", soft_wrap=True)
    if as_json:
        hits, judged = overall(scores.rows)
        emit(
            {"command": "demo", "ok": not lost and not wrongs, "lost": lost, "wrong": wrongs}
            | {"hits": hits, "judged": judged}
            | {"senses": {stream: row.report() for stream, row in scores.rows.items()}}
            | {"cpu_share": round(cpu_share, 3)}
            | report
        )
    if lost or wrongs:
        raise typer.Exit(1)


def _streams(settings: RunConfig) -> list[str]:
    streams = [info.name for source in settings.sources for info in source.streams]
    return [*streams, FUSED] if settings.fusion.enabled else streams


def _scene_s(settings: RunConfig) -> float | None:
    return SCENE_S if any(isinstance(source, World) for source in settings.sources) else None


def _where(settings: RunConfig) -> str:
    """Where somebody else can listen."""
    for sink in settings.sinks:
        if isinstance(sink, MqttSink):
            topics = f"{sink.topics.root}/#"
            return f"mqtt://{sink.host}:{sink.port}   {topics}  or: streamer listen"
    return ""


def _tell(board: Board) -> None:
    """Where no view can be shown: a log line now and then, while the loop runs."""
    again: Callable[[], None] = partial(_tell, board)
    asyncio.get_running_loop().call_later(TELL_S, again)
    log.info("%s", board.line())


def _save(board: Board, path: Path) -> None:
    page = Console(record=True, width=PICTURE_COLUMNS, file=io.StringIO(), force_terminal=True)
    page.print(board)
    drawn = page.export_svg(title="streamer demo")
    # Without the fonts that it would fetch from elsewhere (any monospace will do), and with the
    # spaces that some readers drop.
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    drawn = drawn.replace("<svg ", '<svg xml:space="preserve" ', 1)
    path.write_text(drawn, encoding="utf-8")
