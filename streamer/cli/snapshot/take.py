"""Takes what is to be drawn: the newest picture of a stream, some seconds of sound and motion."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from streamer.cli.check.look import FILE_S, OPEN_S
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.protocols import Clock, Source
from streamer.types import NS_PER_S, AudioBlock, Condition, ImuBlock, Sample


@dataclass(slots=True)
class Taken:
    """Of one stream: the last `length_ns` of sound and motion, or the newest picture.

    `why` it is not more.
    """

    stream: str
    modality: str
    length_ns: int
    samples: list[Sample] = field(default_factory=list[Sample])
    why: str = ""
    seen_ns: int = 0

    def add(self, sample: Sample) -> None:
        if not isinstance(sample.data, AudioBlock | ImuBlock):
            self.samples.clear()
        # By stamps, so that no leap of them makes a span that would not fit into memory.
        while self.samples and sample.end_ns - self.samples[0].t_ns > self.length_ns:
            self.samples.pop(0)
        self.samples.append(sample)
        self.seen_ns += sample.duration_ns


async def take(source: Source, seconds: float) -> list[Taken]:
    """Open the source until `seconds` of each of its streams have come, or no more comes."""
    enough_ns = int(seconds * NS_PER_S)
    taken = {info.name: Taken(info.name, info.modality, enough_ns) for info in source.streams}

    def enough() -> bool:
        return all(each.seen_ns >= enough_ns for each in taken.values())

    try:
        with suppress(TimeoutError):
            limit_s = seconds + (OPEN_S if source.live else FILE_S)
            await asyncio.wait_for(_read(source, SystemClock(), taken, enough), limit_s)
    except SourceLost as error:
        for each in taken.values():
            each.why = str(error)
    for each in taken.values():
        if not each.samples:
            each.why = each.why or "no sample came"
    return list(taken.values())


async def _read(
    source: Source, clock: Clock, taken: dict[str, Taken], enough: Callable[[], bool]
) -> None:
    async with source.open(clock) as samples:
        async for item in samples:
            if isinstance(item, Sample):
                taken[item.stream].add(item)
                if enough():
                    return
            elif isinstance(item, Condition):
                taken[item.stream].why = item.why if item.state == "stalled" else ""
