"""`streamer embed`: vectors and labels of files, without a broker."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import typer
from rich.progress import Progress
from safetensors.numpy import save_file

from configs.load import load
from encoders.imagebind.runtime import ImageBindEncoder
from streamer.cli.files import embeddings_of, file_plan, modalities_of, source_of, start_ns
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs, say_lost
from streamer.cli.session import make_labeler, preflight
from streamer.errors import ConfigError
from streamer.types import NS_PER_S, Embedding

log = logging.getLogger(__name__)


def embed(
    files: Annotated[
        list[Path], typer.Argument(help="Pictures, sound or video; GoPro video has motion too.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A new .jsonl or .safetensors file; default: stdout."),
    ] = None,
    config: Annotated[
        str, typer.Option(help="The configuration whose encoder and labels are used.")
    ] = "demo",
    hop: Annotated[
        float, typer.Option(min=0.1, max=60, help="Seconds from one window's end to the next.")
    ] = 2.0,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Vectors and zero-shot labels of files, one record a window and modality.

    JSON lines: file, modality, t0_s and t1_s in the file, model, vector, labels. Safetensors: one
    matrix `vectors` in float32, and the same records in the metadata.
    """
    say_logs()
    with one_line_errors("embed", as_json=as_json):
        kind = _kind(output)
        settings = load(config, overrides or ())
        if isinstance(settings.encoder, ImageBindEncoder) and settings.encoder.weights == "builtin":
            log.warning(
                "the built-in model knows the simulated world and nothing else: these files"
            )
            log.warning("need other weights, such as --set encoder.weights=imagebind_huge.pth")
        still_s = settings.windows.length_s.vision
        preflight(settings.model_copy(update={"sources": (), "sinks": ()}))
        sources = {path: source_of(path, still_s) for path in files}
        modalities = modalities_of(sources.values())
        plan = file_plan(settings, hop)
        records: list[dict[str, Any]] = []
        lost: list[str] = []
        with (
            settings.encoder.open(modalities, text=bool(settings.labels)) as encoder,
            Progress(console=console, transient=True) as progress,
        ):
            labeler, _ = make_labeler(settings, encoder, modalities)
            for path in progress.track(files, description="embedding"):
                found = embeddings_of(sources[path], plan, encoder, labeler)
                records += [_record(path, each, start_ns(sources[path])) for each in found]
                if not found:
                    lost.append(f"{path}: no window was full enough; try a smaller --hop")
        _write(records, output, kind)
    console.print(f"{len(records)} vectors of {len(files)} files")
    say_lost(lost)
    if as_json:
        counts = {"files": len(files), "vectors": len(records)}
        emit({"command": "embed", "ok": not lost, "lost": lost, **counts})
    if lost:
        raise typer.Exit(1)


def _kind(output: Path | None) -> str:
    if output is None:
        return ".jsonl"
    if output.suffix not in (".jsonl", ".safetensors"):
        raise ConfigError(f"{output}: expected a name that ends in .jsonl or .safetensors")
    if output.exists():
        raise ConfigError(f"{output}: exists already; expected the name of a new file")
    if not output.parent.is_dir():
        raise ConfigError(f"{output}: expected an existing folder, {output.parent} is none")
    return output.suffix


def _record(path: Path, embedding: Embedding, zero_ns: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "file": str(path),
        "modality": embedding.modality,
        "t0_s": (embedding.span.start_ns - zero_ns) / NS_PER_S,
        "t1_s": (embedding.span.end_ns - zero_ns) / NS_PER_S,
        "model": embedding.model,
        "vector": [float(x) for x in embedding.vector],
    }
    if embedding.labels is not None:
        rows = zip(
            embedding.labels.names,
            embedding.labels.probabilities.tolist(),
            embedding.labels.cosines.tolist(),
            strict=True,
        )
        best = sorted(rows, key=lambda row: -row[1])
        record["labels"] = [{"label": n, "p": p, "cosine": c} for n, p, c in best]
        record["calibrated"] = embedding.labels.calibrated
    return record


def _write(records: Sequence[dict[str, Any]], output: Path | None, kind: str) -> None:
    if kind == ".safetensors":
        assert output is not None  # noqa: S101 - _kind allows stdout for .jsonl only
        vectors = np.array([record["vector"] for record in records], np.float32)
        plain = [{k: v for k, v in record.items() if k != "vector"} for record in records]
        save_file({"vectors": vectors}, output, metadata={"records": json.dumps(plain)})
        return
    if output is None:
        _lines(records, sys.stdout)
    else:
        with output.open("x", encoding="utf-8") as file:
            _lines(records, file)


def _lines(records: Sequence[dict[str, Any]], file: TextIO) -> None:
    file.writelines(json.dumps(record, allow_nan=False) + "\n" for record in records)
