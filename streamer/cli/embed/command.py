"""`streamer embed`: vectors and labels of files, without a broker."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from safetensors import SafetensorError

from streamer.cli.embed.embedded import files_of, rows_of
from streamer.cli.embed.vectors import SUFFIXES, Row, write_lines, write_matrix
from streamer.cli.files import file_plan
from streamer.cli.inputs import As, Weights, reading, settings_for, warn_of_builtin
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs, say_lost
from streamer.cli.session import make_labeler, preflight
from streamer.errors import ConfigError, SinkLost

NO_WINDOW = "no window was full enough; try a smaller --hop or --set windows.min_coverage=0.1"

Hop = Annotated[
    float, typer.Option(min=0.1, max=60, help="Seconds from one window's end to the next.")
]


def embed(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Sound, video (a GoPro's with motion), pictures, tables (--as imu), .txt by lines."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A new .jsonl or .safetensors file; default: stdout."),
    ] = None,
    config: Annotated[
        str, typer.Option(help="The configuration whose encoder and labels are used.")
    ] = "demo",
    weights: Weights = None,
    holding: As = None,
    hop: Hop = 2.0,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Vectors and zero-shot labels of files, one record a window and modality, or a line of text.

    JSON lines: file, modality, t0_s and t1_s in the file (text: line and text), model,
    model_hash, vector, labels. Safetensors: a matrix `vectors` in float32, and `records`, the
    bytes of the same lines without vectors. `streamer search` looks through both.

    streamer embed ride.mp4 notes.txt -o ride.safetensors

    streamer embed depth/*.png --as depth -o depth.safetensors
    """
    say_logs()
    with one_line_errors("embed", as_json=as_json):
        kind = _kind(output)
        how = reading(holding)
        settings = settings_for(config, weights, overrides)
        warn_of_builtin(settings)
        preflight(settings.model_copy(update={"sources": (), "sinks": (), "record": None}))
        given = files_of(files, settings.windows.length_s.vision, how)
        plan = file_plan(settings, hop)
        text = bool(given.lines) or (bool(settings.labels) and bool(given.sources))
        rows: list[Row] = []
        lost: list[str] = []
        with (
            settings.encoder.open(given.modalities, text=text) as encoder,
            Progress(console=console, transient=True) as progress,
        ):
            model_hash = settings.encoder.model_hash()
            labeler, _ = make_labeler(settings, encoder, given.modalities)
            for path in progress.track(files, description="embedding"):
                found = rows_of(path, given, plan, encoder, model_hash, labeler)
                rows += found
                if not found:
                    lost.append(f"{path}: {NO_WINDOW}")
        _write(rows, output, kind)
    console.print(f"{len(rows)} vectors of {len(files)} files")
    say_lost(lost)
    if as_json:
        counts = {"files": len(files), "vectors": len(rows)}
        emit({"command": "embed", "ok": not lost, "lost": lost, **counts})
    if lost:
        raise typer.Exit(1)


def _kind(output: Path | None) -> str:
    if output is None:
        return ".jsonl"
    if output.suffix not in SUFFIXES:
        raise ConfigError(f"{output}: expected a name that ends in .jsonl or .safetensors")
    if output.exists():
        raise ConfigError(f"{output}: exists already; expected the name of a new file")
    if not output.parent.is_dir():
        raise ConfigError(f"{output}: expected an existing folder, {output.parent} is none")
    if not os.access(output.parent, os.W_OK):
        raise ConfigError(f"{output.parent}: expected a folder that can be written")
    return output.suffix


def _write(rows: Sequence[Row], output: Path | None, kind: str) -> None:
    if output is None:
        write_lines(rows, sys.stdout)
        return
    try:
        if kind == ".safetensors":
            write_matrix(rows, output)
        else:
            with output.open("x", encoding="utf-8") as file:
                write_lines(rows, file)
    except (OSError, SafetensorError) as error:
        raise SinkLost(f"{output}: cannot be written: {error}") from None
