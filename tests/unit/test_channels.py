"""Channels: bounded, and produced = delivered + dropped + pending at every moment."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.channels import Closed, Mailbox, Pipe


@given(st.lists(st.integers(0, 5), max_size=60))
def test_the_mailbox_keeps_the_newest_and_accounts_for_the_rest(moves: list[int]) -> None:
    """0 takes; n puts n items at once. Three fit."""

    async def play() -> None:
        box: Mailbox[int] = Mailbox(capacity=3)
        newest, dropped, taken = 0, 0, 0
        held: list[int] = []
        for move in moves:
            if move:
                fresh = list(range(newest + 1, newest + 1 + move))
                newest += move
                expected = held + fresh[:-3]
                assert box.put(fresh) == expected
                dropped += len(expected)
                held = fresh[-3:]
            elif held:
                assert await box.get() == held
                taken += len(held)
                held = []
            assert box.account.produced == newest
            assert box.account.delivered == taken
            assert box.account.dropped == ({"overload": dropped} if dropped else {})
            assert box.account.pending == len(held)

    asyncio.run(play())


async def test_what_comes_while_the_consumer_waits_is_no_overload() -> None:
    # Two streams end in one turn of the event loop; the consumer has not had its turn.
    box: Mailbox[int] = Mailbox(capacity=3)
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    assert box.put([1]) == []
    assert box.put([2, 3]) == []
    assert box.put([4]) == [1], "beyond the capacity the oldest goes"
    assert await waiting == [2, 3, 4]
    assert box.put([5]) == []
    assert box.put([6]) == [5], "it is busy now"


async def test_a_closed_mailbox_gives_its_last_items_and_then_says_so() -> None:
    box: Mailbox[int] = Mailbox(capacity=2)
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    box.put([1])
    assert await waiting == [1]
    box.put([2, 3])
    box.close()
    assert await box.get() == [2, 3]
    with pytest.raises(Closed):
        await box.get()


async def test_a_pipe_blocks_and_loses_nothing() -> None:
    pipe: Pipe[int] = Pipe(capacity=2)
    got: list[int] = []

    async def produce() -> None:
        for i in range(50):
            await pipe.put(i)
            assert pipe.account.pending <= 2
        await pipe.close()

    async def consume() -> None:
        while True:
            try:
                got.extend(await pipe.get())
            except Closed:
                return

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        group.create_task(consume())
    assert got == list(range(50))
    assert pipe.account.report() == {
        "produced": 50,
        "delivered": 50,
        "dropped": {},
        "pending": 0,
    }


async def test_a_full_pipe_makes_the_producer_wait() -> None:
    pipe: Pipe[int] = Pipe(capacity=1)
    await pipe.put(1)
    second = asyncio.create_task(pipe.put(2))
    await asyncio.sleep(0)
    assert not second.done()
    assert await pipe.get() == [1]
    await second
    assert await pipe.get() == [2]
