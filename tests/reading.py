"""Reads a source to its end."""

import asyncio

from streamer.clock import VirtualClock
from streamer.protocols import Source
from streamer.types import Modality, Sample


async def collect(source: Source) -> list[Sample]:
    async with source.open(VirtualClock()) as samples:
        return [sample async for sample in samples if isinstance(sample, Sample)]


def read(source: Source) -> list[Sample]:
    """The same for tests that also run programs or decode, which would block an event loop."""
    return asyncio.run(collect(source))


def of(samples: list[Sample], modality: Modality) -> list[Sample]:
    return [sample for sample in samples if sample.modality == modality]
