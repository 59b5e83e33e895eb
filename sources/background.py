"""Reading that blocks, in a thread of its own: the event loop never waits for a disk or a decoder.

The thread works at most one batch ahead, so a file read faster than it is used waits, and nothing
is ever dropped.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from streamer.types import Sample

T = TypeVar("T")

# A thread hop costs about as much as decoding one block of sound, so samples travel in batches.
# The bound in bytes keeps two batches of large pictures from costing hundreds of megabytes.
BATCH_SAMPLES = 64
BATCH_BYTES = 4 << 20


@asynccontextmanager
async def in_thread(
    read: Callable[[], Generator[T, None, None]], batch: int = BATCH_SAMPLES
) -> AsyncGenerator[AsyncIterator[T], None]:
    """Run the generator function `read` in a thread; yield an async iterator of its samples.

    The first batch is read before this returns, so that whatever prevents any reading is raised on
    entering. An error after that comes in its place, behind the samples read before it. On leaving,
    also early or cancelled, the generator is closed in its thread and the thread has ended.
    """
    reader = _Reader(read, batch)
    executor = ThreadPoolExecutor(1, thread_name_prefix="reader")
    loop = asyncio.get_running_loop()
    samples = _Samples(lambda: loop.run_in_executor(executor, reader.take))
    try:
        await samples.prefetch()
        yield samples
    finally:
        reader.stop()
        samples.discard()
        closed = loop.run_in_executor(executor, reader.close)
        executor.shutdown(wait=False)
        try:
            await asyncio.shield(closed)
        finally:
            # Only the last steps of a thread with nothing left to do; cancelled twice, the one
            # sample it is at.
            executor.shutdown(wait=True)


class _Reader(Generic[T]):
    """The generator and its state. Everything but `stop` runs in the thread."""

    def __init__(self, read: Callable[[], Generator[T, None, None]], batch: int) -> None:
        self._samples = read()
        self._batch = batch
        self._error: Exception | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let a batch in the making end with the sample it is at."""
        self._stopped.set()

    def take(self) -> list[T]:
        """The next samples, at least one; an empty list at the end."""
        if self._error is not None:
            raise self._error
        batch: list[T] = []
        weight = 0
        try:
            while not self._stopped.is_set():
                sample = next(self._samples, None)
                if sample is None:
                    break
                batch.append(sample)
                weight += _nbytes(sample)
                if len(batch) >= self._batch or weight >= BATCH_BYTES:
                    break
        except Exception as error:
            if not batch:
                raise
            self._error = error
        return batch

    def close(self) -> None:
        self._samples.close()


class _Samples(Generic[T]):
    """Hands out one batch while the next is being read."""

    def __init__(self, request: Callable[[], asyncio.Future[list[T]]]) -> None:
        self._request = request
        self._ready: deque[T] = deque()
        self._pending = request()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if not self._ready:
            await self.prefetch()
            if not self._ready:
                raise StopAsyncIteration
        return self._ready.popleft()

    async def prefetch(self) -> None:
        # Shielded, so that a cancelled caller does not lose the batch.
        batch = await asyncio.shield(self._pending)
        if batch:
            self._ready.extend(batch)
            self._pending = self._request()

    def discard(self) -> None:
        """Nobody will ask for what is being read."""
        self._pending.cancel()


def _nbytes(item: object) -> int:
    """Of the data of a sample, or what another kind of item says of itself."""
    return getattr(item.data if isinstance(item, Sample) else item, "nbytes", 0)
