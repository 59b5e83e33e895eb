"""What is looked for: sentences and files, each with a weight, as one unit vector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.search import combined
from encoders.zeroshot import unit
from sources.imu_csv import ImuCsv
from streamer.cli.embed.vectors import LONGEST_TEXT, Kind
from streamer.cli.files import embeddings_of, modalities_of, narrowed, source_of
from streamer.cli.inputs import READINGS, Reading, is_file
from streamer.errors import ConfigError, SourceLost
from streamer.plan import Plan
from streamer.protocols import OpenEncoder, Source
from streamer.types import Modality

OPTIONS: Mapping[Kind, str] = {
    "text": "--text",
    "vision": "--image",
    "audio": "--audio",
    "depth": "--depth",
    "thermal": "--thermal",
    "imu": "--imu",
}
BY = "::"
MOST = 1000.0


@dataclass(frozen=True, slots=True)
class Part:
    """A sentence, or the path of a file of which one modality counts."""

    kind: Kind
    of: str
    weight: float = 1.0


def part(kind: Kind, given: str) -> Part:
    """`beach.jpg`, or with a weight `beach.jpg::0.5`. Raises `ConfigError`.

    Two colons, since one is in many names and sentences. What follows them is a weight only if it
    is a number, and not if a file has the whole for its name.
    """
    of, colons, number = given.rpartition(BY)
    try:
        weight = float(number) if colons else 1.0
    except ValueError:
        of, weight = given, 1.0
    if not colons or (kind != "text" and is_file(given)):
        of, weight = given, 1.0
    where = f"{OPTIONS[kind]} {given[:100]}"
    if not 0 < abs(weight) <= MOST:
        raise ConfigError(f"{where}: expected a weight of -{MOST:g} to {MOST:g} and not 0")
    if kind == "text" and not 0 < len(of.strip()) <= LONGEST_TEXT:
        raise ConfigError(f"{where}: expected a sentence of 1 to {LONGEST_TEXT} characters")
    if kind != "text" and not is_file(of):
        raise ConfigError(f"{where}: no such file")
    return Part(kind, of, weight)


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """The parts; `sources` holds one for each that is a file, None for each sentence."""

    parts: Sequence[Part]
    sources: Sequence[Source | None]

    @property
    def modalities(self) -> frozenset[Modality]:
        return modalities_of(source for source in self.sources if source is not None)

    @property
    def has_text(self) -> bool:
        return any(part.kind == "text" for part in self.parts)


def query_of(parts: Sequence[Part], still_s: float, reading: Reading | None) -> Query:
    """Raises `SourceLost` when a file does not hold what it is asked for."""
    return Query(parts, [_source(part, still_s, reading) for part in parts])


def vector_of(query: Query, plan: Plan, encoder: OpenEncoder) -> NDArray[np.float64]:
    """The unit vector (D,) of the whole: a file counts as the mean direction of its windows.

    Raises `ConfigError` where parts cancel, `SourceLost` where a file has no window.
    """
    vectors: list[NDArray[np.float64]] = []
    for part, source in zip(query.parts, query.sources, strict=True):
        if source is None:
            vectors.append(unit(encoder.text([part.of]))[0])
            continue
        windows = [each.vector for each in embeddings_of(source, plan, encoder)]
        if not windows:
            raise SourceLost(
                f"{OPTIONS[part.kind]} {part.of}: no window was full enough;"
                " try --set windows.min_coverage=0.1"
            )
        vectors.append(unit(unit(np.array(windows)).mean(axis=0)))
    return combined(np.array(vectors), [part.weight for part in query.parts])


def _source(part: Part, still_s: float, reading: Reading | None) -> Source | None:
    if part.kind == "text":
        return None
    whole = source_of(Path(part.of), still_s, _reading(part.kind, reading))
    source = narrowed(whole, [part.kind])
    if source is None:
        held = " and ".join(info.modality for info in whole.streams)
        raise SourceLost(f"{OPTIONS[part.kind]} {part.of}: expected {part.kind}, it holds {held}")
    return source


def _reading(kind: Modality, given: Reading | None) -> Reading | None:
    """What `--as` said, where it was said of this modality."""
    modality = "imu" if isinstance(given, ImuCsv) else given and given.modality
    return given if modality == kind else READINGS.get(kind)
