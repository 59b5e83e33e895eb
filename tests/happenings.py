"""What happens in a live run of four small sensors, made up sample by sample."""

from collections.abc import Iterator

import numpy as np

from sources.recording.about import About
from streamer.events import Arrived, Ended, Event, Passed
from streamer.plan import Plan
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, StreamInfo

START_NS = 1_700_000_000 * NS_PER_S
STEP_NS = NS_PER_S // 20
STREAMS = (
    StreamInfo("cam", "vision"),
    StreamInfo("mic", "audio"),
    StreamInfo("depth", "depth"),
    StreamInfo("imu", "imu"),
)
PLAN = Plan(
    hop_ns=NS_PER_S // 2,
    lengths_ns={"vision": NS_PER_S, "audio": NS_PER_S, "depth": NS_PER_S, "imu": NS_PER_S},
    lateness_ns=NS_PER_S // 10,
    idle_ns=NS_PER_S // 2,
    min_coverage=0.5,
)
ABOUT = About(True, STREAMS, PLAN, START_NS, config="sources: []\n")


def at(seconds: float) -> int:
    """The run's clock so long after its beginning."""
    return START_NS + round(seconds * NS_PER_S)


def happenings(from_s: float, to_s: float) -> Iterator[Event]:
    """Sound and motion 20 times a second, pictures 10 times, and the time that passes."""
    for step in range(round(from_s * 20), round(to_s * 20)):
        now_ns, rng = START_NS + step * STEP_NS, np.random.default_rng(step)
        begun_ns = now_ns - STEP_NS
        sound = AudioBlock(rng.uniform(-1, 1, 800).astype(np.float32), 16_000)
        yield Arrived(now_ns, Sample("mic", "audio", begun_ns, STEP_NS, sound))
        stamps = begun_ns + np.arange(10, dtype=np.int64) * (STEP_NS // 10)
        motion = ImuBlock(stamps, rng.normal(size=(10, 6)).astype(np.float32))
        yield Arrived(now_ns, Sample("imu", "imu", begun_ns, STEP_NS, motion))
        if step % 2 == 0:
            picture = rng.integers(0, 256, (24, 32, 3), np.uint8)
            depth = rng.integers(500, 5000, (24, 32)).astype(np.float32) / np.float32(1000)
            yield Arrived(now_ns, Sample("cam", "vision", begun_ns, 2 * STEP_NS, picture))
            yield Arrived(now_ns, Sample("depth", "depth", begun_ns, 2 * STEP_NS, depth))
        yield Passed(now_ns)


def ended(at_s: float) -> Ended:
    return Ended(at(at_s), tuple(info.name for info in STREAMS))
