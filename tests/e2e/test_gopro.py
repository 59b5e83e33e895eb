"""The whole slice at full size: a GoPro file to vectors that a stranger's subscriber reads.

imagebind_huge with random weights in bf16. What arrives is compared with the model called directly
on frames and sound cut by the ffmpeg program and on readings of an independent telemetry dump.
"""

import json
import random
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.weights import random_weights
from sources.epoch import DEFAULT_START, to_ns
from tests.e2e.command import flags, streamer
from tests.e2e.truth import Truth
from tests.mosquitto import Mosquitto
from tests.needs import ROOT, program, shared

START_NS = to_ns(DEFAULT_START)
HALF_NS = 500_000_000
WINDOW_NS = {"vision": 4 * HALF_NS, "audio": 4 * HALF_NS, "imu": 10 * HALF_NS}


@dataclass(frozen=True, slots=True)
class Got:
    """One line of the subscriber."""

    topic: str
    seq: int
    t0: int
    t1: int
    norm: float
    vector: NDArray[np.float64]


@contextmanager
def subscriber(port: int, count: int, out: Path) -> Generator[subprocess.Popen[str], None, None]:
    """Its lines go to a file: a pipe that nobody reads would make it fall behind the broker."""
    command = [sys.executable, str(ROOT / "docs" / "subscriber.py"), "--port", str(port)]
    command += ["--count", str(count), "--json"]
    with out.open("w") as file, subprocess.Popen(command, stdout=file, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def parsed(line: str) -> Got:
    told: dict[str, Any] = json.loads(line)
    return Got(
        told["topic"], told["seq"], told["t0"], told["t1"], told["norm"], np.array(told["vector"])
    )


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_gopro_file_reaches_a_strangers_subscriber(tmp_path: Path) -> None:
    recording = shared("recordings/video/gopro_karma.mp4")
    truth = Truth(recording, program("ffmpeg"), program("ffprobe"))
    # 12.08 s of video and sound, 12.07 s of motion; a window needs half of its length to be there,
    # and the last end is the first one behind the last instant.
    last = 25
    expected = {
        "embedding/vision/gopro": list(range(2, last + 1)),
        "embedding/audio/gopro-mic": list(range(2, last + 1)),
        "embedding/imu/gopro-imu": list(range(5, last + 1)),
        "embedding/fused": list(range(2, last + 1)),
    }
    count = sum(map(len, expected.values()))
    broker = Mosquitto(tmp_path)
    broker.start()
    try:
        with subscriber(broker.port, count, tmp_path / "heard.jsonl") as listening:
            overrides = [f"sources.0.path={recording}", f"sinks.0.port={broker.port}"]
            ran = streamer("run", "media", *flags(overrides), "--json", timeout=1200)
            assert ran.code == 0, ran.err
            assert listening.wait(timeout=30) == 0
            got = [parsed(line) for line in (tmp_path / "heard.jsonl").read_text().splitlines()]
    finally:
        broker.kill()
    report = ran.report
    print(json.dumps(report))

    by_topic: dict[str, list[Got]] = {}
    for each in got:
        assert each.topic.startswith("streamer/v1/media/")
        by_topic.setdefault(each.topic.removeprefix("streamer/v1/media/"), []).append(each)
    ends = {
        topic: [(e.t1 - START_NS) / HALF_NS for e in received]
        for topic, received in by_topic.items()
    }
    assert ends == expected, "every window once, in order, with the right end"
    for received in by_topic.values():
        assert [e.seq for e in received] == list(range(len(received)))
        for each in received:
            assert each.norm == pytest.approx(1, abs=2e-3), "as sent, in float16"
            assert len(each.vector) == 1024
    assert report["model"] == "imagebind_huge"
    assert report["sinks"][0]["dropped"] == {}

    seed = random.SystemRandom().randrange(10**6)
    print(f"seed of the drawn windows: {seed}")
    draw = random.Random(seed)  # noqa: S311 - no secret
    for modality in ("vision", "audio", "imu"):
        (topic,) = [t for t in by_topic if t.startswith(f"embedding/{modality}/")]
        compare(truth, modality, by_topic[topic], draw)


def compare(truth: Truth, modality: Any, received: list[Got], draw: random.Random) -> None:
    with torch.device("meta"):
        model = ImageBindModel([modality]).eval()
    random_weights(model, 0, dtype=torch.bfloat16)
    for each in draw.sample(received, 3):
        assert each.t1 - each.t0 == WINDOW_NS[modality]
        start_s, end_s = (Fraction(t - START_NS, 10**9) for t in (each.t0, each.t1))
        x: Tensor = getattr(truth, modality)(start_s, end_s)
        direct = model.embed(modality, x)[0].double().numpy()
        cosine = float(direct @ each.vector)
        others = max(float(direct @ e.vector) for e in received if e.t1 != each.t1)
        print(f"{modality} {float(end_s)} s: cosine {cosine:.6f}, next best window {others:.6f}")
        assert cosine >= 0.999
        assert cosine > others, "the right window must be told from its neighbours"
