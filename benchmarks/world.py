"""The simulated robot alone: five streams at full rate and the truth, with nobody behind them.

    python -m benchmarks.world [--seconds 30]

The share of a core is that of the whole process while the world runs live. Lateness is how long
after its due time a sample is handed out. `times_real_time` is how much faster the same seconds
go on a clock that waits for nothing: the room that one core has to spare. Two children, so that
neither finds the other's scenes drawn already.
"""

import argparse
import asyncio
import json
import time

from benchmarks.result import part_of, percentile_ms, say
from sources.world.live import FRAME_HZ
from sources.world.source import World
from streamer.clock import SystemClock
from streamer.metrics import cpu_seconds
from streamer.types import Sample


class Hurried:
    """A clock on which no wait takes any time."""

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep_until(self, t_ns: int) -> None:
        self._now_ns = max(self._now_ns, t_ns)


async def live(seconds: float) -> dict[str, float]:
    clock = SystemClock()
    late_ns: list[int] = []
    async with World(seconds=seconds, imu_hz=400).open(clock) as world:
        # Before the start the first batch has been rendered; what is measured is the going world.
        await clock.sleep_until(world.start_ns)
        started = cpu_seconds()
        async for item in world:
            if isinstance(item, Sample):
                picture = item.modality in FRAME_HZ
                due_ns = item.t_ns if picture else item.end_ns
                late_ns.append(clock.now_ns() - due_ns)
        used = cpu_seconds() - started
        accounts = world.accounts.values()
    return {
        "percent_of_a_core": round(100 * used / seconds, 1),
        "samples": sum(account.delivered for account in accounts),
        "skipped": sum(sum(account.dropped.values()) for account in accounts),
        "late_p50_ms": percentile_ms(late_ns, 50),
        "late_p99_ms": percentile_ms(late_ns, 99),
    }


async def hurried(seconds: float) -> dict[str, float]:
    started = time.process_time()
    async with World(seconds=seconds, imu_hz=400).open(Hurried()) as world:
        async for _ in world:
            pass
    return {"times_real_time": round(seconds / (time.process_time() - started), 2)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--part", choices=("live", "hurried"))
    chosen = arguments.parse_args()
    if chosen.part:
        run = live if chosen.part == "live" else hurried
        print(json.dumps(asyncio.run(run(chosen.seconds))))
        return
    figures = part_of("benchmarks.world", "live", chosen.seconds) | part_of(
        "benchmarks.world", "hurried", chosen.seconds
    )
    say("world", seconds=chosen.seconds, **figures)


if __name__ == "__main__":
    main()
