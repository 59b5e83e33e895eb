"""`streamer search`: the moments of files that are nearest to a sentence, picture, sound, ..."""

import re
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import Progress

from configs.schema import RunConfig
from encoders.search import cosines
from streamer.cli.embed.command import NO_WINDOW, Hop
from streamer.cli.embed.embedded import Files, files_of, rows_of
from streamer.cli.embed.vectors import SUFFIXES, Kind, Record, read
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
from streamer.cli.search.gallery import SENSES, Gallery, Sense, place
from streamer.cli.search.logs import Log, Rows, is_log, logs_in, look
from streamer.cli.search.logs import rows_of as stored
from streamer.cli.search.query import OPTIONS, Part, part, query_of, vector_of
from streamer.cli.search.shown import show
from streamer.cli.session import preflight
from streamer.errors import ConfigError, SourceLost
from streamer.plan import Plan
from streamer.protocols import OpenEncoder

# Of one word: anything that looks like a name's ending. Of several: what files are called here.
_NAMED = re.compile(r"\S+\.[A-Za-z0-9]{1,5}")
_ENDINGS = {*SUFFIXES, *TABLES, ".mp4", ".mov", ".mkv", ".avi", ".webm", ".wav", ".mp3", ".flac",
            ".ogg", ".m4a", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".bmp"}  # fmt: skip


def search(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG|FILE|OUTPUT... [SENTENCE]",
            help="Recorded logs (.mcap) or folders of them, files as `embed` takes them, or its "
            "outputs (.jsonl, .safetensors); then what to look for, in quotes. A last word that is "
            "no file is the sentence, unless it has a path separator or a file's ending.",
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
        Sense | None, typer.Option(help="Search only this; then scores rank as cosines do.")
    ] = None,
    streams: Annotated[
        str | None, typer.Option(help="Search only these streams of logs: a,b")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="The configuration whose encoder is used; default: the log's, or demo."),
    ] = None,
    weights: Weights = None,
    holding: As = None,
    hop: Hop = 2.0,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """The moments that are nearest to a sentence, a picture, a sound, or to several together.

    Of a log that `streamer run` recorded (`record:`), its own vectors are searched: only the query
    is encoded.

    Each part of the query becomes a unit vector; their sum is looked for. A part can have a weight
    after two colons, below 0 to take it away:

    streamer search ride.mp4 "a dog barking"

    streamer search night.mcap "a dog barking" --modality audio

    streamer search ride.safetensors --image beach.jpg --audio waves.wav::0.5

    streamer search ride.safetensors "a street" --text "cars::-0.5" --modality vision

    Ranked by score: how far a moment's cosine lies above the mean of all searched of its modality,
    since cosines of two modalities do not compare. Windows that overlap or touch are one moment:
    its best, and those around it that have half of its score.
    """
    say_logs()
    with one_line_errors("search", as_json=as_json):
        paths, sentence = split(what)
        parts = _parts(
            sentence, dict(zip(OPTIONS, (text, image, audio, depth, thermal, imu), strict=True))
        )
        how = reading(holding)
        lost: list[str] = []
        names = [name.strip() for name in streams.split(",")] if streams else []
        logs = _logs([path for path in paths if is_log(path)], names, lost)
        settings = _settings(config, weights, overrides, logs)
        only: Sequence[Sense] = SENSES if modality is None else (modality,)
        still_s = settings.windows.length_s.vision
        preflight(
            settings.model_copy(
                update={"sources": (), "sinks": (), "record": None, "labels": False}
            )
        )
        query = query_of(parts, still_s, how)
        rest = [path for path in paths if not is_log(path)]
        outputs = [path for path in rest if path.suffix in SUFFIXES]
        loose = [path for path in rest if path.suffix not in SUFFIXES]
        files = files_of(loose, still_s, how, only)
        if loose or (query.modalities and not logs):
            warn_of_builtin(settings)
        model_hash = settings.encoder.model_hash()
        # Before a model is loaded for nothing.
        for log in logs:
            log.check(model_hash)
        for path in outputs:
            with closing(read(path)) as chunks:
                _check_model(path, next(chunks).records, model_hash)
        plan = file_plan(settings, hop)
        gallery = Gallery({str(log.path): log.began_s for log in logs})
        with (
            settings.encoder.open(
                query.modalities | files.modalities, text=query.has_text or bool(files.lines)
            ) as encoder,
            Progress(console=console, transient=True) as progress,
        ):
            wanted = vector_of(query, plan, encoder)
            given = [*logs, *outputs, *files.sources, *files.lines]
            for each in progress.track(given, description="reading"):
                if isinstance(each, Log):
                    rows = stored(each, encoder.dim, only, names, lost)
                elif each in outputs:
                    rows = _written(each, model_hash, encoder.dim)
                else:
                    rows = _embedded(each, files, plan, encoder, model_hash, lost)
                for places, vectors in rows:
                    wide = [n for n, where in enumerate(places) if where.sense in only]
                    gallery.add([places[n] for n in wide], cosines(vectors[wide], wanted))
            model = encoder.name
        if not gallery.count:
            sought = " and ".join([*([modality] if modality else ()), *names])
            raise SourceLost(
                f"expected vectors to search of {sought or 'a file of any kind'}, found none"
            )
        hits = gallery.best(top)
    searched = gallery.by_sense()
    show(hits, parts, searched)
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


