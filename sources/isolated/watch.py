"""Is the device alive? Judged by what comes, not by what its library says. Pure.

A camera that hangs can go on returning its last frame (opencv#14044), a sound server that is stuck
keeps its stream "active", and a muted microphone delivers zeros. The caller brings the time.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sources.scaled import Scaled
from streamer.errors import SourceStalled
from streamer.types import NS_PER_S, AudioBlock, Condition, ImuBlock, Sample, StreamInfo

_Seconds = Annotated[float, Field(gt=0, le=3600)]

# Every eighth pixel both ways tells a new frame from an old one: sensors are never free of noise.
_EVERY = 8


class Patience(BaseModel):
    """How long a device may say nothing, or nothing new, before it counts as hanging.

    `open_s` from the start to the first sample of each stream; `stall_s` between two. `repeat_s`:
    the same picture for so long is a camera that hangs, and it is started again; the same reading,
    nothing but zeros from a microphone or no return at all of a depth camera is said and left as
    it is: to start them again would not unmute them. None never judges.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_s: _Seconds = 10.0
    stall_s: _Seconds = 1.5
    repeat_s: _Seconds | None = 5.0


class Watch:
    """What is known of the streams of one open device. `now_ns` never goes back."""

    def __init__(self, streams: Sequence[StreamInfo], patience: Patience, now_ns: int) -> None:
        self._patience = patience
        open_ns = now_ns + round(patience.open_s * NS_PER_S)
        self._streams = {info.name: _Stream(open_ns) for info in streams}

    @property
    def due_ns(self) -> int:
        """When to ask `overdue` next, if nothing comes."""
        return min(stream.due_ns for stream in self._streams.values())

    def overdue(self, now_ns: int) -> None:
        """Raises `SourceStalled` if a stream has been silent for too long."""
        for name, stream in self._streams.items():
            if now_ns >= stream.due_ns:
                patience = self._patience
                waited_s = patience.stall_s if stream.began else patience.open_s
                since = "since the last" if stream.began else "since it was started"
                raise SourceStalled(f"{name}: no sample for {waited_s:g} s {since}")

    def seen(self, sample: Sample, now_ns: int) -> Condition | None:
        """Note a sample; what it changes about its stream. Raises `SourceStalled`."""
        stream = self._streams[sample.stream]
        stream.began = True
        # A slow camera is not a stalled one: it has three of its own periods.
        stall_ns = max(round(self._patience.stall_s * NS_PER_S), 3 * sample.duration_ns)
        stream.due_ns = now_ns + stall_ns
        if self._patience.repeat_s is None:
            return None
        mark = _mark(sample)
        if mark is None or stream.mark is None or not _same(mark, stream.mark):
            stream.mark, stream.since_ns = mark, now_ns
            if stream.said:
                stream.said = False
                return Condition(sample.stream, "online")
            return None
        if now_ns - stream.since_ns < round(self._patience.repeat_s * NS_PER_S) or stream.said:
            return None
        for_s = f"for {self._patience.repeat_s:g} s"
        match sample.data:
            case AudioBlock():
                why = f"silent: nothing but zeros {for_s}"
            case ImuBlock():
                why = f"repeats one reading {for_s}"
            case _ if sample.modality == "depth" and not mark.any():
                # A wall nearer than it can see, or its lens is covered: no start would cure that.
                why = f"no return in any picture {for_s}"
            case _:
                raise SourceStalled(f"{sample.stream}: repeats one picture {for_s}")
        stream.said = True
        return Condition(sample.stream, "stalled", why)


class _Stream:
    __slots__ = ("began", "due_ns", "mark", "said", "since_ns")

    def __init__(self, due_ns: int) -> None:
        self.due_ns = due_ns
        self.began = False
        self.said = False
        self.since_ns = 0
        self.mark: NDArray[np.generic] | None = None


def _mark(sample: Sample) -> NDArray[np.generic] | None:
    """What stays the same when a device says nothing new; None when this is surely new."""
    data = sample.data
    if isinstance(data, AudioBlock):
        return None if np.any(data.samples) else data.samples[:1]
    if isinstance(data, ImuBlock):
        return data.values[0] if np.all(data.values == data.values[0]) else None
    if isinstance(data, Scaled):
        return data.stored[::_EVERY, ::_EVERY]
    return data[::_EVERY, ::_EVERY] if isinstance(data, np.ndarray) else None


def _same(mark: NDArray[np.generic], before: NDArray[np.generic]) -> bool:
    return mark.shape == before.shape and bool(np.array_equal(mark, before))
