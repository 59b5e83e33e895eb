"""`streamer search`: the moments of files that are nearest to a sentence, picture, sound, ..."""

import re
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from encoders.search import cosines
from streamer.cli.embed.command import NO_WINDOW, Hop
from streamer.cli.embed.embedded import files_of, rows_of
from streamer.cli.embed.vectors import KINDS, SUFFIXES, Chunk, Kind, Record, read
from streamer.cli.files import file_plan
from streamer.cli.inputs import (
    TABLES,
    As,
    Weights,
    is_file,
    is_folder,
    reading,
    settings_for,
    warn_of_builtin,
)
from streamer.cli.output import Json, Overrides, console, emit, one_line_errors, say_logs, say_lost
from streamer.cli.search.gallery import Gallery, Hit
from streamer.cli.search.query import OPTIONS, Part, part, query_of, vector_of
from streamer.cli.session import preflight
from streamer.errors import ConfigError, SourceLost

# Of one word: anything that looks like a name's ending. Of several: what files are called here.
_NAMED = re.compile(r"\S+\.[A-Za-z0-9]{1,5}")
_ENDINGS = {*SUFFIXES, *TABLES, ".mp4", ".mov", ".mkv", ".avi", ".webm", ".wav", ".mp3", ".flac",
            ".ogg", ".m4a", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".bmp"}  # fmt: skip


def search(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|OUTPUT... [SENTENCE]",
            help="Files as `embed` takes them, or its outputs (.jsonl, .safetensors); then what "
            "to look for, in quotes. A last word that is no file is the sentence, unless it has a "
            "path separator or a file's ending.",
        ),
    ],
    text: Annotated[list[str] | None, typer.Option(help="A sentence to look for.")] = None,
    image: Annotated[list[str] | None, typer.Option(help="A picture, or a video's.")] = None,
    audio: Annotated[list[str] | None, typer.Option(help="A sound, or a video's.")] = None,
    depth: Annotated[list[str] | None, typer.Option(help="A depth picture.")] = None,
    thermal: Annotated[list[str] | None, typer.Option(help="A thermal picture.")] = None,
    imu: Annotated[
        list[str] | None, typer.Option(help="A table of motion, or a GoPro's video.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many moments to show.")] = 10,
    modality: Annotated[
        Kind | None, typer.Option(help="Search only this; then scores rank as cosines do.")
    ] = None,
    config: Annotated[str, typer.Option(help="The configuration whose encoder is used.")] = "demo",
    weights: Weights = None,
    holding: As = None,
    hop: Hop = 2.0,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """The moments that are nearest to a sentence, a picture, a sound, or to several together.

    Each part of the query becomes a unit vector; their sum is looked for. A part can have a weight
    after two colons, below 0 to take it away:

    streamer search ride.mp4 "a dog barking"

    streamer search ride.safetensors --image beach.jpg --audio waves.wav::0.5

    streamer search ride.safetensors "a street" --text "cars::-0.5" --modality vision

    Ranked by score: how far a moment's cosine lies above the mean of all searched of its modality,
    since cosines of two modalities do not compare. Windows that overlap or touch are one moment,
    shown by its best.
    """
    say_logs()
    with one_line_errors("search", as_json=as_json):
        paths, sentence = split(what)
        parts = _parts(
            sentence, dict(zip(OPTIONS, (text, image, audio, depth, thermal, imu), strict=True))
        )
        how = reading(holding)
        settings = settings_for(config, weights, overrides)
        only: Sequence[Kind] = KINDS if modality is None else (modality,)
        still_s = settings.windows.length_s.vision
        preflight(settings.model_copy(update={"sources": (), "sinks": (), "labels": False}))
        query = query_of(parts, still_s, how)
        outputs = [path for path in paths if path.suffix in SUFFIXES]
        loose = [path for path in paths if path.suffix not in SUFFIXES]
        files = files_of(loose, still_s, how, only)
        if loose or query.modalities:
            warn_of_builtin(settings)
        model_hash = settings.encoder.model_hash()
        for path in outputs:
            # Before a model is loaded for nothing.
            with closing(read(path)) as chunks:
                _check_model(path, next(chunks).records, model_hash)
        plan = file_plan(settings, hop)
        gallery = Gallery()
        lost: list[str] = []
        with (
            settings.encoder.open(
                query.modalities | files.modalities, text=query.has_text or bool(files.lines)
            ) as encoder,
            Progress(console=console, transient=True) as progress,
        ):
            wanted = vector_of(query, plan, encoder)
            for path in progress.track(outputs, description="reading"):
                for chunk in _checked(path, model_hash, encoder.dim):
                    gallery.add(chunk.records, cosines(chunk.vectors, wanted), only)
            for path in progress.track([*files.sources, *files.lines], description="embedding"):
                rows = rows_of(path, files, plan, encoder, model_hash)
                if not rows:
                    lost.append(f"{path}: {NO_WINDOW}")
                    continue
                records = [Record.model_validate(record) for record, _ in rows]
                vectors = np.array([vector for _, vector in rows])
                gallery.add(records, cosines(vectors, wanted), only)
            model = encoder.name
        if not gallery.count:
            sought = modality or "a file of any kind"
            raise SourceLost(f"expected vectors to search of {sought}, found none")
        hits = gallery.best(top)
    searched = gallery.by_kind()
    _show(hits, parts, searched)
    say_lost(lost)
    if as_json:
        emit(
            {
                "command": "search",
                "ok": not lost,
                "lost": lost,
                "model": model,
                "model_hash": model_hash,
                "query": [{"kind": p.kind, "of": p.of, "weight": p.weight} for p in parts],
                "searched": searched,
                "hits": [hit.plain() for hit in hits],
            }
        )
    if lost:
        raise typer.Exit(1)


