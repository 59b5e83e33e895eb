"""Files as sources, and the embeddings of their windows: what `embed` and `eval` share."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.schema import RunConfig
from sources.encodings import Colour, Encoding
from sources.epoch import DEFAULT_START, to_ns
from sources.media.probe import probe
from sources.media.source import Media, MediaStreams
from sources.pictures import Pictures
from streamer.encoding import Labeler
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import OpenEncoder, Source
from streamer.types import NS_PER_S, Embedding, Message, Modality


def source_of(path: Path, still_s: float, picture: Encoding | None = None) -> Source:
    """The file as a source; streams are named after their modality.

    A picture stands for one window of `still_s`; `picture` says what its numbers mean (colour by
    default). Raises `SourceLost` when the file is neither picture, sound nor video.
    """
    contents = probe(path)
    if contents.kind == "picture":
        encoding = picture or Colour()
        # One sample that stands for one window.
        length_ns = round(still_s * NS_PER_S)
        return Pictures(
            path=path,
            stream=encoding.modality,
            encoding=encoding,
            hold_s=still_s,
            rate_hz=1 / still_s,
            start=to_ns(DEFAULT_START) // length_ns * length_ns,
        )
    named: dict[Modality, str] = {modality: modality for modality in contents.durations_s}
    return Media(path=path, streams=MediaStreams.model_validate(named))


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
