"""What a driver gets in its process: the way to hand over what its device says."""

import contextlib
import os
import socket
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sources.isolated.messages import (
    Ended,
    Head,
    Lost,
    Message,
    Motion,
    Noted,
    Opened,
    Picture,
    Sound,
    Tally,
    encode,
)
from sources.isolated.slots import SLOTS, Slots
from streamer.clock import monotonic_ns
from streamer.types import HOST_CLOCK, ClockCard


class Driver(Protocol):
    """A configuration that knows how to drive its device, in a process of its own."""

    def drive(self, port: "Port") -> None:
        """Read the device and hand over what it says, until it ends. Raises `SourceLost`.

        Synchronous, and may block: it has the process to itself. SIGTERM raises SystemExit here.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """A place in shared memory for one picture: write into `array`, then hand it over."""

    slot: int
    array: NDArray[Any]


class Port:
    """One thread uses it: callbacks of a library hand their data to that thread.

    Nothing here waits for the program. What it has no room for is dropped and counted as
    `overload`, and so are drops of the device that the driver notes with `dropped`.
    """

    def __init__(self, link: socket.socket, slots: Slots) -> None:
        self._link, self._slots = link, slots
        self._free = deque(range(SLOTS))
        self._made: Counter[str] = Counter()
        self._dropped: dict[str, Counter[str]] = {}
        listener = threading.Thread(target=self._listen, name="port", daemon=True)
        listener.start()

    @staticmethod
    def now_ns() -> int:
        """CLOCK_MONOTONIC, the clock of all stamps that are handed over."""
        return monotonic_ns()

    def opened(self, what: str) -> None:
        """Tell a person what was found and agreed on: "640x480 at 30 fps, MJPG"."""
        self._say(Opened(what))

    def room(self, stream: str, shape: Sequence[int], dtype: str) -> Room | None:
        """Where to write the next picture; None if the program is behind: it is dropped.

        `dtype` uint8, uint16 or float32. Asking again without handing over gives the same place.
        """
        if not self._free:
            self._made[stream] += 1
            self.dropped(stream, "overload")
            return None
        slot = self._free[0]
        return Room(slot, self._slots.view(slot, shape, dtype))

    def picture(
        self,
        stream: str,
        room: Room,
        t_ns: int,
        duration_ns: int,
        *,
        clock: ClockCard = HOST_CLOCK,
        scale: float | None = None,
        offset: float = 0.0,
        grey: bool = False,
    ) -> None:
        """Hand over what was written into `room`.

        `t_ns` is when it was taken, `duration_ns` one frame period. The picture is what
        `Sample.data` promises for the modality, or integers with a `scale` and `offset` that
        make it so: value = stored * scale + offset, or with `grey` the brightness, uint8.
        """
        array = room.array
        head = self._head(stream, t_ns, duration_ns, clock)
        shape = tuple(array.shape)
        if self._send(Picture(head, room.slot, shape, str(array.dtype), scale, offset, grey)):
            self._free.remove(room.slot)

    def sound(
        self,
        stream: str,
        t_ns: int,
        samples: NDArray[np.float32],
        rate_hz: int,
        *,
        clock: ClockCard = HOST_CLOCK,
    ) -> None:
        """Hand over consecutive sound samples (n,), n > 0; `t_ns` is when the first was taken."""
        duration_ns = len(samples) * 1_000_000_000 // rate_hz
        self._send(Sound(self._head(stream, t_ns, duration_ns, clock), rate_hz, samples))

    def motion(
        self,
        stream: str,
        t_ns: NDArray[np.int64],
        values: NDArray[np.float32],
        period_ns: int,
        *,
        clock: ClockCard = HOST_CLOCK,
    ) -> None:
        """Hand over consecutive readings: `t_ns` (n,) not decreasing, `values` (n, 6), n > 0.

        `period_ns` is the device's: the last reading stands for one.
        """
        duration_ns = int(t_ns[-1] - t_ns[0]) + period_ns
        self._send(Motion(self._head(stream, int(t_ns[0]), duration_ns, clock), t_ns, values))

    def note(self, stream: str, what: str) -> bool:
        """Tell, with the stream's state, what a subscriber should know about its samples.

        After its first sample: that says online and nothing more. False if the program is behind.
        """
        try:
            self._link.send(encode(Noted(stream, what)), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            os._exit(1)
        return True

    def dropped(self, stream: str, cause: str, count: int = 1) -> None:
        """Note samples that are lost. Those the device lost before anybody saw them count as
        made by `lost`; this is for those that were made."""
        self._dropped.setdefault(stream, Counter())[cause] += count

    def lost(self, stream: str, cause: str, count: int = 1) -> None:
        """Note samples that the device made and nobody got: overflows, frames it skipped."""
        self._made[stream] += count
        self.dropped(stream, cause, count)

    def tell_counts(self) -> None:
        """The last word of a process: what was dropped after the last sample that got through."""
        for stream, made in self._made.items():
            tally = Tally(stream, made, dict(self._dropped.get(stream, ())))
            with contextlib.suppress(OSError):  # no room, or nobody there
                self._link.send(encode(tally), socket.MSG_DONTWAIT)

    def ended(self) -> None:
        """A recording came to its end."""
        self._say(Ended())

    def gone(self, why: str) -> None:
        """The device cannot deliver."""
        self._say(Lost(why))

    def _head(self, stream: str, t_ns: int, duration_ns: int, clock: ClockCard) -> Head:
        self._made[stream] += 1
        dropped = dict(self._dropped.get(stream, ()))
        return Head(stream, t_ns, duration_ns, clock, self._made[stream], dropped)

    def _send(self, message: Picture | Sound | Motion) -> bool:
        try:
            self._link.send(encode(message), socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.dropped(message.head.stream, "overload")
            return False
        except OSError:
            os._exit(1)  # nobody is there any more
        return True

    def _say(self, message: Message) -> None:
        try:
            self._link.send(encode(message))
        except OSError:
            os._exit(1)

    def _listen(self) -> None:
        """Slots come back one byte each. The end of the socket is the end of the program."""
        while True:
            try:
                slots = self._link.recv(SLOTS)
            except OSError:
                slots = b""
            if not slots:
                # At once, whatever the device's library is doing: it may hang.
                os._exit(1)
            self._free.extend(slots)
