"""A thermal camera from the seam to V4L2 on: real Lepton frames through a process of their own.

There is no V4L2 where this runs, so what opens the camera is `tests.lepton`.
"""

import asyncio
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sources.scaled import Scaled
from sources.thermal.camera import Thermal
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.types import NS_PER_S, Condition, Sample, pixels
from tests.cptvfiles import as_the_library_reads, recording
from tests.lepton import Lepton, as_8_bits
from tests.needs import ROOT
from tests.puppet import children_of
from tests.watching import watching


def lepton(**fields: Any) -> Lepton:
    tree = {"device": 0, "stream": "heat", "recording": recording("background"), **fields}
    return Lepton.model_validate(tree)


def heard(source: Thermal) -> tuple[list[Sample], list[Condition], str]:
    """What came until the camera was lost, and what was said then."""
    samples: list[Sample] = []
    conditions: list[Condition] = []

    async def run() -> None:
        async with source.open(SystemClock()) as items:
            async for item in items:
                if isinstance(item, Sample):
                    samples.append(item)
                else:
                    conditions.append(item)

    with pytest.raises(SourceLost) as error:
        asyncio.run(run())
    return samples, conditions, str(error.value)


def seen(source: Thermal) -> tuple[list[Sample], str]:
    samples, _, said = heard(source)
    return samples, said


@pytest.mark.parametrize(
    ("shape", "rows", "telemetry"),
    [("words", 2, "end"), ("bytes", 2, "start")],
)
def test_y16_in_radiometric_values_out_unchanged(shape: str, rows: int, telemetry: str) -> None:
    samples, said = seen(lepton(shape=shape, rows=rows, telemetry=telemetry))

    assert said == "heat: 0 gives no more frames, it may be unplugged"
    expected = as_the_library_reads(recording("background"))[:12]
    assert len(samples) == 12
    for sample, raw in zip(samples, expected, strict=True):
        assert isinstance(sample.data, Scaled)
        np.testing.assert_array_equal(sample.data.stored, raw)
        celsius = pixels(sample)
        assert celsius.dtype == np.float32
        np.testing.assert_array_equal(celsius, (raw * 0.01 - 273.15).astype(np.float32))
        assert sample.duration_ns == 111_111_111


def test_counts_with_a_declared_scale() -> None:
    unit = {"scale": 0.02, "offset": -40.5}
    samples, _ = seen(lepton(recording=recording("possum"), unit=unit, frames=3))
    raw = as_the_library_reads(recording("possum"))[0]
    np.testing.assert_allclose(pixels(samples[0]), raw * 0.02 - 40.5, atol=1e-5)


def test_the_level_follows_slowly_and_is_told_as_it_moves() -> None:
    level = {"kind": "slow", "settle_s": 1, "least_span": 50}
    source = lepton(recording=recording("possum"), unit="counts", level=level,
                    hotter_after=5, frames=25)  # fmt: skip
    samples, said, _ = heard(source)

    levels = [(s.t_ns, *black_and_white(s)) for s in samples]
    for (early_ns, black, white), (late_ns, black_then, white_then) in pairwise(levels):
        most = (white - black) * (late_ns - early_ns) / NS_PER_S * (1 + 1e-6)
        assert abs(black_then - black) <= most
        assert abs(white_then - white) <= most
    told = [float(condition.why.split()[1].rstrip(",")) for condition in said]
    assert len(told) >= 3
    assert told == sorted(told)
    assert told[0] == pytest.approx(levels[0][1], rel=1e-4)
    assert told[-1] - told[0] > 100


def black_and_white(sample: Sample) -> tuple[float, float]:
    data = sample.data
    assert isinstance(data, Scaled)
    assert data.grey
    return -data.offset / data.scale, (255 - data.offset) / data.scale


def test_a_camera_that_falls_back_to_another_format_is_told() -> None:
    # Two bytes a pixel too: as 16 bits it would be a plausible 54 degrees.
    samples, said = seen(lepton(fourcc="YUYV"))
    assert (samples, said) == ([], "heat: 16 bits (Y16) were expected, the camera gives 'YUYV'")


def test_swapped_bytes_are_told() -> None:
    samples, said = seen(lepton(swapped=True))
    assert samples == []
    assert said.startswith("heat: the two bytes of each number are swapped")


def test_a_camera_without_tlinear_is_told() -> None:
    samples, said = seen(lepton(recording=recording("possum")))
    assert samples == []
    assert "degrees Celsius by centikelvin; it could be counts" in said


def test_wrong_frames_of_a_camera_that_starts_are_lost_and_counted() -> None:
    async def run() -> None:
        async with lepton(wrong_first=2).open(SystemClock()) as samples:
            first = await anext(samples)
            assert isinstance(first, Sample)
            assert 12 < float(pixels(first).mean()) < 19
            account = samples.accounts["heat"]
            assert (account.produced, account.dropped) == (3, {"implausible": 2})

    asyncio.run(run())


def test_a_camera_that_hangs_is_started_again() -> None:
    async def run() -> None:
        async with watching(lepton(then="hang", frames=5)) as watched:
            await watched.until(lambda: any(s.restarts == 1 for s in watched.states))
            assert watched.states[1].why == "heat: no sample for 1.5 s since the last"
            # Both lives, to the last sample.
            await watched.until(lambda: len(watched.samples) == 10)
            account = watched.ledgers.totals["heat"]
            assert account.produced == account.delivered + sum(account.dropped.values()) == 10

    asyncio.run(run())


def test_a_killed_process_costs_one_restart() -> None:
    async def run() -> None:
        async with watching(lepton(frames=100)) as watched:
            await watched.until(lambda: len(watched.samples) >= 3)
            (child,) = children_of("heat")
            os.kill(child.pid, signal.SIGKILL)
            await watched.until(lambda: any(s.restarts == 1 for s in watched.states))
            assert watched.states[1].why == "heat: its process ended with SIGKILL"

    asyncio.run(run())
    assert children_of("heat") == []


def test_no_camera_is_told_and_named() -> None:
    for device, why in (
        (250, "/dev/video250: No such file or directory"),
        ("/dev/null", "/dev/null: no camera there, or it cannot be opened"),
        ("no such camera", "expected a camera named 'no such camera', there is "),
    ):
        source = Thermal.model_validate({"device": device, "stream": "heat"})
        samples, said = seen(source)
        assert samples == []
        assert said.startswith(why)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_camera_of_8_bits_gives_its_picture_as_it_is(channels: int) -> None:
    samples, _ = seen(lepton(unit="picture", fourcc="GREY", shape="words", eight=channels))
    expected = as_8_bits(as_the_library_reads(recording("background"))[0])
    assert samples[0].modality == "thermal"
    got = pixels(samples[0])
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected)


def test_8_bits_in_colours_are_told() -> None:
    _, said = seen(lepton(unit="picture", fourcc="YUYV", eight=3, palette=True))
    assert said == "heat: a grey picture was expected, one in colours came"


def test_configurations_need_no_library_of_a_device() -> None:
    code = (
        "import sys, sources.thermal.camera, sources.thermal.cptv, sources.pictures; "
        "sys.exit(', '.join({'cv2', 'torch', 'cptv', 'flyr', 'PIL'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_a_camera_that_goes_on_giving_pictures_after_it_was_unplugged(tmp_path: Path) -> None:
    socket = tmp_path / "video0"
    socket.touch()

    async def run() -> None:
        async with lepton(socket=socket, frames=1000).open(SystemClock()) as items:
            async for _ in items:
                socket.unlink(missing_ok=True)

    with pytest.raises(SourceLost, match=r"video0 was unplugged"):
        asyncio.run(run())
