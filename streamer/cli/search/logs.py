"""Recorded runs as what is searched: the vectors that they published, without their sensors."""

import json
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from configs.load import parse_run
from configs.schema import RunConfig
from encoders.imagebind.runtime import ImageBindEncoder
from sinks.wire.bounds import WireError
from sinks.wire.embedding import decode_embedding
from sources.recording.format import EMBEDDING
from sources.replay.container import MAGIC
from sources.replay.notes import Notes
from streamer.cli.embed.vectors import ROWS
from streamer.cli.search.gallery import Place, Sense
from streamer.errors import ConfigError, SourceLost
from streamer.fusion import FUSED
from streamer.types import NS_PER_S, Embedding, Vector

SUFFIX = ".mcap"
MODEL, MODEL_HASH = "model", "model_hash"

Rows: TypeAlias = tuple[Sequence[Place], NDArray[np.float32]]
"""Places and their unit vectors (n, D)."""


def is_log(path: Path) -> bool:
    """By its name, or by how it begins."""
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def logs_in(folder: Path) -> list[Path]:
    """The logs of a folder by name: the parts of a run, or all that a robot recorded."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == SUFFIX)
    if not found:
        raise ConfigError(f"{folder}: expected files, or a folder of logs (*{SUFFIX})")
    return found


@dataclass(frozen=True, slots=True)
class Log:
    """What a recorded run, or a part of one, says of itself. `config` is YAML."""

    path: Path
    began_s: float
    streams: frozenset[str]
    model: str
    model_hash: str
    config: str

    def settings(self, weights: str | None, overrides: Sequence[str]) -> RunConfig:
        """The configuration of the run, on what this machine has. Raises `ConfigError`."""
        name = str(self.path)
        # What it heard, told and recorded need not be here.
        log = f"sources=[{{kind: replay, path: {json.dumps(name)}}}]"
        own = [log, "sinks=[]", "record=null"]
        chosen = [] if weights is None else [f"encoder.weights={json.dumps(weights)}"]
        settings = parse_run(self.config, name, [*own, *chosen, *overrides])
        if isinstance(settings.encoder, ImageBindEncoder):
            # A robot's log is searched on a desk.
            own += ["encoder.device=auto", "encoder.precision=auto"]
            settings = parse_run(self.config, name, [*own, *chosen, *overrides])
        return settings

    def check(self, model_hash: str) -> None:
        if self.model_hash != model_hash:
            raise ConfigError(
                f"{self.path}: expected vectors of the query's model, weights {model_hash[:12]},"
                f" got {self.model[:40]!r}, weights {self.model_hash[:12]!r}; see --weights"
            )


def look(path: Path) -> Log:
    """Raises `SourceLost` for what is no log of ours, or has no vectors."""
    with closing(Notes(path)) as notes:
        about = notes.about
        log = Log(
            path,
            notes.began_ns / NS_PER_S,
            frozenset([FUSED, *(info.name for info in about.streams)]),
            about.more.get(MODEL, ""),
            about.more.get(MODEL_HASH, ""),
            about.config,
        )
    if not log.model_hash:
        raise SourceLost(
            f"{path}: holds sensors and no embeddings; a log of both makes: streamer run CONFIG"
            f" --set 'sources=[{{kind: replay, path: {path}}}]' --set record.path=NEW{SUFFIX}"
        )
    return log


def rows_of(
    log: Log, dim: int, senses: Collection[Sense], streams: Collection[str], lost: list[str]
) -> Generator[Rows, None, None]:
    """At most `ROWS` at once, of these modalities and streams (none: of all).

    What could not be read goes into `lost`, a line each.
    """
    name = str(log.path)
    places: list[Place] = []
    vectors: list[Vector] = []
    with closing(Notes(log.path)) as notes:
        for embedding, sid in _embeddings(log, notes, dim):
            stream = embedding.stream
            if embedding.modality not in senses or (streams and stream not in streams):
                continue
            start_s, end_s = (
                t / NS_PER_S for t in (embedding.span.start_ns, embedding.span.end_ns)
            )
            # Parts of one run are one time line.
            places.append(Place(name, embedding.modality, start_s, end_s, ("run", sid), stream))
            vectors.append(embedding.vector)
            if len(places) == ROWS:
                yield places, np.stack(vectors)
                places, vectors = [], []
        lost += [f"{log.path}: {cause}" for cause in sorted(notes.problems)]
    if places:
        yield places, np.stack(vectors)


def _embeddings(log: Log, notes: Notes, dim: int) -> Iterator[tuple[Embedding, str]]:
    """Each with the id of its run. What is damaged is a problem of the log."""
    for message in notes.messages(EMBEDDING):
        try:
            found = decode_embedding(message.payload)
        except WireError as error:
            notes.problems[str(error)] += 1
            continue
        if found.embedding.model != log.model:
            notes.problems[f"vectors of another model than {log.model[:40]!r}"] += 1
        elif len(found.embedding.vector) != dim:
            notes.problems[f"vectors of other than {dim} numbers"] += 1
        else:
            yield found.embedding, found.sid