def _settings(
    config: str | None, weights: str | None, overrides: Sequence[str] | None, logs: Sequence[Log]
) -> RunConfig:
    """Vectors of a log want the encoder that made them."""
    if config is None and logs:
        return logs[0].settings(weights, overrides or ())
    return settings_for(config or "demo", weights, overrides)


def _logs(paths: Sequence[Path], streams: Sequence[str], lost: list[str]) -> list[Log]:
    """Those that can be searched; why another cannot goes into `lost`, if it is not the only one.

    Raises `SourceLost`, and `ConfigError` for streams that none of them has.
    """
    logs: list[Log] = []
    errors: list[SourceLost] = []
    for path in paths:
        try:
            logs.append(look(path))
        except SourceLost as error:
            errors.append(error)
    if errors and not logs:
        raise errors[0]
    lost += [str(error) for error in errors]
    if streams and not logs:
        raise ConfigError("--streams: names streams of recorded logs, and there is none")
    known = sorted({stream for log in logs for stream in log.streams})
    for stream in streams:
        if stream not in known:
            raise ConfigError(f"--streams: expected one of {', '.join(known)}, got {stream[:100]}")
    return logs


def split(what: Sequence[str]) -> tuple[list[Path], str | None]:
    """The files, and the sentence if the last of `what` is one. Raises `ConfigError`.

    A folder stands for the logs in it.
    """
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
    paths: list[Path] = []
    for name in files:
        if is_folder(name):
            paths += logs_in(Path(name))
        elif is_file(name):
            paths.append(Path(name))
        else:
            raise ConfigError(f"{name}: no such file (the sentence comes last, in quotes)")
    return paths, sentence


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


def _written(path: Path, model_hash: str, dim: int) -> Generator[Rows, None, None]:
    """The vectors of an output of `embed`."""
    for chunk in read(path):
        _check_model(path, chunk.records, model_hash)
        if chunk.vectors.shape[1] != dim:
            raise SourceLost(
                f"{path}: expected vectors of {dim} numbers, got {chunk.vectors.shape[1]}"
            )
        yield [place(record) for record in chunk.records], chunk.vectors


def _embedded(
    path: Path, files: Files, plan: Plan, encoder: OpenEncoder, model_hash: str, lost: list[str]
) -> Generator[Rows, None, None]:
    """The vectors of a file, made here."""
    rows = rows_of(path, files, plan, encoder, model_hash)
    if not rows:
        lost.append(f"{path}: {NO_WINDOW}")
        return
    yield (
        [place(Record.model_validate(record)) for record, _ in rows],
        np.array([vector for _, vector in rows]),
    )
