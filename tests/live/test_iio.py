"""Linux IIO read from a tree of files and a FIFO, in a process of its own."""

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from configs.schema import RunConfig
from sources.imu.iio import ACCEL, GYRO, Iio, list_devices
from sources.isolated.process import Isolated
from sources.isolated.watch import Patience
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.supervise import Backoff, supervised
from streamer.types import ImuBlock, Sample, SourceStatus
from tests.iio_tree import IioTree
from tests.puppet import children_of

PATIENT = Patience(open_s=30, stall_s=10)
BOTH = (ACCEL, GYRO)


def chip(
    folder: Path, number: int = 0, name: str = "bmi160", sensors: tuple[str, ...] = BOTH
) -> IioTree:
    tree = IioTree(folder, number, name, sensors)
    for sensor in sensors:
        tree.put(f"{sensor}_scale", "0.01" if sensor == ACCEL else "0.001")
    return tree


def source(tree: IioTree, **options: object) -> Iio:
    told = {"stream": "imu", "device": tree.get("name"), "root": tree.root, "dev": tree.dev}
    return Iio.model_validate({**told, "patience": PATIENT, **options})


async def readings(samples: Isolated, count: int) -> tuple[ImuBlock, list[Sample]]:
    """At least so many, in one block; and the samples that they came in."""
    got: list[Sample] = []
    async for item in samples:
        assert isinstance(item, Sample)
        got.append(item)
        if sum(len(blocks(it).t_ns) for it in got) >= count:
            break
    t_ns = np.concatenate([blocks(it).t_ns for it in got])
    return ImuBlock(t_ns, np.concatenate([blocks(it).values for it in got])), got


def blocks(sample: Sample) -> ImuBlock:
    assert isinstance(sample.data, ImuBlock)
    return sample.data


def ramp(number: int) -> tuple[int, ...]:
    return (number, -number, 981, 3, -4, number)


async def test_a_buffer_gives_values_rate_and_stamps(tmp_path: Path) -> None:
    clock = SystemClock()
    with chip(tmp_path) as tree:
        tree.buffered()
        tree.put("buffer/enable", "1")  # as one that was killed leaves it
        tree.put("in_accel_offset", "100")
        tree.put("in_accel_z_scale", "0.02")  # its own wins over the one they share
        tree.put("in_mount_matrix", "0, 1, 0; -1, 0, 0; 0, 0, 1")
        tree.feed(200, ramp)
        async with source(tree, rate_hz=200).open(clock) as samples:
            block, got = await readings(samples, 200)
            assert tree.get("buffer/enable") == "1"
        assert tree.get("buffer/enable") == "0"
        assert tree.get("current_timestamp_clock") == "monotonic"
        assert tree.get("sampling_frequency") == "200"

    number = np.rint(block.values[:, 5] / 0.001)
    np.testing.assert_array_equal(number, np.arange(len(number)) + number[0])
    expected = np.stack(
        [
            (-number + 100) * 0.01,  # machine x is the chip's y
            -(number + 100) * 0.01,
            np.full(len(number), (981 + 100) * 0.02),
            np.full(len(number), -0.004),
            np.full(len(number), -0.003),
            number * 0.001,
        ],
        1,
    )
    np.testing.assert_allclose(block.values, expected, rtol=1e-6)
    # The kernel's stamps on the program's clock: regular, and of just now.
    assert abs(np.diff(block.t_ns) - 5_000_000).max() <= 5_000_000
    assert abs(np.median(np.diff(block.t_ns)) - 5_000_000) < 10_000
    assert 0 <= clock.now_ns() - block.t_ns[-1] < 30e9
    assert got[-1].clock.domain == "host"
    assert got[-1].clock.error_ns == 3_750_000  # no stamp moves by more than 3/4 of a period
    assert all(before.end_ns <= after.t_ns + 1_000_000 for before, after in pairwise(got))


