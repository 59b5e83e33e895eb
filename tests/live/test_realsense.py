"""A RealSense of software through the library's sensors, in its own process, as samples."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from configs.schema import RunConfig
from sources.realsense import RealSense, list_devices
from sources.realsense.delivery import BLOCKS_HZ
from sources.realsense.devices import find, listed
from sources.realsense.driver import streaming, wanted
from sources.realsense.intake import PICTURES, Caught, Intake
from sources.realsense.profiles import choose
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.protocols import Source
from streamer.types import NS_PER_S, ImuBlock, Sample, pixels
from tests.realsense_recording import (
    DEPTH_HZ,
    GYRO_HZ,
    HOLE,
    Device,
    acceleration,
    colour_pixels,
    depth_units,
    rs,
)
from tests.realsense_software import SIZES, SoftwareRealSense


async def everything(
    source: Source, said: str = "Drawn 435 0435: unplugged"
) -> tuple[dict[str, list[Sample]], dict[str, dict[str, Any]]]:
    """The samples by stream until it is lost with these words, and the accounts in the end."""
    samples: dict[str, list[Sample]] = {info.name: [] for info in source.streams}
    async with source.open(SystemClock()) as running:
        with pytest.raises(SourceLost, match=said):
            await _collect(running, samples)
    return samples, {name: a.report() for name, a in running.accounts.items()}  # pyright: ignore


async def _collect(running: AsyncIterator[object], samples: dict[str, list[Sample]]) -> None:
    async for item in running:
        if isinstance(item, Sample):
            samples[item.stream].append(item)


def rows(samples: list[Sample]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Stamps (n,) and readings (n, 6) of blocks."""
    blocks = [sample.data for sample in samples]
    assert all(isinstance(block, ImuBlock) for block in blocks)
    stamps = np.concatenate([block.t_ns for block in blocks])  # pyright: ignore
    return stamps, np.concatenate([block.values for block in blocks])  # pyright: ignore


SKIPPED = (3, 4, 8)
KEPT = [0, 1, 2, 5, 6, 7, 9]


@dataclass(frozen=True, slots=True)
class Given:
    samples: dict[str, list[Sample]]
    accounts: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def given() -> Given:
    """Of ten frames three were skipped, then the device was unplugged."""
    return Given(*asyncio.run(everything(SoftwareRealSense(frames=10, skip=SKIPPED))))


def test_depth_is_metres_of_sixteen_bits(given: Given) -> None:
    for n, sample in zip(KEPT, given.samples["depth"], strict=True):
        stored = sample.data.stored  # pyright: ignore
        assert stored.dtype == np.uint16
        np.testing.assert_array_equal(stored, depth_units(n))
        metres = pixels(sample)
        assert metres.dtype == np.float32
        np.testing.assert_array_equal(metres, (depth_units(n) * 0.001).astype(np.float32))
        assert sample.duration_ns == NS_PER_S // DEPTH_HZ


def test_colour_is_rgb(given: Given) -> None:
    for n, sample in zip(KEPT, given.samples["colour"], strict=True):
        np.testing.assert_array_equal(pixels(sample), colour_pixels(n))


