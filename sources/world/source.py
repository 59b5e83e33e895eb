"""The simulated robot as a live source: five sensors at their rates, and the truth beside them."""

import heapq
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.background import in_thread
from sources.world.faults import Arrival, Faults, arrivals
from sources.world.live import FRAME_HZ, Capture, captures, data, truth, truth_spans
from streamer.channels import Account
from streamer.protocols import Clock
from streamer.types import MODALITIES, NS_PER_S, Modality, Sample, Span, StreamInfo, Truth

log = logging.getLogger(__name__)

LEAD_NS = NS_PER_S // 5
"""Between opening and the start: the first frames are rendered before they are due."""
# Samples in a batch. With five streams one lasts for less than a tenth of a second, which is also
# how late samples are when the machine does not keep up.
_AHEAD = 8
# Later than this and it is not rendered any more: a frame gives way to the next one, sound and
# motion to nothing but a machine that was held up.
_PATIENCE_NS = NS_PER_S // 20
_BLOCK_PATIENCE_NS = NS_PER_S // 2

Name = Annotated[str, Field(min_length=1)]


class World(BaseModel):
    """A robot in a sequence of scenes of 8 s each, for ever or for `seconds`.

    Streams: 30 fps 640x480, 16 kHz in blocks of 50 ms, depth at 30 fps 256x192, thermal at 9 fps
    160x120, IMU at `imu_hz` in blocks of 50 ms, and the truth ten times a second. None leaves one
    out. The world begins on a whole second of the run's clock, so that windows on the grid cut the
    same moments out of it whenever it is run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["world"] = "world"
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    camera: Name | None = "camera"
    microphone: Name | None = "microphone"
    depth: Name | None = "depth"
    thermal: Name | None = "thermal"
    imu: Name | None = "imu"
    truth: Name | None = "truth"
    imu_hz: Literal[200, 400] = 200
    seconds: Annotated[float, Field(gt=0, le=1e9)] | None = None
    faults: Faults = Field(default_factory=Faults)

    @model_validator(mode="after")
    def _streams_are_there(self) -> "World":
        if not self.streams:
            raise ValueError("expected at least one of camera, microphone, depth, thermal, imu")
        names = {info.name for info in self.streams}
        for outage in self.faults.outages:
            if outage.stream not in names:
                known = ", ".join(sorted(names))
                raise ValueError(f"faults.outages: expected one of {known}, got {outage.stream!r}")
        return self

    @property
    def live(self) -> bool:
        return True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        names = (self.camera, self.microphone, self.depth, self.thermal, self.imu)
        return tuple(
            StreamInfo(name, modality)
            for name, modality in zip(names, MODALITIES, strict=True)
            if name is not None
        )

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator["LiveWorld", None]:
        """Rendered in a thread, a few frames ahead of their time."""
        start_ns = -(-(clock.now_ns() + LEAD_NS) // NS_PER_S) * NS_PER_S
        accounts = {info.name: Account() for info in self.streams}

        async with in_thread(lambda: self._due(start_ns, clock), _AHEAD) as due:
            accounts = {info.name: Account() for info in self.streams}
            yield LiveWorld(start_ns, accounts, due, clock)

    def _due(self, start_ns: int, clock: Clock) -> "Generator[_Due, None, None]":
        """Everything that comes or should have come, in order of arrival."""
        modalities: list[Modality] = [info.modality for info in self.streams]
        for due_ns, stream, what in heapq.merge(*self._schedules(), key=lambda entry: entry[0]):
            if isinstance(what, Span):
                item = truth(self.seed, what, start_ns, stream, modalities)
            elif what.lost:
                item = _Lost(stream, what.lost)
            elif clock.now_ns() > start_ns + due_ns + _patience_ns(what.capture.modality):
                item = _Lost(stream, "overload")
            else:
                item = self._sample(what.capture, start_ns, stream)
            yield _Due(start_ns + due_ns, item)

    def _sample(self, capture: Capture, start_ns: int, stream: str) -> Sample:
        taken = data(self.seed, capture, start_ns, self.imu_hz)
        t_ns = start_ns + capture.t_ns
        return Sample(stream, capture.modality, t_ns, capture.duration_ns, taken)

    def _schedules(self) -> "list[Iterator[_Entry]]":
        until_ns = None if self.seconds is None else round(self.seconds * NS_PER_S)
        schedules = [self._schedule(info, until_ns) for info in self.streams]
        if self.truth is not None:
            schedules.append(self._truths(self.truth, until_ns))
        return schedules

    def _schedule(self, info: StreamInfo, until_ns: int | None) -> "Iterator[_Entry]":
        taken = captures(info.modality, until_ns)
        for arrival in arrivals(info.name, taken, self.faults, self.seed):
            yield arrival.due_ns, info.name, arrival

    def _truths(self, stream: str, until_ns: int | None) -> "Iterator[_Entry]":
        for span in truth_spans(until_ns):
            yield self.faults.host_ns(span.end_ns), stream, span


class LiveWorld:
    """What comes from an open world, each at its time.

    `start_ns` is when the world began. `accounts`, by stream, count what should have come so far:
    dropped are `lost` and `outage` (the faults) and `overload` (no time to render it).
    """

    def __init__(
        self,
        start_ns: int,
        accounts: Mapping[str, Account],
        due: "AsyncIterator[_Due]",
        clock: Clock,
    ) -> None:
        self.start_ns, self.accounts = start_ns, accounts
        self._due, self._clock = due, clock
        self._next: _Due | None = None

    def __aiter__(self) -> "LiveWorld":
        return self

    async def __anext__(self) -> Sample | Truth:
        while True:
            # Kept while it waits for its time, so that a cancelled wait loses nothing.
            if self._next is None:
                self._next = await anext(self._due)
            await self._clock.sleep_until(self._next.due_ns)
            item, self._next = self._next.item, None
            if isinstance(item, Truth):
                return item
            account = self.accounts[item.stream]
            account.produced += 1
            if isinstance(item, Sample):
                account.delivered += 1
                return item
            if item.cause == "overload" and item.cause not in account.dropped:
                log.warning("%s: this machine does not keep up, samples are skipped", item.stream)
            account.drop(item.cause)


@dataclass(frozen=True, slots=True)
class _Lost:
    """In place of a sample that never comes."""

    stream: str
    cause: Literal["lost", "outage", "overload"]


@dataclass(frozen=True, slots=True)
class _Due:
    """Something and when it comes, on the run's clock."""

    due_ns: int
    item: Sample | Truth | _Lost

    @property
    def nbytes(self) -> int:
        return getattr(self.item.data, "nbytes", 0) if isinstance(self.item, Sample) else 0


_Entry = tuple[int, str, Arrival | Span]
"""When it comes, the stream, what it is."""


def _patience_ns(modality: Modality) -> int:
    return _PATIENCE_NS if modality in FRAME_HZ else _BLOCK_PATIENCE_NS
