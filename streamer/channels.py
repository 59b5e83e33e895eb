"""Bounded queues with accounts. The one file that holds the code which may drop.

Every channel keeps an `Account`; at any moment produced = delivered + dropped + pending.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Account:
    """What went into a stage and what became of it."""

    __slots__ = ("_dropped", "delivered", "produced")

    def __init__(self) -> None:
        self.produced = 0
        self.delivered = 0
        self._dropped: dict[str, int] = {}

    def drop(self, cause: str, count: int = 1) -> None:
        self._dropped[cause] = self._dropped.get(cause, 0) + count

    def add(self, other: "Account") -> None:
        """Count what the other counted as well."""
        self.produced += other.produced
        self.delivered += other.delivered
        for cause, count in other.dropped.items():
            self.drop(cause, count)

    @property
    def dropped(self) -> dict[str, int]:
        """A copy, by cause."""
        return dict(self._dropped)

    @property
    def pending(self) -> int:
        return self.produced - self.delivered - sum(self._dropped.values())

    def report(self) -> dict[str, object]:
        return {
            "produced": self.produced,
            "delivered": self.delivered,
            "dropped": self.dropped,
            "pending": self.pending,
        }


class Closed(Exception):
    """The channel is closed and empty."""


class Mailbox(Generic[T]):
    """One slot, newest wins: for live runs, where an old tick is worth less than a new one.

    The slot holds up to `capacity` items that were put together, or while the consumer was waiting
    for any: a stream that falls silent lets several ticks close at once, and that is no overload.
    `put` never waits; it returns what it displaced, already counted as `overload`, so that the
    caller can leave tombstones.
    """

    def __init__(self, capacity: int) -> None:
        self.account = Account()
        self._capacity = capacity
        self._items: list[T] = []
        self._awaited = False
        self._closed = False
        self._ready = asyncio.Event()

    def put(self, items: Sequence[T]) -> list[T]:
        """Put `items`, oldest first and at least one, in the place of what has not been taken."""
        displaced: list[T] = []
        if not self._awaited:
            displaced, self._items = self._items, []
        self._items += items
        surplus = max(0, len(self._items) - self._capacity)
        displaced += self._items[:surplus]
        del self._items[:surplus]
        if displaced:
            self.account.drop("overload", len(displaced))
        self.account.produced += len(items)
        self._ready.set()
        return displaced

    def append(self, items: Sequence[T]) -> None:
        """Put `items` behind what has not been taken, beyond the capacity: the run is over."""
        self.account.produced += len(items)
        self._items += items
        self._ready.set()

    async def get(self) -> list[T]:
        """Wait for items. Raises `Closed` once the channel is closed and empty."""
        self._awaited = True
        try:
            while not self._items:
                if self._closed:
                    raise Closed
                self._ready.clear()
                await self._ready.wait()
        finally:
            self._awaited = False
        taken, self._items = self._items, []
        self.account.delivered += len(taken)
        return taken

    def close(self) -> None:
        self._closed = True
        self._ready.set()

    def discard(self, cause: str) -> None:
        """Drop what has not been taken."""
        if self._items:
            self.account.drop(cause, len(self._items))
        self._items = []


class Pipe(Generic[T]):
    """A short queue whose `put` waits: for files and replay, where nothing may be lost."""

    def __init__(self, capacity: int) -> None:
        self.account = Account()
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = asyncio.Condition()

    async def put(self, item: T) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._items) < self._capacity)
            self.account.produced += 1
            self._items.append(item)
            self._changed.notify_all()

    async def get(self) -> list[T]:
        """Wait for one item. Raises `Closed` once the channel is closed and empty.

        Always one, never what happens to be there: the batches of a file run, and so the last
        bits of its vectors, must not depend on who was quicker.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._items or self._closed)
            if not self._items:
                raise Closed
            self.account.delivered += 1
            self._changed.notify_all()
            return [self._items.popleft()]

    async def close(self) -> None:
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def discard(self, cause: str) -> None:
        """Drop what has not been taken."""
        if self._items:
            self.account.drop(cause, len(self._items))
        self._items.clear()


@dataclass(frozen=True, slots=True)
class Parcel(Generic[T]):
    """An item of an outbox with what it weighs and until when it is worth sending."""

    item: T
    size: int
    expires_ns: int


class Outbox(Generic[T]):
    """Messages on their way to something that can be slow or away. Oldest go first.

    Bounded in bytes and count; each parcel also expires. Dropped by cause: `expired`, `overflow`
    (the oldest made room for a newer one; what has expired goes before it), `oversize` (larger
    than the whole outbox). The owner reports the fate of what it took with `take` to the account
    (`delivered`, or `drop` with its own cause), or gives it back with `unget` to be sent first.

    Where nothing may be lost, wait for `room` before each `put`, give parcels that never expire,
    and construct with `lossless=True`: then parcels given back do not push others out.
    """

    def __init__(self, max_bytes: int, max_items: int, *, lossless: bool = False) -> None:
        self.account = Account()
        self.bytes = 0
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._lossless = lossless
        self._parcels: deque[Parcel[T]] = deque()
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._parcels)

    def put(self, parcel: Parcel[T], now_ns: int) -> None:
        self.account.produced += 1
        if parcel.size > self._max_bytes:
            self.account.drop("oversize")
            return
        self._parcels.append(parcel)
        self.bytes += parcel.size
        self._make_room(now_ns)

    def unget(self, parcels: Sequence[Parcel[T]], now_ns: int) -> None:
        """Give back, oldest first, what could not be sent; it is again the first to be taken."""
        self._parcels.extendleft(reversed(parcels))
        self.bytes += sum(parcel.size for parcel in parcels)
        self._make_room(now_ns)

    def take(self, now_ns: int) -> Parcel[T] | None:
        """The oldest parcel still worth sending, or None."""
        while self._parcels:
            parcel = self._pop()
            if parcel.expires_ns > now_ns:
                return parcel
            self.account.drop("expired")
        return None

    async def room(self, size: int) -> None:
        """Return once a parcel of `size` bytes fits, or if it never will.

        The room is the caller's until it next awaits.
        """
        while size <= self._max_bytes and (
            self.bytes + size > self._max_bytes or len(self._parcels) >= self._max_items
        ):
            self._taken.clear()
            await self._taken.wait()

    def discard(self, cause: str) -> int:
        """Drop everything, for example because the run is over. Returns how many went."""
        count = len(self._parcels)
        while self._parcels:
            self._pop()
        if count:
            self.account.drop(cause, count)
        return count

    def _pop(self) -> Parcel[T]:
        parcel = self._parcels.popleft()
        self.bytes -= parcel.size
        self._taken.set()
        return parcel

    @property
    def _overfull(self) -> bool:
        return self.bytes > self._max_bytes or len(self._parcels) > self._max_items

    def _make_room(self, now_ns: int) -> None:
        if self._lossless or not self._overfull:
            return
        worth = deque(parcel for parcel in self._parcels if parcel.expires_ns > now_ns)
        if len(worth) < len(self._parcels):
            self.account.drop("expired", len(self._parcels) - len(worth))
            self._parcels = worth
            self.bytes = sum(parcel.size for parcel in worth)
        while self._overfull:
            self._pop()
            self.account.drop("overflow")
