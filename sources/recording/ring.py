"""The last seconds of a run in memory: bounded in time and in bytes, the oldest go first. Pure."""

from collections import deque
from collections.abc import Iterator

from sources.recording.packed import Packed


class Ring:
    """Chunks, oldest first.

    It holds at least the `before_ns` before the newest chunk, as long as that fits into
    `most_bytes`. What did not fit is remembered for as long as it would have been held.
    """

    def __init__(self, before_ns: int, most_bytes: int) -> None:
        self.nbytes = 0
        self._before_ns, self._most_bytes = before_ns, most_bytes
        self._chunks: deque[Packed] = deque()
        self._gone: deque[tuple[int, dict[str, int]]] = deque()

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[Packed]:
        return iter(self._chunks)

    def push(self, chunk: Packed) -> list[Packed]:
        """Returns the chunks that had to go, oldest first."""
        self._chunks.append(chunk)
        self.nbytes += chunk.nbytes
        since_ns = chunk.to_ns - self._before_ns
        went: list[Packed] = []
        while self._chunks[0].to_ns < since_ns:
            went.append(self._pop())
        while self.nbytes > self._most_bytes:
            went.append(self._pop())
            self._gone.append((went[-1].to_ns, dict(went[-1].samples)))
        while self._gone and self._gone[0][0] < since_ns:
            self._gone.popleft()
        return went

    def missing(self, since_ns: int) -> dict[str, int]:
        """Samples since then that it had no room for, by stream."""
        total: dict[str, int] = {}
        for to_ns, samples in self._gone:
            if to_ns >= since_ns:
                for stream, count in samples.items():
                    total[stream] = total.get(stream, 0) + count
        return total

    def _pop(self) -> Packed:
        chunk = self._chunks.popleft()
        self.nbytes -= chunk.nbytes
        return chunk
