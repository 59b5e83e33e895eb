"""`streamer record`: the sensors of a configuration into a log."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from configs.load import load_sensors
from encoders.noop import NoopEncoder
from sources.recording.recorder import Recorder
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
from streamer.cli.recorded import RecordProgress, losses, summary
from streamer.cli.run import TELL_S
from streamer.clock import SystemClock

log = logging.getLogger(__name__)


def record(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, live, media, robot.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="The file to make, in a folder that is there; its name may hold strftime codes "
            "(UTC): run-%Y%m%d-%H%M%S.mcap",
        ),
    ],
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this long; default: Ctrl-C.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Record the sensors of CONFIG into a log (MCAP), and nothing that is made of them.

    No model is loaded. How it records is the `record` part of CONFIG, or --set: record.pictures=png
    loses nothing, record.rotate_s=600 begins a new file every ten minutes, record.fsync=true
    survives a loss of power. Files from which CONFIG reads are recorded whole.

    Ctrl-C ends the recording and closes the file; killed, it holds all but the last second. The
    status is 0 if everything is in the file, 1 if something was lost or the disk took no more, 2
    if CONFIG is wrong or the file exists.

    Foxglove opens the log, and it replays exactly: streamer replay LOG. To record while embeddings
    are made too, give CONFIG a `record` part and use streamer run.
    """
    say_logs()
    with one_line_errors("record", as_json=as_json), live_view() as show:
        settings = load_sensors(config, overrides or (), record_to=output)
        keep = settings.record
        if keep is not None:
            keep = keep.model_copy(update={"embeddings": False})
        noop = NoopEncoder(dim=2)
        bare = settings.model_copy(
            update={"encoder": noop, "labels": False, "sinks": (), "record": keep}
        )
        session.preflight(bare)

        def watch(recorder: Recorder) -> None:
            progress = RecordProgress(recorder, SystemClock())
            show(progress)
            if not console.is_terminal:
                _tell(progress)

        with noop.open(bare.modalities, text=False) as encoder:
            report = asyncio.run(
                session.run(
                    bare,
                    encoder,
                    seconds=seconds,
                    recorded_as=settings,
                    watch_recorder=watch,
                    needs_recorder=True,
                )
            )
    lost = _losses(report)
    console.print(summary(report["record"]), markup=False, soft_wrap=True)
    say_lost(lost)
    if as_json:
        emit({"command": "record", "ok": not lost, "lost": lost, **report})
    if lost:
        raise typer.Exit(1)


def _losses(report: dict[str, Any]) -> list[str]:
    """What is not in the file. Windows are another matter: what they drop or miss is in it."""
    silent = [
        f"stream {name}: no sample came"
        for name, stream in report["streams"].items()
        if not stream["samples"]["produced"]
    ]
    return silent + losses(report["record"])


def _tell(progress: RecordProgress) -> None:
    """Progress where no table can be shown: a log line now and then, while the loop runs."""

    def again() -> None:
        log.info("%s", progress.line())
        _tell(progress)

    asyncio.get_running_loop().call_later(TELL_S, again)
