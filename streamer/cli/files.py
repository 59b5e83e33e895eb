"""Files as sources, and the embeddings of their windows: for `embed`, `search` and `eval`."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.schema import RunConfig
from sources.encodings import Colour, Encoding
from sources.epoch import DEFAULT_START, to_ns
from sources.imu_csv import ImuCsv
from sources.media.probe import probe
from sources.media.source import Media, MediaStreams
from sources.pictures import ARRAY, Pictures
from streamer.cli.inputs import TABLES, Reading
from streamer.encoding import Labeler
from streamer.errors import SourceLost
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import OpenEncoder, Source
from streamer.types import NS_PER_S, Embedding, Message, Modality


def source_of(path: Path, still_s: float, reading: Reading | None = None) -> Source:
    """The file as a source; streams are named after their modality.

    `reading` says what the numbers of a picture (colour by default) or of a table mean; media
    files say it themselves. A picture stands for one window of `still_s`. Raises `SourceLost` when
    the file is neither picture, sound nor video, or a table that nobody has explained.
    """
    suffix = path.suffix.lower()
    if isinstance(reading, ImuCsv):
        if suffix in TABLES:
            return reading.model_copy(update={"path": path})
        reading = None
    if suffix in TABLES:
        raise SourceLost(
            f"{path}: a table does not say what it holds; expected --as imu (eval: --modality imu)"
        )
    if suffix == ARRAY:
        if reading is None:
            raise SourceLost(f"{path}: an array does not say what it holds; expected --as depth")
        return _picture(path, still_s, reading)
    contents = probe(path)
    if contents.kind == "picture":
        return _picture(path, still_s, reading or Colour())
    named: dict[Modality, str] = {modality: modality for modality in contents.durations_s}
    return Media(path=path, streams=MediaStreams.model_validate(named))


def _picture(path: Path, still_s: float, encoding: Encoding) -> Source:
    """One sample that stands for one window."""
    length_ns = round(still_s * NS_PER_S)
    return Pictures(
        path=path,
        stream=encoding.modality,
        encoding=encoding,
        hold_s=still_s,
        rate_hz=1 / still_s,
        start=to_ns(DEFAULT_START) // length_ns * length_ns,
    )


def narrowed(source: Source, wanted: Collection[Modality]) -> Source | None:
    """The source without the streams of other modalities; None where nothing is left."""
    kept: dict[Modality, str] = {i.modality: i.name for i in source.streams if i.modality in wanted}
    if not kept:
        return None
    if isinstance(source, Media):
        return source.model_copy(update={"names": MediaStreams.model_validate(kept)})
    return source


def modalities_of(sources: Iterable[Source]) -> frozenset[Modality]:
    return frozenset(info.modality for source in sources for info in source.streams)


def file_plan(settings: RunConfig, hop_s: float) -> Plan:
    """The configuration's plan with a hop of its own."""
    windows = settings.windows.model_copy(update={"hop_s": hop_s})
    return settings.model_copy(update={"windows": windows}).plan()


def embeddings_of(
    source: Source, plan: Plan, encoder: OpenEncoder, labeler: Labeler | None = None
) -> list[Embedding]:
    """Every window of a file, encoded; none where no window was full enough."""
    kept = _Kept()
    if isinstance(source, Pictures):
        (info,) = source.streams
        plan = replace(plan, hop_ns=plan.lengths_ns[info.modality])
    pipeline = Pipeline(plan, [source], encoder, [kept], labeler=labeler)
    asyncio.run(pipeline.run(asyncio.Event()))
    return kept.embeddings


def start_ns(source: Source) -> int:
    """What the time of a file's windows is counted from."""
    return to_ns(source.start) if isinstance(source, Pictures) else to_ns(DEFAULT_START)


class _Kept:
    """A sink that keeps the embeddings of one file."""

    def __init__(self) -> None:
        self.embeddings: list[Embedding] = []

    async def publish(self, message: Message) -> None:
        if isinstance(message, Embedding) and message.modality != "fused":
            self.embeddings.append(message)

    def report(self) -> dict[str, Any]:
        return {}