async def test_a_kernel_that_stamps_utc_is_mapped(tmp_path: Path) -> None:
    """Kernels before 4.8 do not say which clock they stamp with; here one that is 40 years off."""
    clock = SystemClock()
    with chip(tmp_path) as tree:
        tree.buffered(clock=None)
        tree.feed(200, ramp, lambda taken_ns: taken_ns - 40 * 365 * 86400 * 10**9)
        async with source(tree).open(clock) as samples:
            block, got = await readings(samples, 100)

    assert got[-1].clock.domain == "sensor"
    assert 0 <= clock.now_ns() - block.t_ns[-1] < 30e9
    assert (np.diff(block.t_ns) >= 0).all()


async def test_records_without_stamps_have_those_of_arrival(tmp_path: Path) -> None:
    clock = SystemClock()
    with chip(tmp_path) as tree:
        tree.buffered(stamps=False)
        tree.feed(200, ramp)
        async with source(tree).open(clock) as samples:
            block, got = await readings(samples, 100)

    assert (np.diff(np.rint(block.values[:, 5] / 0.001)) == 1).all()
    assert got[-1].clock.domain == "host"
    assert got[-1].clock.error_ns == 5_000_000


async def test_two_devices_meet_at_the_stamps_of_the_angular_rate(tmp_path: Path) -> None:
    """The acceleration counts 100 a second; at each angular rate it says when that was."""
    clock = SystemClock()
    with (
        chip(tmp_path, 0, "accel", (ACCEL,)) as accel,
        chip(tmp_path, 1, "gyro", (GYRO,)) as gyro,
    ):
        accel.buffered()
        gyro.buffered()
        accel.feed(100, lambda n: (n, 0, 981))
        gyro.feed(200, lambda n: (n % 1000, 0, 0))
        async with source(gyro, accel_device="accel").open(clock) as samples:
            block, _ = await readings(samples, 200)

    steps = np.diff(block.values[20:, 0])
    # Half a step of 0.01 m/s^2 between two angular rates.
    np.testing.assert_allclose(steps, 0.005, atol=0.0015)
    assert (np.diff(np.rint(block.values[:, 3] / 0.001)) == 1).all()


