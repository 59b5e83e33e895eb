"""The newest picture of a camera: a thread grabs all there are, so that none waits in a buffer.

After a pause of five seconds OpenCV hands out 166 old pictures (RTSP); who reads slower than the
camera sees the past, further and further. Here the newest wins, and what it replaces is counted.
"""

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from sources.camera.frames import Frames
from sources.camera.pace import Pace, Period
from sources.camera.stamps import Stamps
from streamer.types import ClockCard

_JOIN_S = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """`picture` uint8 (H, W, 3) in the order of the camera; `period_ns` is that of those wanted.
    `stale`: how many since the one before were wanted and replaced by newer ones."""

    picture: NDArray[Any]
    t_ns: int
    period_ns: int
    clock: ClockCard
    stale: int


class Newest:
    """Reads `frames` in a thread while entered, and closes them. `max_hz` pictures a second are
    wanted, all if None; only these are decoded."""

    def __init__(self, frames: Frames, max_hz: float | None, stamps: Stamps) -> None:
        self._frames, self._stamps = frames, stamps
        self._pace = Pace(max_hz)
        self._coming = Period(frames.rate_hz)
        self._wanted = Period(min(frames.rate_hz, max_hz or frames.rate_hz))
        self._news = threading.Condition()
        self._newest: Taken | None = None
        self._error: Exception | None = None
        self._stop = False
        self._thread = threading.Thread(target=self._read, name="newest picture", daemon=True)

    def __enter__(self) -> "Newest":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop = True
        self._thread.join(_JOIN_S)
        # A library that hangs in a grab is not to be disturbed: the end of the process is near.
        if not self._thread.is_alive():
            self._frames.close()

    def take(self, wait_s: float) -> Taken | None:
        """The newest picture that was not taken yet; None if none comes in time.

        Raises what ended the reading, once what came before is taken.
        """
        with self._news:
            self._news.wait_for(lambda: self._newest is not None or self._error, wait_s)
            taken, self._newest = self._newest, None
            if taken is None and self._error is not None:
                raise self._error
            return taken

    def _read(self) -> None:
        try:
            self._read_until_stopped()
        except Exception as error:
            with self._news:
                self._error = error
                self._news.notify()

    def _read_until_stopped(self) -> None:
        last_ns = 0
        while not self._stop:
            grab = self._frames.grab()
            if grab is None:
                continue
            t_ns, card = self._stamps.stamp(grab.position_ms, grab.at_ns, self._coming.ns)
            # Two clocks took turns: nothing goes back in time for that.
            t_ns = last_ns = max(t_ns, last_ns + 1)
            self._coming.note(t_ns)
            if not self._pace.wanted(t_ns):
                continue
            self._wanted.note(t_ns)
            picture = self._frames.picture()
            with self._news:
                before = self._newest
                stale = 0 if before is None else before.stale + 1
                self._newest = Taken(picture, t_ns, self._wanted.ns, card, stale)
                self._news.notify()
