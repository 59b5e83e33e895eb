"""The engine alone at full sensor rates, with an encoder that costs nothing.

    python -m benchmarks.engine [--seconds 30]

Video 30 fps, sound 16 kHz in 20 ms blocks, IMU 400 Hz one reading a time, hop 0.5 s. The share of
a core is that of the whole process less that of the same sources with nobody behind them, each in
a process of its own. Latency: from the moment the watermark of the last stream passes the window's
end to the publish.
"""

import argparse
import asyncio
import json
from contextlib import aclosing

from benchmarks.result import part_of, percentile_ms, say
from encoders.noop import NoopEncoder
from sources.synthetic import SyntheticSource
from streamer.clock import SystemClock
from streamer.metrics import cpu_seconds
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.supervise import supervised
from streamer.types import NS_PER_S, Embedding, Message, SourceStatus

SOURCES = (
    SyntheticSource(stream="front", modality="vision", rate_hz=30),
    SyntheticSource(stream="mic", modality="audio", rate_hz=16_000, block=320),
    SyntheticSource(stream="base", modality="imu", rate_hz=400),
)
PLAN = Plan(
    hop_ns=NS_PER_S // 2,
    lengths_ns={"vision": 2 * NS_PER_S, "audio": 2 * NS_PER_S, "imu": 5 * NS_PER_S},
    lateness_ns=NS_PER_S // 10,
    idle_ns=NS_PER_S // 2,
    min_coverage=0.5,
)


class Collector:
    """A sink that keeps what the figures need."""

    def __init__(self) -> None:
        self.latency_ns: list[int] = []
        self.age_ns: list[int] = []

    async def publish(self, message: Message) -> None:
        if isinstance(message, Embedding):
            self.latency_ns.append(message.ledger.published_ns - message.ledger.closed_ns)
            self.age_ns.append(message.ledger.published_ns - message.span.end_ns)

    def report(self) -> dict[str, object]:
        return {}


async def engine(seconds: float) -> dict[str, float]:
    stop = asyncio.Event()
    sink = Collector()
    with NoopEncoder().open(("vision", "audio", "imu"), text=False) as encoder:
        pipeline = Pipeline(PLAN, SOURCES, encoder, [sink])
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await pipeline.run(stop)
    report = pipeline.report()
    return {
        "embeddings": len(sink.latency_ns),
        "ticks_dropped": sum(report["ticks"]["dropped"].values()),
        "latency_p50_ms": percentile_ms(sink.latency_ns, 50),
        "latency_p99_ms": percentile_ms(sink.latency_ns, 99),
        "age_of_window_p50_ms": percentile_ms(sink.age_ns, 50),
    }


async def sources_only(seconds: float) -> dict[str, float]:
    clock = SystemClock()

    async def ignore(status: SourceStatus) -> None:
        del status

    async def drain(source: SyntheticSource) -> None:
        async with aclosing(supervised(source, clock, ignore)) as samples:
            async for _ in samples:
                pass

    tasks = [asyncio.create_task(drain(source)) for source in SOURCES]
    await clock.sleep_until(clock.now_ns() + int(seconds * NS_PER_S))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--part", choices=("engine", "sources_only"))
    chosen = arguments.parse_args()
    if chosen.part:
        started = cpu_seconds()
        run = engine if chosen.part == "engine" else sources_only
        figures = asyncio.run(run(chosen.seconds))
        print(json.dumps(figures | {"cpu_s": cpu_seconds() - started}))
        return
    whole, alone = (
        part_of("benchmarks.engine", "engine", chosen.seconds),
        part_of("benchmarks.engine", "sources_only", chosen.seconds),
    )
    share = {
        part: cpu.pop("cpu_s") / chosen.seconds * 100
        for part, cpu in (("whole", whole), ("sources", alone))
    }
    say(
        "engine",
        seconds=chosen.seconds,
        engine_percent_of_a_core=round(share["whole"] - share["sources"], 2),
        whole_percent_of_a_core=round(share["whole"], 2),
        sources_percent_of_a_core=round(share["sources"], 2),
        **whole,
    )


if __name__ == "__main__":
    main()
