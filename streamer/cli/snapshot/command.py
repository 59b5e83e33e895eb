"""`streamer snapshot`: what each sensor sees, hears and feels, as pictures."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.markup import escape

from configs.load import load_sensors
from configs.schema import RunConfig
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs
from streamer.cli.snapshot.draw import draw
from streamer.cli.snapshot.drawing import Picture
from streamer.cli.snapshot.take import Taken, take
from streamer.errors import ConfigError, SourceLost
from streamer.protocols import Source


def snapshot(
    config: Annotated[str, typer.Argument(help="A YAML file, or demo, live, media, robot.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder for the pictures; made if need be.")
    ],
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="How much sound and motion to show.")
    ] = 5.0,
    force: Annotated[bool, typer.Option(help="Replace pictures that are there.")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Draw one picture a sensor, to see whether each is right: the right way up, in the right unit.

    Each stream becomes STREAM.png: the newest camera frame; depth and heat in colour with a scale
    in metres and degrees; sound as waveform and spectrogram; motion as traces. What looks wrong is
    said below, in red. Nothing is encoded and nothing published. Ends with status 1 if a sensor
    gave nothing; what only looks wrong is left to you.
    """
    say_logs()
    with one_line_errors("snapshot", as_json=as_json):
        settings = load_sensors(config, overrides or ())
        files = _files(settings, out, force=force)
        taken = asyncio.run(_take_all(settings.sources, seconds))
        report = {each.stream: _put(each, files[each.stream]) for each in taken}
    ok = all(of_stream["file"] for of_stream in report.values())
    if as_json:
        emit({"command": "snapshot", "ok": ok, "streams": report})
    if not ok:
        raise typer.Exit(1)


def _files(config: RunConfig, folder: Path, *, force: bool) -> dict[str, Path]:
    """Where each stream goes; the folder is there afterwards. Raises `ConfigError`."""
    names = [info.name for source in config.sources for info in source.streams]
    files = {name: folder / f"{name}.png" for name in names}
    there = [str(path) for path in files.values() if path.exists()]
    if there and not force:
        raise ConfigError(f"{', '.join(there)}: there already; --force replaces them")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder to write to ({error.strerror})") from None
    return files


async def _take_all(sources: Sequence[Source], seconds: float) -> list[Taken]:
    taken = await asyncio.gather(*(take(source, seconds) for source in sources))
    return [each for of_source in taken for each in of_source]


def _put(taken: Taken, path: Path) -> dict[str, Any]:
    """Draw and write one stream; say so."""
    why, notes, file = taken.why, (), None
    if taken.samples:
        try:
            picture, notes = draw(taken)
            _write(picture, path)
            file = str(path)
        except SourceLost as error:
            why = str(error)
    if file is None:
        said = escape(why.removeprefix(f"{taken.stream}: "))
        console.print(f"[bold red]{escape(taken.stream)}[/]: {said}", soft_wrap=True)
    else:
        console.print(f"[bold]{escape(file)}[/]", soft_wrap=True)
    for note in notes:
        text = escape(note.text)
        console.print(f"  [bold red]! {text}[/]" if note.bad else f"  {text}", soft_wrap=True)
    said = [{"text": note.text, "bad": note.bad} for note in notes]
    return {"modality": taken.modality, "file": file, "why": why, "notes": said}


def _write(picture: Picture, path: Path) -> None:
    """Raises `ConfigError`."""
    _, encoded = cv2.imencode(".png", picture[:, :, ::-1])
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None
