"""Cost of the windower per sample, windows included: `python -m benchmarks.windower`."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.result import say
from streamer.types import NS_PER_S, AudioBlock, Data, ImuBlock, Modality, Sample
from streamer.windows import Windower, WindowSpec

SECONDS = 120


def stream(modality: Modality, samples_hz: int, data: Data) -> Iterator[Sample]:
    for n in range(SECONDS * samples_hz):
        t_ns, end_ns = (i * NS_PER_S // samples_hz for i in (n, n + 1))
        payload = data
        if modality == "imu":
            payload = ImuBlock(np.array([t_ns], np.int64), np.zeros((1, 6), np.float32))
        yield Sample(modality, modality, t_ns, end_ns - t_ns, payload)


def measure(modality: Modality, samples_hz: int, length_s: int, data: Data) -> None:
    spec = WindowSpec(
        modality, modality, length_s * NS_PER_S, NS_PER_S // 2, lateness_ns=NS_PER_S // 10
    )
    samples = list(stream(modality, samples_hz, data))
    best = float("inf")
    for _ in range(3):
        windower = Windower(spec)
        started = time.perf_counter()
        windows = sum(len(windower.push(sample)) for sample in samples)
        best = min(best, time.perf_counter() - started)
        assert windows == SECONDS * 2 - 1
    say(
        "windower",
        modality=modality,
        samples_hz=samples_hz,
        us_per_sample=round(best / len(samples) * 1e6, 2),
        percent_of_a_core=round(best / SECONDS * 100, 3),
    )


if __name__ == "__main__":
    picture = np.zeros((480, 640, 3), np.uint8)
    measure("vision", 30, 2, picture)
    measure("audio", 50, 2, AudioBlock(np.zeros(320, np.float32), 16_000))
    measure("imu", 400, 5, picture)
