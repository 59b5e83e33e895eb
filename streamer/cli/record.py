"""`streamer record`: the sensors of a configuration into a log."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from configs.load import load_sensors
from configs.record import Record
from encoders.noop import NoopEncoder
from streamer.cli import session
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs, say_lost
from streamer.cli.run import losses


def record(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, live, media, robot.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to make (.mcap).")],
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long.")] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Record the sensors of CONFIG, and nothing that is made of them.

    Ctrl-C ends the recording. The log replays exactly: streamer replay LOG --verify
    """
    say_logs()
    with one_line_errors("record", as_json=as_json):
        settings = load_sensors(config, overrides or ())
        keep = settings.record or Record(path=output)
        keep = keep.model_copy(update={"path": output, "embeddings": False})
        noop = NoopEncoder(dim=2)
        bare = settings.model_copy(
            update={"encoder": noop, "labels": False, "sinks": (), "record": keep}
        )
        session.preflight(bare)
        with noop.open(bare.modalities, text=False) as encoder:
            report = asyncio.run(session.run(bare, encoder, seconds=seconds, recorded_as=settings))
    lost = losses(report)
    console.print(f"{output}: {report['record']}", markup=False, soft_wrap=True)
    say_lost(lost)
    if as_json:
        emit({"command": "record", "ok": not lost, "lost": lost, **report})
    if lost:
        raise typer.Exit(1)
