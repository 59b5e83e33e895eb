"""From the library's threads to the one that hands over: frames as they come, bounded."""

from collections import Counter
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Lock
from typing import Any, Literal, TypeAlias

from streamer.clock import monotonic_ns

Kind: TypeAlias = Literal["depth", "colour", "gyro", "accel"]
KINDS: dict[str, Kind] = {"depth": "depth", "color": "colour", "gyro": "gyro", "accel": "accel"}
"""The library's name of a stream, and ours."""

PICTURES = 4
"""Pictures of a kind that wait. The library has 16 and stops when they are held (#946, #7968)."""

READINGS = 2048
"""Motion that waits: some seconds of it, for a program that is held up."""

_WAITING: dict[Kind, int] = {
    "depth": PICTURES, "colour": PICTURES, "gyro": READINGS, "accel": READINGS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caught:
    """One frame. `what` is the library's frame of a picture, and the numbers of a reading."""

    kind: Kind
    number: int
    domain: str
    stamp_ns: int
    arrival_ns: int
    what: Any


Event: TypeAlias = Literal["removed", "played"]


def nanoseconds(milliseconds: float) -> int:
    """Of UTC in float64 milliseconds, which is good to a quarter of a microsecond, no worse."""
    whole = int(milliseconds)
    return whole * 1_000_000 + round((milliseconds - whole) * 1e6)


class Intake:
    """Called by the library with each frame; read by one thread."""

    def __init__(self) -> None:
        self._queue: Queue[Caught | Event] = Queue()
        self._lock = Lock()
        self._waiting: Counter[Kind] = Counter()
        self.last_ns: int | None = None
        """When a frame came last."""

    def __call__(self, frame: Any) -> None:
        arrival_ns = monotonic_ns()
        kind = KINDS.get(frame.profile.stream_type().name)
        if kind is None:
            return
        self.last_ns = arrival_ns
        with self._lock:
            if self._waiting[kind] >= _WAITING[kind]:
                return  # its number is missing then, and counted
            self._waiting[kind] += 1
        what: Any = frame
        if frame.is_motion_frame():
            # Copied at once, so that the library gets its frame back.
            data = frame.as_motion_frame().motion_data
            what = (data.x, data.y, data.z)
        stamp_ns = nanoseconds(frame.timestamp)
        domain = frame.frame_timestamp_domain.name
        self._queue.put(Caught(kind, frame.frame_number, domain, stamp_ns, arrival_ns, what))

    def note(self, event: Event) -> None:
        """`removed`: the device is gone. `played`: a recording came to its end."""
        self._queue.put(event)

    def next(self, timeout_s: float) -> Caught | Event | None:
        """What came, in its order; None if nothing does for so long."""
        try:
            item = self._queue.get(timeout=timeout_s)
        except Empty:
            return None
        if isinstance(item, Caught):
            with self._lock:
                self._waiting[item.kind] -= 1
        return item

    def alive(self, within_ns: int) -> bool:
        """Whether a frame came so recently."""
        return self.last_ns is not None and monotonic_ns() - self.last_ns < within_ns
