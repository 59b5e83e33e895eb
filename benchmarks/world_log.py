"""A recorded log of the simulated robot, made as fast as it can be drawn."""

import asyncio
from pathlib import Path

import yaml

from benchmarks.world import Hurried
from configs.load import load
from configs.schema import RunConfig
from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.parts import CHUNK_NS
from sources.recording.recording import Recording
from sources.world.source import World
from streamer.events import Arrived, Passed
from streamer.types import NS_PER_S, Sample


def make_world_log(path: Path, seconds: float, pictures: Pictures, seed: int = 0) -> RunConfig:
    """What a live run of the demo's robot would have recorded, had every sample come when due.

    Time passes ten times a hop, as in a live run. Returns the configuration that the log says.
    """
    config = load("demo", ())
    world = World(seed=seed, seconds=seconds)
    config = config.model_copy(update={"sources": (world,), "sinks": ()})
    asyncio.run(_record(path, config, world, pictures))
    return config


async def _record(path: Path, config: RunConfig, world: World, pictures: Pictures) -> None:
    clock = Hurried()
    await clock.sleep_until(1_790_000_000 * NS_PER_S)
    plan = config.plan()
    text = yaml.safe_dump(config.model_dump(mode="json"))
    about = About(True, world.streams, plan, clock.now_ns(), config=text)
    recording = Recording(McapFile(path), about, pictures)
    passed_ns = chunk_ns = clock.now_ns()
    async with world.open(clock) as items:
        async for item in items:
            if isinstance(item, Sample):
                now_ns = clock.now_ns()
                while now_ns >= passed_ns:
                    recording.take(Passed(passed_ns))
                    passed_ns += plan.hop_ns // 10
                recording.take(Arrived(now_ns, item))
                if now_ns >= chunk_ns + CHUNK_NS:
                    recording.close_chunk()
                    chunk_ns = now_ns
    recording.finish()
