"""What it costs that devices run in processes of their own.

    python -m benchmarks.isolation [--seconds 20]

Five made-up devices at the rates of real ones: video 30 fps 640x480 RGB, depth 30 fps 640x480 of
16 bits, heat 9 fps 160x120 of 16 bits, sound 16 kHz in blocks of 20 ms, motion 400 Hz in blocks of
25 ms. They do nothing but hand over, so the shares of a core are those of the way across. Delay:
from the stamp of a picture, or the end of a block, to the sample in the program.
"""

import argparse
import asyncio

import psutil

from benchmarks.device import Device
from benchmarks.result import percentile_ms, say
from streamer.channels import Account
from streamer.clock import SystemClock
from streamer.metrics import cpu_seconds
from streamer.types import NS_PER_S, Sample

WARM_S = 2.0
"""Not measured: processes start, libraries are imported."""


DEVICES = (
    Device(stream="front", modality="vision", rate_hz=30, shape=(480, 640, 3), dtype="uint8"),
    Device(stream="depth", modality="depth", rate_hz=30, shape=(480, 640), dtype="uint16"),
    Device(stream="thermal", modality="thermal", rate_hz=9, shape=(120, 160), dtype="uint16"),
    Device(stream="mic", modality="audio", rate_hz=50, shape=(320,)),
    Device(stream="base", modality="imu", rate_hz=40, shape=(10, 6)),
)


async def measure(seconds: float) -> dict[str, object]:
    clock = SystemClock()
    delays: dict[str, list[int]] = {device.stream: [] for device in DEVICES}
    accounts: dict[str, Account] = {}

    async def take(device: Device, until_ns: int) -> None:
        async with device.open(clock) as samples:
            accounts.update(samples.accounts)
            async for sample in samples:
                now_ns = clock.now_ns()
                if isinstance(sample, Sample):
                    block = device.modality in ("audio", "imu")
                    delays[device.stream].append(now_ns - (sample.end_ns if block else sample.t_ns))
                if now_ns >= until_ns:
                    return

    until_ns = clock.now_ns() + round((WARM_S + seconds) * NS_PER_S)
    async with asyncio.TaskGroup() as group:
        for device in DEVICES:
            group.create_task(take(device, until_ns))
        await asyncio.sleep(WARM_S)
        children = psutil.Process().children()
        before = [cpu_seconds(), *(_spent(child) for child in children)]
        await asyncio.sleep(seconds - 0.5)
        after = [cpu_seconds(), *(_spent(child) for child in children)]
        memory = [child.memory_full_info().uss for child in children]
    shares = [(b - a) / (seconds - 0.5) * 100 for a, b in zip(before, after, strict=True)]
    return {
        "program_percent_of_a_core": round(shares[0], 2),
        "devices_percent_of_a_core": round(sum(shares[1:]), 2),
        "devices_mb_each": [round(uss / 1e6) for uss in memory],
        "delay_p50_ms": {name: percentile_ms(found, 50) for name, found in delays.items()},
        "delay_p99_ms": {name: percentile_ms(found, 99) for name, found in delays.items()},
        "dropped": {name: account.dropped for name, account in accounts.items() if account.dropped},
    }


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    say("isolation", **asyncio.run(measure(parser.parse_args().seconds)))
