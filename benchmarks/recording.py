"""What recording five sensors at full rate costs a live run: `python -m benchmarks.recording`.

    camera 640x480 at 30    depth 640x480, 16 bits, at 30    heat 160x120, 16 bits, at 9
    sound 16 kHz in blocks of 50 ms    motion 200 Hz in blocks of 50 ms

Two seconds of the simulated robot, with the noise of a sensor on depth and heat, are prepared
beforehand and given again and again at their times, so that drawing is not what is measured. Each
part is a process of its own: the same run without recording, and with each kind of pictures. A
stall is how late a task of the event loop wakes up that sleeps for 2 ms.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from benchmarks.result import part_of, percentile_ms, say
from encoders.noop import NoopEncoder
from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.encode import Pictures
from sources.recording.recorder import Recorder
from sources.scaled import Scaled
from sources.world import live
from streamer.clock import SystemClock
from streamer.metrics import cpu_seconds
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import Clock
from streamer.types import MODALITIES, NS_PER_S, Data, ImuBlock, Sample, StreamInfo

PREPARED_NS = 2 * NS_PER_S
PLAN = Plan(
    hop_ns=NS_PER_S // 2,
    lengths_ns={m: (5 if m == "imu" else 2) * NS_PER_S for m in MODALITIES},
    lateness_ns=NS_PER_S // 10,
    idle_ns=NS_PER_S // 2,
    min_coverage=0.5,
)
PARTS = ("none", "jpeg", "png", "h264")


@dataclass(frozen=True)
class Prepared:
    """A live source of five streams from memory. `takes` are of two seconds, in order of time."""

    takes: Sequence[tuple[live.Capture, Data]]
    live: bool = True

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        return tuple(StreamInfo(modality, modality) for modality in MODALITIES)

    @asynccontextmanager
    async def open(self, clock: Clock) -> AsyncGenerator[AsyncIterator[Sample], None]:
        yield self._samples(clock)

    async def _samples(self, clock: Clock) -> AsyncIterator[Sample]:
        start_ns = clock.now_ns()
        while True:
            for capture, data in self.takes:
                t_ns = start_ns + capture.t_ns
                await clock.sleep_until(start_ns + capture.ready_ns)
                given = data
                if isinstance(data, ImuBlock):
                    given = ImuBlock(data.t_ns + t_ns, data.values)
                yield Sample(capture.modality, capture.modality, t_ns, capture.duration_ns, given)
            start_ns += PREPARED_NS


def prepared() -> Prepared:
    rng = np.random.default_rng(6)
    takes: list[tuple[live.Capture, Data]] = []
    for modality in MODALITIES:
        for capture in live.captures(modality, PREPARED_NS):
            data = live.data(0, capture, -capture.t_ns, 200)
            if modality in ("depth", "thermal"):
                size = (640, 480) if modality == "depth" else (160, 120)
                values = cv2.resize(np.asarray(data), size)
                scale, offset = (0.001, 0.0) if modality == "depth" else (0.01, -273.15)
                stored = (values - offset) / scale + rng.normal(0, 4, values.shape)
                data = Scaled(np.clip(stored, 0, 65535).astype(np.uint16), scale, offset)
            takes.append((capture, data))
    return Prepared(sorted(takes, key=lambda take: take[0].ready_ns))


async def beat(late_ns: list[int], clock: SystemClock) -> None:
    while True:
        due_ns = clock.now_ns() + 2_000_000
        await clock.sleep_until(due_ns)
        late_ns.append(clock.now_ns() - due_ns)


async def run(source: Prepared, pictures: Pictures | None, seconds: float) -> dict[str, Any]:
    clock, stop, late_ns = SystemClock(), asyncio.Event(), list[int]()
    about = About(True, source.streams, PLAN, clock.now_ns(), clock.error_ns)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "full.mcap"
        recorder = Recorder(about, lambda: McapFile(path), pictures=pictures or "jpeg")
        with NoopEncoder().open(MODALITIES, text=False) as encoder:
            started, began_ns = cpu_seconds(), clock.now_ns()
            pulse = asyncio.create_task(beat(late_ns, clock))
            asyncio.get_running_loop().call_later(seconds, stop.set)
            if pictures is None:
                pipeline = Pipeline(PLAN, [source], encoder, [])
                await pipeline.run(stop)
            else:
                async with recorder.open() as tap:
                    pipeline = Pipeline(PLAN, [source], encoder, [], taps=[tap])
                    await pipeline.run(stop)
            pulse.cancel()
            used, took_s = cpu_seconds() - started, (clock.now_ns() - began_ns) / NS_PER_S
        written = path.stat().st_size if path.exists() else 0
    report = pipeline.report()
    return {
        "percent_of_a_core": round(100 * used / took_s, 1),
        "mb_s": round(written / took_s / 1e6, 1),
        "lost": sum(sum(by.values()) for by in recorder.lost.values()),
        "ticks_dropped": sum(report["ticks"]["dropped"].values()),
        "stall_p99_ms": percentile_ms(late_ns, 99),
        "stall_max_ms": percentile_ms(late_ns, 100),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--part", choices=PARTS)
    chosen = arguments.parse_args()
    if chosen.part:
        pictures = None if chosen.part == "none" else cast(Pictures, chosen.part)
        print(json.dumps(asyncio.run(run(prepared(), pictures, chosen.seconds))))
        return
    say(
        "recording",
        seconds=chosen.seconds,
        **{part: part_of("benchmarks.recording", part, chosen.seconds) for part in PARTS},
    )


if __name__ == "__main__":
    main()
