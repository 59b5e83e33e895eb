"""Renders moments in other processes, so that the one that encodes need not wait."""

import os
import signal
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from encoders.binding.data import Moments
from streamer.types import Moment

CHUNK = 4
"""Moments a task. A moment is some megabytes on its way between processes."""
AHEAD = 12
"""Tasks under way or waiting to be taken: more than a batch of the encoder."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class EveryOther:
    """The moments of even number."""

    moments: Moments

    def __len__(self) -> int:
        return (len(self.moments) + 1) // 2

    def __getitem__(self, index: int, /) -> Moment:
        return self.moments[2 * index]


def each(
    moments: Moments, task: Callable[[Moment], Made], workers: int
) -> Generator[Made, None, None]:
    """What `task` makes of every moment, in order, by `workers` processes; 0: by this one.

    `moments` and `task`, a function of a module, are sent to the processes and what it makes is
    sent back, so all of it has to be picklable.
    """
    if workers == 0:
        for index in range(len(moments)):
            yield task(moments[index])
        return
    # Not forked: torch and OpenCV have threads, which a fork would lose.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare)
    waiting: deque[Future[list[Made]]] = deque()
    try:
        for start in range(0, len(moments), CHUNK):
            chunk = range(start, min(start + CHUNK, len(moments)))
            waiting.append(pool.submit(_make, moments, task, chunk))
            if len(waiting) >= AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _make(moments: Moments, task: Callable[[Moment], Made], chunk: range) -> list[Made]:
    return [task(moments[index]) for index in chunk]


def _prepare() -> None:
    """Of a new process: one thread, Ctrl-C is the parent's business, and no life without it."""
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
