"""The outbox: bounded, oldest first, and every parcel is accounted for."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamer.channels import Outbox, Parcel

NEVER = 2**63


class OutboxLaws(RuleBasedStateMachine):
    """Against a plain list. Parcels are numbered, so that order and fate can be told."""

    @initialize(max_bytes=st.integers(1, 60), max_items=st.integers(1, 6))
    def begin(self, max_bytes: int, max_items: int) -> None:
        self.max_bytes, self.max_items = max_bytes, max_items
        self.outbox: Outbox[int] = Outbox(max_bytes, max_items)
        self.now = 0
        self.model: list[Parcel[int]] = []
        self.taken: list[Parcel[int]] = []
        self.lost = {"expired": 0, "overflow": 0, "oversize": 0}
        self.number = 0
        self.delivered = 0

    def _fits(self) -> bool:
        weight = sum(parcel.size for parcel in self.model)
        return weight <= self.max_bytes and len(self.model) <= self.max_items

    def _shrink(self) -> None:
        if self._fits():
            return
        worth = [parcel for parcel in self.model if parcel.expires_ns > self.now]
        self.lost["expired"] += len(self.model) - len(worth)
        self.model = worth
        while not self._fits():
            self.model.pop(0)
            self.lost["overflow"] += 1

    @rule(size=st.integers(0, 80), life=st.integers(0, 8) | st.just(NEVER))
    def put(self, size: int, life: int) -> None:
        parcel = Parcel(self.number, size, self.now + life)
        self.number += 1
        self.outbox.put(parcel, self.now)
        if size > self.max_bytes:
            self.lost["oversize"] += 1
        else:
            self.model.append(parcel)
            self._shrink()

    @rule()
    def take(self) -> None:
        while self.model and self.model[0].expires_ns <= self.now:
            self.model.pop(0)
            self.lost["expired"] += 1
        expected = self.model.pop(0) if self.model else None
        assert self.outbox.take(self.now) is expected
        if expected is not None:
            self.taken.append(expected)

    @rule(count=st.integers(1, 4))
    def give_back(self, count: int) -> None:
        # What was taken last is what may still be under way; it goes back in its old order.
        back, self.taken = self.taken[-count:], self.taken[:-count]
        self.outbox.unget(back, self.now)
        self.model[:0] = back
        self._shrink()

    @rule()
    def deliver(self) -> None:
        if self.taken:
            self.taken.pop(0)
            self.outbox.account.delivered += 1
            self.delivered += 1

    @rule(ns=st.integers(1, 5))
    def time_passes(self, ns: int) -> None:
        self.now += ns

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "outbox"):
            return
        account = self.outbox.account
        assert len(self.outbox) == len(self.model) <= self.max_items
        assert self.outbox.bytes == sum(parcel.size for parcel in self.model) <= self.max_bytes
        assert account.dropped == {cause: n for cause, n in self.lost.items() if n}
        assert account.produced == self.number
        assert account.delivered == self.delivered
        assert account.pending == len(self.model) + len(self.taken)


TestOutboxLaws = OutboxLaws.TestCase
TestOutboxLaws.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_what_has_expired_makes_room_before_what_is_still_worth_sending() -> None:
    # A label (0) that never expires, two embeddings that live 5 ns, and a third at 6 ns:
    #
    #     0 |label      |
    #     1 |embedding| expired at 5
    #     2 |embedding| expired at 5
    #     3              |embedding|
    outbox: Outbox[int] = Outbox(max_bytes=100, max_items=3)
    outbox.put(Parcel(0, 1, NEVER), 0)
    outbox.put(Parcel(1, 1, 5), 0)
    outbox.put(Parcel(2, 1, 5), 0)
    outbox.put(Parcel(3, 1, 11), 6)
    assert outbox.account.dropped == {"expired": 2}
    first, second = outbox.take(6), outbox.take(6)
    assert first is not None
    assert second is not None
    assert [first.item, second.item] == [0, 3]


async def test_whoever_waits_for_room_gets_it_when_something_is_taken() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10, max_items=10, lossless=True)
    outbox.put(Parcel(0, 6, NEVER), 0)
    waiting = asyncio.create_task(outbox.room(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert outbox.take(0) is not None
    await asyncio.wait_for(waiting, 1)


async def test_many_producers_that_wait_for_room_never_overfill_the_outbox() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=1000, max_items=3, lossless=True)
    got: list[int] = []

    async def produce(first: int) -> None:
        for number in range(first, first + 50):
            await outbox.room(1)
            outbox.put(Parcel(number, 1, NEVER), 0)
            assert len(outbox) <= 3

    producers = [asyncio.create_task(produce(first)) for first in (0, 1000, 2000)]
    while len(got) < 150:
        if (parcel := outbox.take(0)) is not None:
            got.append(parcel.item)
        await asyncio.sleep(0)
    await asyncio.gather(*producers)
    assert sorted(got) == [first + i for first in (0, 1000, 2000) for i in range(50)]
    assert outbox.account.dropped == {}


async def test_nobody_waits_for_room_that_will_never_be_there() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10, max_items=10, lossless=True)
    await asyncio.wait_for(outbox.room(11), 1)
    outbox.put(Parcel(0, 11, NEVER), 0)
    assert outbox.account.dropped == {"oversize": 1}


def test_a_lossless_outbox_keeps_what_is_given_back_beyond_its_bounds() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10, max_items=1, lossless=True)
    back = Parcel(0, 8, NEVER)
    outbox.put(back, 0)
    assert outbox.take(0) is back
    outbox.put(Parcel(1, 8, NEVER), 0)
    outbox.unget([back], 0)
    assert (len(outbox), outbox.bytes, outbox.account.dropped) == (2, 16, {})


@pytest.mark.parametrize("count", [0, 3])
def test_what_is_discarded_is_counted_under_its_cause(count: int) -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10, max_items=10)
    for number in range(count):
        outbox.put(Parcel(number, 1, NEVER), 0)
    assert outbox.discard("closed") == count
    assert (len(outbox), outbox.bytes, outbox.account.pending) == (0, 0, 0)
    assert outbox.account.dropped == ({"closed": count} if count else {})