def split(what: Sequence[str]) -> tuple[list[Path], str | None]:
    """The files, and the sentence if the last of `what` is one. Raises `ConfigError`."""
    *files, last = what
    sentence = None
    if not is_file(last) and not is_folder(last):
        ending = Path(last).suffix.lower()
        if "/" in last or "\\" in last or _NAMED.fullmatch(last) or ending in _ENDINGS:
            raise ConfigError(f"{last}: no such file (a sentence that looks so goes after --text)")
        sentence = last
    else:
        files.append(last)
    if not files:
        raise ConfigError(f'expected files to search before the sentence "{last[:100]}"')
    for name in files:
        if not is_file(name):
            folder = is_folder(name)
            raise ConfigError(f"{name}: " + ("expected a file, got a folder" if folder else
                              "no such file (the sentence comes last, in quotes)"))  # fmt: skip
    return [Path(name) for name in files], sentence


def _parts(sentence: str | None, options: dict[Kind, list[str] | None]) -> list[Part]:
    parts = [] if sentence is None else [part("text", sentence)]
    parts += [part(kind, given) for kind, many in options.items() for given in many or ()]
    if not parts:
        raise ConfigError("expected something to look for: a sentence last, --text, --image, ...")
    return parts


def _check_model(path: Path, records: Sequence[Record], model_hash: str) -> None:
    for record in records:
        if record.model_hash != model_hash:
            raise ConfigError(
                f"{path}: expected vectors of the query's model, weights {model_hash[:12]}, got"
                f" {record.model[:40]!r}, weights {record.model_hash[:12]!r}; see --weights"
            )


def _checked(path: Path, model_hash: str, dim: int) -> Generator[Chunk, None, None]:
    for chunk in read(path):
        _check_model(path, chunk.records, model_hash)
        if chunk.vectors.shape[1] != dim:
            raise SourceLost(
                f"{path}: expected vectors of {dim} numbers, got {chunk.vectors.shape[1]}"
            )
        yield chunk


def _show(hits: Sequence[Hit], parts: Sequence[Part], searched: dict[str, int]) -> None:
    table = Table()
    for name in ("", "score", "cosine", "start", "end"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("modality", no_wrap=True)
    table.add_column("file", overflow="fold")
    for hit in hits:
        start, end = _clock(hit.t0_s), _clock(hit.t1_s)
        where = _printable(hit.file)
        if hit.text is not None:
            where += f":{hit.line} {_printable(hit.text)}"
        table.add_row(
            str(hit.rank), f"{hit.score:+.3f}", f"{hit.cosine:.3f}", start, end, hit.modality,
            escape(where),
        )  # fmt: skip
    console.print(table)
    query = " ".join(
        f"{p.weight:+g} {p.kind} {_printable(p.of)!r}"
        if len(parts) > 1
        else f"{_printable(p.of)!r}"
        for p in parts
    )
    counts = ", ".join(f"{n} {kind}" for kind, n in searched.items())
    console.print(escape(f"{query} in {counts}"), soft_wrap=True)
    console.print("score: cosine above the mean of all searched of the modality", soft_wrap=True)


def _clock(seconds: float | None) -> str:
    """1:02:03.5. What a window has before the file begins is not in the file."""
    if seconds is None:
        return ""
    tenths = max(0, round(seconds * 10))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{whole}:{rest // 10:02}.{rest % 10}"


def _printable(text: str) -> str:
    """Names and lines come from files: nothing in them may steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:300])
