"""Clocks: never back, and sleepers wake in order."""

import asyncio

from streamer.clock import SystemClock, VirtualClock


async def test_the_system_clock_is_near_utc_and_goes_forward() -> None:
    from datetime import UTC, datetime

    clock = SystemClock()
    first = clock.now_ns()
    assert abs(first / 1e9 - datetime.now(UTC).timestamp()) < 0.1
    await clock.sleep_until(first + 5_000_000)
    assert clock.now_ns() >= first + 5_000_000
    assert clock.error_ns < 1_000_000


async def test_virtual_sleepers_wake_in_order_of_time() -> None:
    clock = VirtualClock(100)
    woken: list[int] = []

    async def sleeper(t_ns: int) -> None:
        await clock.sleep_until(t_ns)
        woken.append(t_ns)

    async with asyncio.TaskGroup() as group:
        for t_ns in (300, 200, 400):
            group.create_task(sleeper(t_ns))
        await asyncio.sleep(0)
        clock.advance_to(250)
        await asyncio.sleep(0)
        assert woken == [200]
        clock.advance_to(150)
        assert clock.now_ns() == 250, "never back"
        clock.advance_to(400)
    assert woken == [200, 300, 400]
