"""A GStreamer pipeline as a camera: real pipelines of test pictures, killed, frozen, wrong."""

import numpy as np
import psutil
import pytest

from sources.camera.source import Camera
from sources.isolated.watch import Patience
from streamer.clock import monotonic_ns
from streamer.types import NS_PER_S
from tests.attending import attending
from tests.collector import eventually
from tests.needs import program
from tests.promises import BACK_S, GONE_S, HANG_S
from tests.puppet import children_of

LIVE = "videotestsrc is-live=true pattern=snow"
FILE = "/GstPipeline:pipeline0/GstFileSrc:filesrc0"
NEVER = Patience(repeat_s=None)


def csi(pipeline: str, **options: object) -> Camera:
    program("gst-launch-1.0")
    size = {"width": 320, "height": 240}
    return Camera.model_validate({"stream": "csi", "pipeline": pipeline, **size, **options})


def launched() -> psutil.Process:
    """The one gst-launch of the camera's process."""
    (process,) = [
        child
        for device in children_of("csi")
        for child in device.children(recursive=True)
        if child.name().startswith("gst-launch")
    ]
    return process


async def test_a_live_pipeline_keeps_its_pace_and_its_colours_to_the_last_row() -> None:
    # 319 pixels of three bytes are no multiple of four: GStreamer fills the rows up.
    red = csi(
        "videotestsrc is-live=true pattern=red",
        width=319, rate_hz=30, max_height=None, patience=NEVER,
    )  # fmt: skip
    async with attending(red) as seen:
        await seen.until_more(30)
        taken = list(seen.samples)[-20:]
    for _, sample in taken:
        assert isinstance(sample.data, np.ndarray)
        assert sample.data.shape == (240, 319, 3)
        assert np.all(np.abs(sample.data.astype(int) - [255, 0, 0]) <= 2)
        assert sample.clock.domain == "host"
        assert sample.clock.error_ns >= sample.duration_ns // 2
    steps = np.diff([t_ns for t_ns, _ in taken])
    assert np.mean(steps) == pytest.approx(NS_PER_S / 30, rel=0.25), "not as fast as it can"
    assert min(steps) > 0


async def test_a_pipeline_that_is_killed_is_noticed_and_started_again() -> None:
    async with attending(csi(LIVE)) as seen:
        await seen.until_more(5)
        killed_ns = monotonic_ns()
        launched().kill()
        status = await seen.until_state("offline")
        assert status.why == "csi: gst-launch-1.0 was ended by SIGKILL"
        assert (seen.states[-1][0] - killed_ns) / NS_PER_S < GONE_S
        await seen.until_state("online")
        assert (seen.states[-1][0] - killed_ns) / NS_PER_S < BACK_S


async def test_a_pipeline_that_freezes_is_noticed_and_goes_with_its_process() -> None:
    async with attending(csi(LIVE)) as seen:
        await seen.until_more(5)
        frozen = launched()
        frozen_ns = monotonic_ns()
        frozen.suspend()
        await seen.until_state("stalled")
        assert (seen.states[-1][0] - frozen_ns) / NS_PER_S < HANG_S
        await eventually(lambda: not frozen.is_running())


async def test_a_pipeline_does_not_outlive_a_device_process_that_is_killed() -> None:
    async with attending(csi(LIVE)) as seen:
        await seen.until_more(5)
        pipeline = launched()
        (device,) = children_of("csi")
        # Stopped, it cannot find out by writing.
        pipeline.suspend()
        device.kill()
        await eventually(lambda: not pipeline.is_running())


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        (
            "nosuchsource ! queue",
            'csi: gst-launch-1.0: erroneous pipeline: no element "nosuchsource"',
        ),
        ("videotestsrc num-buffers=3", "csi: gst-launch-1.0: the stream has ended"),
        (
            "filesrc location=/no/such ! decodebin",
            f"csi: gst-launch-1.0: from element {FILE}: Resource not found.",
        ),
    ],
)
async def test_a_pipeline_that_ends_says_why_in_one_line(pipeline: str, why: str) -> None:
    async with attending(csi(pipeline)) as seen:
        status = await seen.until_state("offline")
    assert status.why == why
