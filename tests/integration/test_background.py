"""Reading in a thread: nothing lost, the thread always gone, errors in their place."""

import asyncio
import threading
from collections.abc import Generator

import numpy as np
import pytest

from sources.background import BATCH_SAMPLES, in_thread
from streamer.errors import SourceLost
from streamer.types import Sample

COUNT = 1000


class Counter:
    """A source that notes in which thread it runs, how far it came and whether it was closed."""

    def __init__(self, fail_at: int | None = None, bytes_each: int = 1) -> None:
        self.fail_at = fail_at
        self.data = np.zeros(bytes_each, np.uint8)
        self.made = 0
        self.closed = threading.Event()
        self.threads: set[threading.Thread] = set()

    def read(self) -> Generator[Sample, None, None]:
        try:
            for number in range(COUNT):
                self.threads.add(threading.current_thread())
                if number == self.fail_at:
                    raise SourceLost(f"broken at {number}")
                self.made += 1
                yield Sample("s", "vision", number, 1, self.data)
        finally:
            self.threads.add(threading.current_thread())
            self.closed.set()

    def assert_gone(self) -> None:
        assert self.closed.is_set()
        assert len(self.threads) == 1
        assert not any(t.is_alive() for t in self.threads)
        assert threading.current_thread() not in self.threads


async def test_every_sample_comes_in_order() -> None:
    counter = Counter()
    async with in_thread(counter.read) as samples:
        got = [s.t_ns async for s in samples]

    assert got == list(range(COUNT))
    counter.assert_gone()


@pytest.mark.parametrize("bytes_each", [1, 1 << 20])
async def test_a_slow_consumer_makes_the_reader_wait(bytes_each: int) -> None:
    """One batch is handed out, one is ready; the third is not begun until somebody asks."""
    loop, full, overrun = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    held = 2 * min(BATCH_SAMPLES, (4 << 20) // bytes_each)
    counter = Counter(bytes_each=bytes_each)

    def read() -> Generator[Sample, None, None]:
        for number, sample in enumerate(counter.read(), start=1):
            if number >= held:
                loop.call_soon_threadsafe((full if number == held else overrun).set)
            yield sample

    async with in_thread(read) as samples:
        await anext(samples)
        await asyncio.wait_for(full.wait(), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(overrun.wait(), 0.05)
        rest = [s async for s in samples]
    assert len(rest) == COUNT - 1
    assert overrun.is_set()


async def test_an_error_comes_after_the_samples_before_it() -> None:
    counter = Counter(fail_at=100)
    async with in_thread(counter.read) as samples:
        got = [(await anext(samples)).t_ns for _ in range(100)]
        with pytest.raises(SourceLost, match="broken at 100"):
            await anext(samples)

    assert got == list(range(100))
    counter.assert_gone()


async def test_an_error_at_the_very_start_is_raised_on_entering() -> None:
    counter = Counter(fail_at=0)
    with pytest.raises(SourceLost, match="broken at 0"):
        async with in_thread(counter.read):
            pytest.fail("entered")
    counter.assert_gone()


async def test_cancelled_while_waiting_for_a_sample() -> None:
    gate, waiting = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    counter = Counter()

    def read() -> Generator[Sample, None, None]:
        for number, sample in enumerate(counter.read()):
            if number == 2 * BATCH_SAMPLES:
                loop.call_soon_threadsafe(waiting.set)
                gate.wait(10)
            yield sample

    async def consume() -> None:
        async with in_thread(read) as samples:
            async for _ in samples:
                pass

    task = asyncio.create_task(consume())
    await asyncio.wait_for(waiting.wait(), 10)
    task.cancel()
    loop.call_later(0.05, gate.set)  # the reader is stuck for a while after the cancellation
    with pytest.raises(asyncio.CancelledError):
        await task

    assert counter.made <= 2 * BATCH_SAMPLES + 1
    assert not any(t.is_alive() for t in counter.threads)