async def test_of_two_devices_without_stamps_none_that_arrived_together_is_lost(
    tmp_path: Path,
) -> None:
    """Each write is two records, and so each arrival: they have one stamp."""
    with (
        chip(tmp_path, 0, "accel", (ACCEL,)) as accel,
        chip(tmp_path, 1, "gyro", (GYRO,)) as gyro,
    ):
        accel.buffered(stamps=False)
        gyro.buffered(stamps=False)
        accel.feed(100, lambda _: (0, 0, 981, 0, 0, 981))
        gyro.feed(100, lambda n: (2 * n, 0, 0, 2 * n + 1, 0, 0))
        async with source(gyro, accel_device="accel").open(SystemClock()) as samples:
            block, _ = await readings(samples, 100)
            dropped = dict(samples.accounts["imu"].dropped)

    _, together = np.unique(np.rint(block.values[:, 3] / 0.001) // 2, return_counts=True)
    # Two may be in two blocks, of which one is dropped where the program is behind.
    assert np.mean(together == 2) > 0.5
    assert set(dropped) <= {"unpaired", "overload"}


async def test_attributes_are_polled_where_there_is_no_buffer(tmp_path: Path) -> None:
    clock = SystemClock()
    tree = chip(tmp_path)
    tree.put("in_accel_x_raw", "250")
    tree.put("in_anglvel_z_raw", "-1500")
    async with source(tree, device=0, mode="polled", rate_hz=100).open(clock) as samples:
        block, got = await readings(samples, 50)
        tree.put("in_accel_x_raw", "-250")
        async for item in samples:
            if isinstance(item, Sample) and blocks(item).values[-1, 0] < 0:
                break

        shutil.rmtree(tree.folder)
        with pytest.raises(SourceLost, match=r"raw: cannot be read|an attribute in_\w+_raw"):
            async for _ in samples:
                pass

    np.testing.assert_allclose(block.values[-1], [2.5, 0, 0, 0, 0, -1.5])
    assert 50 < 1e9 * (len(block.t_ns) - 1) / (block.t_ns[-1] - block.t_ns[0]) < 101
    assert got[0].clock.error_ns == 0


Spoil: TypeAlias = Callable[[IioTree], object]
WRONG: list[tuple[Spoil, dict[str, object], str]] = [
    (lambda _: None, {"device": "lsm6dsx"}, "expected one IIO device lsm6dsx .*device0 bmi160"),
    (lambda _: None, {"device": 3}, "expected one IIO device 3"),
    (
        lambda t: t.put("in_accel_scale", "?"),
        {},
        r"in_accel_scale: expected a number, got '\?'",
    ),
    (
        lambda t: (t.folder / "in_accel_scale").unlink(),
        {},
        "expected an attribute in_accel_x_s",
    ),
    (lambda t: t.put("in_mount_matrix", "1"), {}, "in_mount_matrix: expected a rotation"),
    (lambda t: t.put("scan_elements/in_accel_y_type", "x"), {}, "in_accel_y: expected a type"),
    (lambda t: t.fifo.unlink(), {}, "dev/iio:device0: cannot be opened"),
    (lambda t: shutil.rmtree(t.folder / "buffer"), {}, "buffer/enable: cannot be set to 0"),
]


@pytest.mark.parametrize(("spoil", "options", "why"), WRONG, ids=[why for _, _, why in WRONG])
async def test_what_is_wrong_with_a_device_is_said(
    tmp_path: Path, spoil: Spoil, options: dict[str, object], why: str
) -> None:
    tree = chip(tmp_path)
    tree.buffered()
    spoil(tree)
    with pytest.raises(SourceLost, match=why):
        async with source(tree, **options).open(SystemClock()) as samples:
            await anext(samples)


async def test_a_device_that_goes_is_noticed_and_found_under_another_number(tmp_path: Path) -> None:
    said: list[SourceStatus] = []

    async def report(status: SourceStatus) -> None:
        said.append(status)

    with chip(tmp_path, 0) as tree, chip(tmp_path / "new", 4) as other:
        tree.buffered()
        other.buffered()
        other.feed(200, ramp)
        tree.feed(200, ramp)
        run = supervised(source(tree), SystemClock(), report, backoff=Backoff(0.05, 0.05))
        async with aclosing(run) as items:
            async for _ in items:
                if len(said) == 1 and tree.folder.exists():
                    await asyncio.to_thread(tree.starve)
                    shutil.rmtree(tree.folder)
                    other.folder.rename(tree.root / "iio:device4")
                    other.fifo.rename(tree.dev / "iio:device4")
                    other.folder = tree.root / "iio:device4"
                    other.fifo = tree.dev / "iio:device4"
                if [status.state for status in said] == ["online", "offline", "online"]:
                    break

    assert "iio:device0: gone" in said[1].why
    assert children_of("imu") == []


def test_what_is_found_can_be_pasted(tmp_path: Path) -> None:
    chip(tmp_path, 0, "bmi160").buffered()
    chip(tmp_path, 1, "adxl345", (ACCEL,))
    chip(tmp_path, 2, "itg3200", (GYRO,))
    IioTree(tmp_path, 3, "a thermometer", ())
    found = list_devices(tmp_path / "sys")

    assert json.loads(json.dumps(found)) == found
    assert [it["name"] for it in found] == ["iio:device0", "iio:device2"]
    assert found[0]["what"] == "bmi160: acceleration and angular rate"
    for it in found:
        RunConfig.model_validate({"sources": [it["yaml"]], "encoder": {"kind": "noop"}})
    yaml = found[1]["yaml"]
    assert isinstance(yaml, dict)
    assert (yaml["accel_device"], yaml["mode"]) == ("iio:device1", "polled")
    assert list_devices(tmp_path / "nowhere") == []
