"""What the engine asks of a clock, a source, an encoder and a sink.

Sources, encoders and sinks are frozen configuration models; `open()` yields the live thing.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.events import Event
from streamer.types import (
    Condition,
    Message,
    Modality,
    Sample,
    StreamInfo,
    Tick,
    Truth,
    Window,
)


class Clock(Protocol):
    """The run's clock: nanoseconds since the Unix epoch, never stepping back."""

    def now_ns(self) -> int: ...

    async def sleep_until(self, t_ns: int) -> None: ...


class Source(Protocol):
    """A device or a file. `live` sources cannot be asked to wait; files can."""

    @property
    def live(self) -> bool: ...

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        """What will come, known from the configuration alone."""
        ...

    def open(
        self, clock: Clock
    ) -> AbstractAsyncContextManager[AsyncIterator[Sample | Truth | Condition | Event]]:
        """Samples in the order the device gave them. Raises `SourceLost`.

        A log that knows what happened in the run it is of, and when, yields events instead. It is
        not live.

        A source that knows what there is to perceive yields `Truth` among them. It goes to the
        sinks as it is; windows and encoders never see it. A live source also says what is wrong
        with a stream that goes on.
        """
        ...


class Tap(Protocol):
    """Hears what the windows of a run are made of, behind everything that a live run may drop."""

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        """`event` has been taken, and closed `ticks`. Returns at once."""
        ...

    async def room(self) -> None:
        """Return once the next event can be taken whole. Live runs do not ask."""
        ...


class OpenEncoder(Protocol):
    """A model on its device. Synchronous; used by one thread at a time."""

    @property
    def name(self) -> str:
        """Short model name for people, for example `imagebind_huge`."""
        ...

    @property
    def hash(self) -> str:
        """Hex digest that changes whenever the numbers of the model change."""
        ...

    @property
    def dim(self) -> int: ...

    def encode(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Unit vectors (len(windows), dim), rows in the order of `windows`."""
        ...

    def text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (len(prompts), dim) of the prompts."""
        ...


class Encoder(Protocol):
    def open(
        self, modalities: Collection[Modality], *, text: bool
    ) -> AbstractContextManager[OpenEncoder]:
        """Load what `modalities` (and `text`, for labels) need. Raises `EncoderFailed`."""
        ...


class OpenSink(Protocol):
    async def publish(self, message: Message) -> None:
        """Take the message. Returns quickly: a sink that can be slow has its own bounded outbox."""
        ...

    def report(self) -> Mapping[str, Any]:
        """JSON-ready: `produced`, `delivered`, `dropped` by cause, `pending`."""
        ...


class Sink(Protocol):
    """`clock` is the run's clock, for the stamps a sink puts on what it sends.

    A `lossless` run (files, replay) drops nothing: `publish` waits for room instead.
    """

    def open(
        self, clock: Clock, *, lossless: bool = False
    ) -> AbstractAsyncContextManager[OpenSink]: ...
