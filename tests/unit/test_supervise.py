"""Live sources are reopened; their states are told once each way."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.channels import Account
from streamer.clock import VirtualClock
from streamer.errors import SourceLost, SourceStalled
from streamer.protocols import Clock
from streamer.supervise import Backoff, Ledgers, supervised
from streamer.types import (
    NS_PER_S,
    Condition,
    Sample,
    SourceStatus,
    Span,
    StreamInfo,
    Truth,
)
from tests.doubles import MS, ScriptedSource, frame


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(first_s=1, cap_s=5, budget=10)
    assert [backoff.lost(0, chance=0) for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.worked()
    assert backoff.lost(0, chance=0) == 1


@given(st.floats(0, 1))
def test_jitter_shortens_by_half_at_most(chance: float) -> None:
    assert 0.5 <= Backoff(first_s=1).lost(0, chance) <= 1


def test_a_spent_budget_means_one_try_every_thirty_seconds_until_it_works() -> None:
    backoff = Backoff(budget=2, period_s=60, spent_s=30)
    assert backoff.lost(0, 0) < 30
    assert backoff.lost(1 * NS_PER_S, 0) < 30
    assert backoff.lost(2 * NS_PER_S, 0) == 30
    # For ever, however rare the tries are, and also after weeks.
    for n in range(1, 3000):
        assert backoff.lost((2 + 30 * n) * NS_PER_S, 0) == 30
    # It works again; a loss after that begins anew.
    backoff.worked()
    assert backoff.lost(200_000 * NS_PER_S, 0) < 30


def test_a_device_that_is_away_for_days_never_makes_the_delay_overflow() -> None:
    # Rare enough for the budget: every 20 s, of which 5 are the delay.
    backoff = Backoff(cap_s=5)
    delays = [backoff.lost(n * 20 * NS_PER_S, 0) for n in range(3000)]
    assert delays[-1] == 5


def test_a_device_that_comes_and_goes_spends_the_budget_too() -> None:
    backoff = Backoff(budget=2, period_s=60, spent_s=30)
    delays: list[float] = []
    for n in range(4):
        delays.append(backoff.lost(n * NS_PER_S, 0))
        backoff.worked()
    assert delays[:2] == [0.25, 0.25]
    assert delays[2:] == [30, 30]


@dataclass
class Counting:
    """A source of one stream that plays each life as it is scripted, and counts it.

    Each life loses `lost_in_a_life` samples as well, before the first.
    """

    lives: Sequence[Sequence[Sample | Condition | SourceLost]]
    lost_in_a_life: int = 0
    live: bool = True
    opened: int = 0

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo("cam", "vision"),)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator["CountingLife", None]:
        del clock
        self.opened += 1
        yield CountingLife(iter(self.lives[self.opened - 1]), self.lost_in_a_life)


class CountingLife:
    def __init__(self, items: Iterator[Sample | Condition | SourceLost], lost: int) -> None:
        self._items = items
        self.accounts = {"cam": Account()}
        self.accounts["cam"].produced = lost
        self.accounts["cam"].drop("overflow", lost)

    def __aiter__(self) -> "CountingLife":
        return self

    async def __anext__(self) -> Sample | Condition:
        item = next(self._items, None)
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, SourceLost):
            raise item
        if isinstance(item, Sample):
            self.accounts["cam"].produced += 1
            self.accounts["cam"].delivered += 1
        return item


async def run(
    source: ScriptedSource | Counting,
    clock: VirtualClock | None = None,
    backoff: Backoff | None = None,
    ledgers: Ledgers | None = None,
) -> tuple[list[int], list[SourceStatus]]:
    """The stamps of samples in ms, -1 for a truth, and what was reported."""
    clock = clock or VirtualClock()
    states: list[SourceStatus] = []
    stamps: list[int] = []

    async def report(status: SourceStatus) -> None:
        states.append(status)

    async def drive() -> None:
        while True:
            await asyncio.sleep(0)
            clock.advance_to(clock.now_ns() + 50 * MS)

    driver = asyncio.create_task(drive())
    try:
        stamps += [
            -1 if isinstance(item, Truth) else item.t_ns // MS
            async for item in supervised(source, clock, report, backoff=backoff, ledgers=ledgers)
        ]
    finally:
        driver.cancel()
    return stamps, states


async def test_a_lost_source_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    source = ScriptedSource(
        "cam", [[frame("cam", 0), frame("cam", 100 * MS)], [], [frame("cam", 900 * MS)]], live=True
    )
    with caplog.at_level(logging.WARNING):
        stamps, states = await run(source)
    assert stamps == [0, 100, 900]
    assert source.opened == 3
    assert [(s.state, s.restarts) for s in states] == [
        ("online", 0),
        ("offline", 0),  # once, though it was lost twice
        ("online", 2),
        ("offline", 2),
    ]
    assert states[1].why == "cam: life 1 is over"
    assert states[1].last_capture_ns == 100 * MS
    assert states[3].why == "ended"
    assert len(caplog.records) == 2, "logged once when lost, once when back"


async def test_a_truth_passes_and_says_nothing_about_the_sensor() -> None:
    truth = Truth("truth", Span(0, 1), {"vision": ("a dog",)})
    source = ScriptedSource("cam", [[truth], [truth], [truth, frame("cam", 0)]], live=True)
    clock = VirtualClock()
    stamps, states = await run(source, clock, Backoff(first_s=1, cap_s=100, budget=100))
    assert stamps == [-1, -1, -1, 0]
    assert [(s.state, s.restarts) for s in states] == [
        ("offline", 0),
        ("online", 2),
        ("offline", 2),
    ]


async def test_a_sample_makes_the_next_delay_a_first_one_again() -> None:
    source = ScriptedSource("cam", [[frame("cam", n)] for n in range(6)], live=True)
    clock = VirtualClock()
    await run(source, clock, Backoff(first_s=1, cap_s=100, budget=100))
    assert clock.now_ns() < 8 * NS_PER_S, "five delays of 1 s at most, not 1 + 2 + 4 + 8 + 16"


async def test_a_file_that_is_lost_is_not_tried_again() -> None:
    source = ScriptedSource("file", [[frame("file", 0)], []])
    with pytest.raises(SourceLost, match="life 1 is over"):
        await run(source)
    assert source.opened == 1


async def test_a_hang_is_stalled_and_a_loss_is_offline() -> None:
    hang, loss = SourceStalled("cam: no sample for 1.5 s"), SourceLost("cam: gone")
    source = Counting([[hang], [loss], [frame("cam", 0), loss], [frame("cam", 100 * MS)]])
    _, states = await run(source)
    assert [(s.state, s.why) for s in states] == [
        ("stalled", "cam: no sample for 1.5 s"),
        # The second loss is no news: nothing was heard in between.
        ("online", ""),
        ("offline", "cam: gone"),
        ("online", ""),
        ("offline", "ended"),
    ]


@pytest.mark.parametrize("raised", ["no such device", "cam: no such device"])
async def test_a_reason_names_its_stream_once(
    raised: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, states = await run(Counting([[SourceLost(raised)], []]))
    assert states[0].why == "cam: no such device"
    assert caplog.messages[0] == "source lost, will be reopened: cam: no such device"


async def test_what_a_source_says_of_a_stream_is_told_and_taken_back() -> None:
    silent, back = Condition("cam", "stalled", "silent"), Condition("cam", "online")
    source = Counting([[frame("cam", 0), silent, frame("cam", 100 * MS), back]])
    stamps, states = await run(source)
    assert stamps == [0, 100], "conditions are no samples"
    assert [(s.state, s.why) for s in states] == [
        ("online", ""),
        ("stalled", "silent"),
        ("online", ""),
        ("offline", "ended"),
    ]


async def test_drops_of_all_lives_are_told_with_the_states() -> None:
    source = Counting(
        [[frame("cam", 0), SourceLost("cam: gone")], [frame("cam", 100 * MS)]], lost_in_a_life=3
    )
    ledgers = Ledgers()
    clock = VirtualClock()
    _, states = await run(source, clock, ledgers=ledgers)
    assert [(s.state, dict(s.dropped)) for s in states] == [
        ("online", {"overflow": 3}),
        ("offline", {"overflow": 3}),
        ("online", {"overflow": 6}),
        ("offline", {"overflow": 6}),
    ]
    total = ledgers.totals["cam"]
    assert (total.produced, total.delivered, total.pending) == (8, 2, 0)
