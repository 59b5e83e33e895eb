"""A device in a process of its own: what its library does there costs this one source only.

The process is started fresh (never forked: forked libraries misbehave), stamps and reduces what the
device says, and hands it over through one socket and shared memory. The program watches what
comes, ends the process with TERM, then KILL, and says why; `streamer.supervise` starts it again.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

import cbor2
import numpy as np

from sources.isolated.messages import (
    MAX_BYTES,
    Ended,
    Garbled,
    Head,
    Lost,
    Message,
    Motion,
    Noted,
    Opened,
    Picture,
    Sound,
    Tally,
    decode,
)
from sources.isolated.port import Driver
from sources.isolated.running import Process
from sources.isolated.slots import Slots, shared_memory
from sources.isolated.watch import Patience, Watch
from sources.scaled import Scaled
from streamer.channels import Account
from streamer.clock import since_monotonic_ns
from streamer.errors import SourceLost, SourceStalled
from streamer.protocols import Clock
from streamer.types import (
    AudioBlock,
    ClockCard,
    Condition,
    Counts,
    Data,
    ImuBlock,
    Modality,
    Sample,
    StreamInfo,
)

log = logging.getLogger(__name__)

# The most that is read before the event loop has its turn again.
_AT_ONCE = 16


class Isolable(Driver, Protocol):
    """A device's configuration: a pydantic model with a `drive`, that can be sent as JSON."""

    @property
    def streams(self) -> tuple[StreamInfo, ...]: ...

    def model_dump_json(self) -> str: ...


@asynccontextmanager
async def isolated(
    source: Isolable, clock: Clock, patience: Patience, picture_bytes: int
) -> AsyncGenerator["Isolated", None]:
    """Start `source.drive` in its own process and yield what it says.

    `picture_bytes` bounds one picture in memory; nothing of it is used before it is written to.
    The iteration raises `SourceLost` when the process or the device ends, `SourceStalled` when it
    hangs. On leaving, the process and what it started are gone within `TERM_S + KILL_S`.
    """
    name = source.streams[0].name
    with contextlib.ExitStack() as stack:
        try:
            ours, slots, process = _started(name, picture_bytes, stack)
        except OSError as error:
            # No memory, no descriptors, no processes left: of this source, for now.
            raise SourceLost(f"{name}: its process cannot be started: {error}") from error
        try:
            kind = type(source)
            task = {
                "source": f"{kind.__module__}:{kind.__qualname__}",
                "config": source.model_dump_json(),
                "slot_bytes": picture_bytes,
            }
            # One that has died already says so at the first read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                ours.send(cbor2.dumps(task))
            link = Isolated(source.streams, ours, slots, process, clock, patience)
            try:
                yield link
            finally:
                await process.end()
                link.discard()
        finally:
            process.close()


def _started(
    name: str, picture_bytes: int, stack: contextlib.ExitStack
) -> tuple[socket.socket, Slots, Process]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stack.enter_context(ours)
    with theirs:
        ours.setblocking(False)
        memory_fd = shared_memory(picture_bytes)
        try:
            slots = Slots(memory_fd, picture_bytes)
            stack.callback(slots.close)
            return ours, slots, Process(name, theirs, memory_fd)
        finally:
            os.close(memory_fd)