def test_motion_is_six_axes_at_the_gyros_stamps(given: Given) -> None:
    stamps, values = rows(given.samples["imu"])
    seconds = values[:, 5] / 0.25
    expected = np.array([acceleration(t_s) for t_s in seconds.astype(float)])
    np.testing.assert_allclose(values[:, :3], expected, atol=2e-5)
    np.testing.assert_allclose(values[:, 4], -0.2, rtol=1e-6)
    np.testing.assert_allclose(np.diff(stamps), NS_PER_S / GYRO_HZ, atol=2000)
    made = 10 * GYRO_HZ // DEPTH_HZ
    assert made - GYRO_HZ // BLOCKS_HZ - 2 <= len(stamps) < made
    assert all(len(s.data.t_ns) >= GYRO_HZ // BLOCKS_HZ for s in given.samples["imu"])  # pyright: ignore


def test_frames_that_the_device_skipped_are_counted(given: Given) -> None:
    for name in ("depth", "colour"):
        assert given.accounts[name] == {
            "produced": 10, "delivered": 7, "dropped": {"skipped": 3}, "pending": 0,
        }  # fmt: skip
    assert given.accounts["imu"] == {
        "produced": (blocks := len(given.samples["imu"])),
        "delivered": blocks, "dropped": {}, "pending": 0,
    }  # fmt: skip


def test_stamps_of_utc_are_the_runs_utc(given: Given) -> None:
    stamps, values = rows(given.samples["imu"])
    off_s = stamps / 1e9 % 100 - values[:, 3]
    off_s = (off_s + 50) % 100 - 50
    # The errors that are stated: of the anchor, and of the run's own clock, which is far less.
    assert np.abs(off_s).max() < (2 * given.samples["imu"][0].clock.error_ns) / 1e9 + 1e-4
    for stream in given.samples.values():
        assert {sample.clock.domain for sample in stream} == {"realsense global_time"}


async def test_the_devices_own_clock_is_named_and_its_spacing_kept() -> None:
    before_ns = SystemClock().now_ns()
    device = SoftwareRealSense(frames=8, domain="hardware_clock", old_ms=1e12)
    samples, _ = await everything(device)
    after_ns = SystemClock().now_ns()
    for stream in samples.values():
        assert {sample.clock.domain for sample in stream} == {"realsense hardware_clock"}
        assert all(before_ns < sample.t_ns < after_ns for sample in stream)
    stamps = [sample.t_ns for sample in samples["depth"]]
    assert np.median(np.diff(stamps)) == pytest.approx(NS_PER_S / DEPTH_HZ, rel=0.02)


async def test_stamps_an_hour_off_are_not_believed() -> None:
    before_ns = SystemClock().now_ns()
    samples, _ = await everything(SoftwareRealSense(old_ms=3_600_000))
    for stream in samples.values():
        assert {sample.clock.domain for sample in stream} == {"realsense arrival"}
        assert all(before_ns < sample.t_ns < SystemClock().now_ns() for sample in stream)


def options(**changes: Any) -> RealSense:
    return RealSense.model_validate({**SIZES.model_dump(), **changes})


async def test_hole_filling_fills_the_hole_and_leaves_the_rest() -> None:
    source = SoftwareRealSense(options=options(hole_filling=True, colour=None, imu=None))
    samples, _ = await everything(source)
    assert len(samples["depth"]) == 4
    for n, sample in enumerate(samples["depth"]):
        made = depth_units(n)
        filled = sample.data.stored  # pyright: ignore
        assert np.all(filled[HOLE] > 0)
        # With what is beside the hole.
        assert made[24, 39] <= filled[HOLE].min() <= filled[HOLE].max() <= made[24, 48]
        np.testing.assert_array_equal(filled[made > 0], made[made > 0])


async def test_smoothing_keeps_a_slope_and_the_filters_work_together() -> None:
    chosen = options(spatial=True, temporal=True, hole_filling=True, colour=None, imu=None)
    samples, _ = await everything(SoftwareRealSense(options=chosen))
    for n, sample in enumerate(samples["depth"]):
        away = np.abs(sample.data.stored - depth_units(n).astype(int))  # pyright: ignore
        away[HOLE] = 0
        # Two columns of the slope at most, where the smoothing meets an edge.
        assert np.median(away) <= 2
        assert away.max() <= 16


async def test_alignment_to_a_camera_in_the_same_place_changes_nothing() -> None:
    samples, accounts = await everything(SoftwareRealSense(options=options(align=True)))
    assert accounts["depth"]["produced"] == 4
    # Depth that came before the first colour frame could not be aligned.
    assert set(accounts["depth"]["dropped"]) <= {"unaligned"}
    assert len(samples["depth"]) >= 3
    for sample in samples["depth"]:
        aligned = sample.data.stored.astype(int)  # pyright: ignore
        made = depth_units(aligned[0, 0] - 1000)
        # A pixel that falls half-way between two is rounded to one of them.
        assert np.mean(aligned == made) > 0.95
        assert np.abs(aligned - made)[(aligned > 0) & (made > 0)].max() <= 4


async def test_an_unplugged_device_of_which_the_library_says_nothing_is_looked_for() -> None:
    said = "no RealSense device with serial number 0435: found none on USB"
    samples, _ = await everything(SoftwareRealSense(frames=3, then="vanish"), said)
    assert len(samples["depth"]) == 3


async def test_a_device_that_says_nothing_from_the_start_is_reset() -> None:
    # A device of software cannot be, and says that it was asked to.
    source = SoftwareRealSense(frames=0, then="mute")
    samples, _ = await everything(source, "hardware_reset is not implemented")
    assert not samples["depth"]


@pytest.mark.parametrize("on", [True, False])
async def test_global_time_is_the_devices_option(on: bool) -> None:
    chosen = options(global_time=on, colour=None, imu=None)
    samples, _ = await everything(SoftwareRealSense(options=chosen, domain=None, frames=2))
    domain = "realsense global_time" if on else "realsense hardware_clock"
    assert [sample.clock.domain for sample in samples["depth"]] == [domain] * 2


async def test_a_missing_device_is_told_in_one_line() -> None:
    source = RealSense(serial="no such")
    await everything(source, "^no RealSense device with serial number no such: found [^\n]+$")


def test_a_mode_that_the_device_lacks_is_told_with_those_it_has() -> None:
    drawn = Device()
    sensors = drawn.device.query_sensors()
    with pytest.raises(SourceLost, match="expected depth 640x480 at 30, there is 96x64 at 15"):
        choose("drawn", sensors, wanted(RealSense()))
    # Rates of motion are the nearest there are.
    chosen = choose("drawn", sensors, wanted(options(gyro_hz=400, accel_hz=63)))
    assert (chosen["gyro"].hz, chosen["accel"].hz) == (200, 100)
    with pytest.raises(SourceLost, match="drawn: expected gyro, there is none"):
        choose("drawn", sensors[:2], wanted(SIZES))


def test_of_several_devices_one_must_be_named() -> None:
    left, right = Device(serial="01"), Device(serial="02")
    both = SimpleNamespace(query_devices=lambda: [left.device, right.device])
    with pytest.raises(SourceLost, match="got Drawn 435 01, Drawn 435 02"):
        find(rs, both, None)
    assert find(rs, both, "02") is right.device
    with pytest.raises(SourceLost, match="no RealSense device with serial number 03"):
        find(rs, both, "03")


def test_a_device_is_listed_with_a_configuration_that_is_valid() -> None:
    found = listed(rs, Device().device)
    assert found["name"] == "Drawn 435 0435"
    assert found["what"] == "accel, colour, depth, gyro"
    source = RealSense.model_validate(found["yaml"])
    assert source.serial == "0435"
    assert source.streams == RealSense().streams
    # Whatever is plugged in here, or nothing.
    for device in list_devices():
        assert set(device) == {"name", "yaml", "what"}


def test_frames_that_nobody_takes_neither_pile_up_nor_stop_the_library() -> None:
    drawn, intake = Device(), Intake()
    chosen = choose("drawn", drawn.device.query_sensors(), wanted(SIZES))
    with streaming(chosen, intake):
        for n in range(60):
            drawn.give_depth(n, 1000.0 + n)
        waiting = [intake.next(0) for _ in range(PICTURES + 1)]
        assert [w.number for w in waiting if isinstance(w, Caught)] == list(range(PICTURES))
        assert waiting[-1] is None
        drawn.give_depth(60, 1060.0)
        assert isinstance(last := intake.next(5), Caught)
        assert last.number == 60


@pytest.mark.parametrize(("heard", "lost"), [(True, False), (True, True), (False, False)])
def test_only_a_device_that_is_there_and_was_heard_is_stopped(heard: bool, lost: bool) -> None:
    # stop() of a dead one can block for ever.
    drawn, intake = Device(), Intake()
    chosen = choose("drawn", drawn.device.query_sensors(), wanted(SIZES))
    with contextlib.suppress(SourceLost), streaming(chosen, intake):
        if heard:
            drawn.give_depth(0, 1000.0)
            assert intake.next(5) is not None
        if lost:
            raise SourceLost("unplugged")
    still_on = bool(chosen["depth"].sensor.get_active_streams())
    assert still_on == (lost or not heard)
    if still_on:
        for kind in ("depth", "colour", "gyro"):
            chosen[kind].sensor.stop()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"depth": None, "colour": None, "imu": None}, "at least one"),
        ({"align": True, "colour": None}, "align"),
        ({"depth": None, "hole_filling": True}, "hole_filling"),
        ({"file": "a.db3", "serial": "1"}, "got both"),
        ({"loop": True}, "expected a file"),
        ({"depth_size": [640, 9999]}, "4096"),
        ({"fps": 3}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RunConfig.model_validate(
            {"sources": [{"kind": "realsense", **fields}], "encoder": {"kind": "noop"}}
        )
