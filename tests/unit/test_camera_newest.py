"""The newest picture wins, what it replaced is counted, and the end of the pictures is told.

camera    1   2   3   4   5
taken     1 - - - - - - - -> 5, three stale
"""

import queue
import threading
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from sources.camera.frames import Grab
from sources.camera.newest import Newest, Taken
from sources.camera.stamps import Grabbed
from streamer.errors import SourceLost

MS = 1_000_000
WAIT_S = 10.0


class Scripted:
    """A camera whose pictures come when the test says so; each holds its number."""

    what = "scripted"
    rate_hz = 30.0
    order: Literal["RGB", "BGR"] = "BGR"

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.decoded: list[int] = []
        self._coming: queue.Queue[int | Exception] = queue.Queue()
        self._number = 0

    def give(self, *numbers: int) -> None:
        """Picture n is of n * 33 ms. Returns when they have been read."""
        for number in numbers:
            self._coming.put(number)
        self._coming.join()

    def fail(self, error: Exception) -> None:
        self._coming.put(error)

    def grab(self) -> Grab | None:
        # Whoever asks for the next one is done with the one before.
        if self._number:
            self._number = 0
            self._coming.task_done()
        try:
            item = self._coming.get(timeout=0.02)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        self._number = item
        return Grab(item * 33 * MS)

    def picture(self) -> NDArray[Any]:
        self.decoded.append(self._number)
        return np.full((2, 2, 3), self._number, np.uint8)

    def close(self) -> None:
        self.closed.set()


def number(taken: Taken | None) -> int:
    assert taken is not None
    return int(taken.picture[0, 0, 0])


def test_after_a_pause_the_newest_comes_and_those_it_replaced_are_counted() -> None:
    camera = Scripted()
    with Newest(camera, None, Grabbed()) as newest:
        camera.give(1)
        first = newest.take(WAIT_S)
        camera.give(2, 3, 4, 5)
        second = newest.take(WAIT_S)
        assert newest.take(0.01) is None
        camera.give(6)
        third = newest.take(WAIT_S)
    assert [number(taken) for taken in (first, second, third)] == [1, 5, 6]
    assert [taken.stale for taken in (first, second, third) if taken] == [0, 3, 0]
    assert second is not None
    assert second.t_ns == 5 * 33 * MS
    assert camera.closed.is_set()


def test_what_is_more_than_the_maximum_rate_is_neither_decoded_nor_counted() -> None:
    camera = Scripted()
    taken: list[Taken] = []
    with Newest(camera, 10, Grabbed()) as newest:
        for n in range(1, 31):
            camera.give(n)
            if (one := newest.take(0)) is not None:
                taken.append(one)
    assert len(taken) == pytest.approx(10, abs=1)
    assert len(camera.decoded) == len(taken)
    assert sum(one.stale for one in taken) == 0
    assert taken[-1].period_ns == pytest.approx(100 * MS, rel=0.1)


def test_stamps_rise_though_the_clock_of_the_camera_goes_back() -> None:
    camera = Scripted()
    stamps: list[int] = []
    with Newest(camera, None, Grabbed()) as newest:
        for n in (5, 3, 4, 6):
            camera.give(n)
            taken = newest.take(WAIT_S)
            assert taken is not None
            stamps.append(taken.t_ns)
    assert stamps == sorted(set(stamps))
    assert stamps[-1] == 6 * 33 * MS


@pytest.mark.parametrize("error", [SourceLost("unplugged"), ZeroDivisionError("a bug")])
def test_what_ends_the_reading_is_raised_after_the_last_picture(error: Exception) -> None:
    camera = Scripted()
    with Newest(camera, None, Grabbed()) as newest:
        camera.give(1)
        camera.fail(error)
        assert number(newest.take(WAIT_S)) == 1
        for _ in range(2):
            with pytest.raises(type(error), match=str(error)):
                newest.take(WAIT_S)
    assert camera.closed.is_set()


def test_a_library_that_hangs_is_left_alone() -> None:
    # Closing a capture while another thread is in its grab is a crash.
    free = threading.Event()

    class Hanging(Scripted):
        def grab(self) -> Grab | None:
            free.wait()
            return None

    camera = Hanging()
    with Newest(camera, None, Grabbed()) as newest:
        assert newest.take(0.01) is None
    assert not camera.closed.is_set()
    free.set()