class Isolated:
    """What comes from an open device, in its order.

    `accounts`, by stream, count what the device made since it was opened: delivered is what was
    taken from here, and every drop of its process has its cause there.
    """

    def __init__(
        self,
        streams: Sequence[StreamInfo],
        link: socket.socket,
        slots: Slots,
        process: "Process",
        clock: Clock,
        patience: Patience,
    ) -> None:
        self.accounts = {info.name: Account() for info in streams}
        self._modality: dict[str, Modality] = {info.name: info.modality for info in streams}
        self._link, self._slots, self._process, self._clock = link, slots, process, clock
        self._name = streams[0].name
        self._offset_ns = since_monotonic_ns(clock)
        self._watch = Watch(streams, patience, clock.now_ns())
        self._cards: dict[str, tuple[ClockCard, ClockCard]] = {}
        self._waiting: Condition | None = None
        self._in_a_row = 0

    def __aiter__(self) -> "Isolated":
        return self

    async def __anext__(self) -> Sample | Condition:
        if self._waiting is not None:
            condition, self._waiting = self._waiting, None
            return condition
        while True:
            message = self._understood(await self._receive())
            match message:
                case Opened(what):
                    log.info("%s: opened %s", self._name, what)
                case Noted(stream, what):
                    return Condition(stream, "online", what)
                case Tally(stream, made, dropped):
                    self._count(stream, made, dropped)
                case Lost(why):
                    raise SourceLost(why)
                case Ended():
                    raise StopAsyncIteration
                case Picture() | Sound() | Motion():
                    sample = self._sample(message)
                    account = self.accounts[sample.stream]
                    try:
                        self._waiting = self._watch.seen(sample, self._clock.now_ns())
                    except SourceStalled:
                        account.drop("repeated")
                        raise
                    account.delivered += 1
                    return sample

    def discard(self) -> None:
        """The process has ended: what it sent and nobody took is counted as `stopped`."""
        while body := self._take():
            with contextlib.suppress(SourceLost):
                match self._understood(body):
                    case Picture(head) | Sound(head) | Motion(head):
                        self._count(head.stream, head.made, head.dropped)
                        self.accounts[head.stream].drop("stopped")
                    case Tally(stream, made, dropped):
                        self._count(stream, made, dropped)
                    case _:
                        pass
        for account in self.accounts.values():
            # What was made, and could not be understood when it came.
            if account.pending > 0:
                account.drop("garbled", account.pending)

    async def _receive(self) -> bytes:
        # What is there is taken at once, but the event loop must have its turn.
        self._in_a_row += 1
        if self._in_a_row >= _AT_ONCE:
            self._in_a_row = 0
            await asyncio.sleep(0)
        while (body := self._take()) is None:
            self._in_a_row = 0
            wait_s = (self._watch.due_ns - self._clock.now_ns()) / 1e9
            if not await _readable(self._link, wait_s) and (body := self._take()) is None:
                # Only now: a program that was held up has not been kept waiting.
                self._watch.overdue(self._clock.now_ns())
            if body is not None:
                break
        if not body:
            raise SourceLost(f"{self._name}: {await self._process.obituary()}")
        return body

    def _take(self) -> bytes | None:
        """A datagram; empty once the process has gone; None if there is none yet."""
        try:
            return self._link.recv(MAX_BYTES + 1)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _understood(self, body: bytes) -> Message:
        try:
            message = decode(body)
            match message:
                case Picture(Head(stream)) | Sound(Head(stream)) | Motion(Head(stream)):
                    pass
                case Tally(stream) | Noted(stream):
                    pass
                case _:
                    return message
            if stream not in self.accounts:
                raise Garbled(f"expected a stream of {self._name}, got {stream!r}")
            return message
        except Garbled as error:
            raise SourceLost(f"{self._name}: {error}") from None

    def _sample(self, message: Picture | Sound | Motion) -> Sample:
        head = message.head
        data = self._data(message)
        self._count(head.stream, head.made, head.dropped)
        modality = self._modality[head.stream]
        t_ns = head.t_ns + self._offset_ns
        card = self._card(head)
        return Sample(head.stream, modality, t_ns, head.duration_ns, data, card)

    def _card(self, head: Head) -> ClockCard:
        """Its offset is to CLOCK_MONOTONIC on the way here. One object for as long as it says the
        same, so that telling the worst is cheap."""
        said, card = self._cards.get(head.stream, (None, head.clock))
        if said != head.clock:
            card = head.clock
            if card.offset_ns:  # 0: the host stamped
                card = replace(card, offset_ns=card.offset_ns + self._offset_ns)
            self._cards[head.stream] = head.clock, card
        return card

    def _count(self, stream: str, made: int, dropped: Counts) -> None:
        """Note the counts so far of the process. It drops for causes other than those here."""
        account = self.accounts[stream]
        account.produced = made
        before = account.dropped
        for cause, count in dropped.items():
            account.drop(cause, count - before.get(cause, 0))

    def _data(self, message: Picture | Sound | Motion) -> Data:
        match message:
            case Sound():
                return AudioBlock(message.samples, message.rate_hz)
            case Motion():
                return ImuBlock(message.t_ns + self._offset_ns, message.values)
            case Picture():
                try:
                    # The one copy on the way: windows keep pictures for seconds, slots are few.
                    stored = np.copy(self._slots.view(message.slot, message.shape, message.dtype))
                except ValueError as error:
                    raise SourceLost(f"{self._name}: {error}") from None
                with contextlib.suppress(OSError):
                    self._link.send(bytes([message.slot]))
                if message.scale is None:
                    return stored
                return Scaled(stored, message.scale, message.offset, message.grey)


async def _readable(link: socket.socket, wait_s: float) -> bool:
    """Wait until something is there to read; False when the time is over."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(link, lambda: ready.done() or ready.set_result(None))
    try:
        # Not `wait_for`: Python 3.11's forgets that it was cancelled if something comes just then.
        await asyncio.wait([ready], timeout=max(0.0, wait_s))
    finally:
        loop.remove_reader(link)
    return ready.done()
