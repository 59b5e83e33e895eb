"""Bounded queues with accounts. The one file that holds the code which may drop.

Every channel keeps an `Account`; at any moment produced = delivered + dropped + pending.
"""

import asyncio
from collections import deque
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

    `put` never waits; it returns the item it displaced, already counted as `overload`, so that
    the caller can leave a tombstone.
    """

    def __init__(self) -> None:
        self.account = Account()
        self._items: deque[T] = deque()
        self._closed = False
        self._ready = asyncio.Event()

    def put(self, item: T) -> T | None:
        displaced = self._items.popleft() if self._items else None
        if displaced is not None:
            self.account.drop("overload")
        self.account.produced += 1
        self._items.append(item)
        self._ready.set()
        return displaced

    async def get(self) -> T:
        """Wait for an item. Raises `Closed` once the channel is closed and empty."""
        while not self._items:
            if self._closed:
                raise Closed
            self._ready.clear()
            await self._ready.wait()
        self.account.delivered += 1
        return self._items.popleft()

    def close(self) -> None:
        self._closed = True
        self._ready.set()


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

    async def get(self) -> T:
        """Wait for an item. Raises `Closed` once the channel is closed and empty."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._items or self._closed)
            if not self._items:
                raise Closed
            self.account.delivered += 1
            self._changed.notify_all()
            return self._items.popleft()

    async def close(self) -> None:
        async with self._changed:
            self._closed = True
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Parcel(Generic[T]):
    """An item of an outbox with what it weighs and until when it is worth sending."""

    item: T
    size: int
    expires_ns: int


class Outbox(Generic[T]):
    """Messages on their way to something that can be slow or away. Oldest go first.

    Bounded in bytes and count; each parcel also expires. Dropped by cause: `overflow` (made room
    for a newer one), `expired`, `oversize` (larger than the whole outbox). The owner reports the
    fate of what it took with `take` to the account (`delivered`, or `drop` with its own cause), or
    gives it back with `unget` to be sent first.
    """

    def __init__(self, max_bytes: int, max_items: int) -> None:
        self.account = Account()
        self.bytes = 0
        self._max_bytes = max_bytes
        self._max_items = max_items
        self._parcels: deque[Parcel[T]] = deque()
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        return len(self._parcels)

    def put(self, parcel: Parcel[T]) -> None:
        self.account.produced += 1
        if parcel.size > self._max_bytes:
            self.account.drop("oversize")
            return
        self._parcels.append(parcel)
        self.bytes += parcel.size
        self._make_room()
        self._ready.set()

    def unget(self, parcel: Parcel[T]) -> None:
        """Give back what could not be sent; it stays the oldest, and the first to make room."""
        self._parcels.appendleft(parcel)
        self.bytes += parcel.size
        self._make_room()
        self._ready.set()

    def take(self, now_ns: int) -> Parcel[T] | None:
        """The oldest parcel still worth sending, or None."""
        while self._parcels:
            parcel = self._parcels.popleft()
            self.bytes -= parcel.size
            if parcel.expires_ns > now_ns:
                return parcel
            self.account.drop("expired")
        return None

    async def wait(self) -> None:
        """Return once there is something to take."""
        while not self._parcels:
            self._ready.clear()
            await self._ready.wait()

    def _make_room(self) -> None:
        while self.bytes > self._max_bytes or len(self._parcels) > self._max_items:
            self.bytes -= self._parcels.popleft().size
            self.account.drop("overflow")
