"""Recordings of a RealSense play through the same code, as if they were live; its process fails."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from sources.realsense import RealSense
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.supervise import Ledgers, supervised
from streamer.types import NS_PER_S, ImuBlock, Sample, SourceStatus, Truth, pixels
from tests.needs import shared
from tests.puppet import children_of
from tests.realsense_recording import (
    COLOUR_HZ,
    DEPTH_HZ,
    GYRO_HZ,
    Drawn,
    acceleration,
    colour_pixels,
    depth_units,
    write_recording,
)

SECONDS = 1.6


@dataclass(frozen=True, slots=True)
class Recording:
    path: Path
    made: Drawn


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("realsense") / "drawn.db3"
    return Recording(path, write_recording(path, SECONDS))


async def play(source: RealSense) -> tuple[dict[str, list[Sample]], dict[str, dict[str, Any]]]:
    """The samples by stream, and the accounts when it has ended."""
    samples: dict[str, list[Sample]] = {info.name: [] for info in source.streams}
    async with source.open(SystemClock()) as running:
        async for item in running:
            if isinstance(item, Sample):
                samples[item.stream].append(item)
    return samples, {name: account.report() for name, account in running.accounts.items()}


def test_the_recording_holds_what_the_device_gave(recording: Recording) -> None:
    made = recording.made
    assert (made.depth, made.colour) == (SECONDS * DEPTH_HZ, SECONDS * COLOUR_HZ)
    assert made.gyro == SECONDS * GYRO_HZ


@dataclass(frozen=True, slots=True)
class Played:
    samples: dict[str, list[Sample]]
    accounts: dict[str, dict[str, Any]]
    before_ns: int
    after_ns: int


@pytest.fixture(scope="module")
def played(recording: Recording) -> Played:
    before_ns = SystemClock().now_ns()
    samples, accounts = asyncio.run(play(RealSense(file=recording.path)))
    return Played(samples, accounts, before_ns, SystemClock().now_ns())


def test_pictures_of_a_recording_are_what_was_recorded(
    recording: Recording, played: Played
) -> None:
    samples, accounts = played.samples, played.accounts
    for name, (made, number, expected) in {
        "depth": (recording.made.depth, _depth_number, _metres),
        "colour": (recording.made.colour, _colour_number, colour_pixels),
    }.items():
        pictures = [pixels(sample) for sample in samples[name]]
        numbers = [number(picture) for picture in pictures]
        # The first is not swallowed. A busy machine may play some too late for the library.
        assert numbers[0] == 0
        assert numbers == sorted(set(numbers))
        assert accounts[name]["produced"] == numbers[-1] + 1
        assert accounts[name]["pending"] == 0
        assert set(accounts[name]["dropped"]) <= {"skipped", "overload"}
        assert len(pictures) > made / 2
        for n, picture in zip(numbers, pictures, strict=True):
            np.testing.assert_array_equal(picture, expected(n))


def test_a_recording_plays_in_real_time_and_is_stamped_by_then(played: Played) -> None:
    samples = played.samples
    assert played.after_ns - played.before_ns > (SECONDS - 0.1) * NS_PER_S
    for stream in samples.values():
        stamps = np.array([sample.t_ns for sample in stream])
        assert np.all(np.diff(stamps) > 0)
        assert played.before_ns < stamps[0] < stamps[-1] < played.after_ns
        assert {sample.clock.domain for sample in stream} == {"realsense global_time, played"}
    spacing_ns = np.diff([sample.t_ns for sample in samples["depth"]])
    assert np.median(spacing_ns) == pytest.approx(NS_PER_S / DEPTH_HZ, rel=0.02)


def test_motion_of_a_recording_is_what_was_recorded(recording: Recording, played: Played) -> None:
    samples, accounts = played.samples, played.accounts
    blocks = [sample.data for sample in samples["imu"] if isinstance(sample.data, ImuBlock)]
    values = np.concatenate([block.values for block in blocks])
    seconds = values[:, 5].astype(float) / 0.25
    expected = np.array([acceleration(t_s) for t_s in seconds])
    np.testing.assert_allclose(values[:, :3], expected, atol=2e-5)
    np.testing.assert_allclose(values[:, 3:5], np.tile([0.1, -0.2], (len(values), 1)), rtol=1e-6)
    assert np.all(np.diff(np.concatenate([block.t_ns for block in blocks])) >= 0)
    dropped: dict[str, int] = accounts["imu"]["dropped"]
    assert set(dropped) <= {"skipped", "unpaired", "overload"}
    assert accounts["imu"]["produced"] == len(blocks) + sum(dropped.values())
    # Readings that the library played too late are among the skipped, of both sensors.
    made = recording.made.gyro + recording.made.accel
    assert recording.made.gyro - sum(dropped.values()) - 4 <= len(values) <= made


async def test_a_loop_begins_again_and_its_stamps_go_on(recording: Recording) -> None:
    source = RealSense(file=recording.path, loop=True, colour=None, imu=None)
    numbers: list[int] = []
    stamps: list[int] = []
    async with source.open(SystemClock()) as samples:
        async for sample in samples:
            if isinstance(sample, Sample):
                numbers.append(_depth_number(pixels(sample)))
                stamps.append(sample.t_ns)
            if numbers.count(0) == 2:
                break
        closing = perf_counter()
    assert perf_counter() - closing < 2
    again = numbers.index(0, 1)
    for part in (numbers[:again], numbers[again:]):
        assert part == sorted(set(part))
    assert np.all(np.diff(stamps) > 0)


async def test_a_real_d435_plays_through_the_same_code() -> None:
    bag = shared("recordings/robot_logs/ros1bag/lerobot_realsense_test_rs.bag")
    samples, accounts = await play(RealSense(file=bag, imu=None))
    # Six frames of depth, then five of colour: the library's pipeline gives none of them.
    assert accounts["depth"]["produced"] <= 6
    assert accounts["colour"]["produced"] <= 5
    for sample in samples["depth"]:
        metres = pixels(sample)
        assert metres.shape == (480, 640)
        seen = metres[metres > 0]
        assert seen.size > 10_000
        assert 0.2 < np.median(seen) < 10
        assert sample.duration_ns == NS_PER_S // 30
    for sample in samples["colour"]:
        assert pixels(sample).shape == (480, 640, 3)
        assert pixels(sample).std() > 1
    assert samples["depth"]
    assert samples["colour"]
    with pytest.raises(SourceLost, match="expected gyro, there is none"):
        await play(RealSense(file=bag))


@pytest.mark.parametrize("how", ["absent", "garbage", "cut"])
async def test_a_damaged_recording_is_told_in_one_line(
    how: str, recording: Recording, tmp_path: Path
) -> None:
    path = tmp_path / "bad.db3"
    if how == "garbage":
        path.write_bytes(os.urandom(5000))
    elif how == "cut":
        path.write_bytes(recording.path.read_bytes()[:6000])
    with pytest.raises(SourceLost) as caught:
        await play(RealSense(file=path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


class Run:
    """A source under supervision: its samples, and the states that are reported."""

    def __init__(self, source: RealSense) -> None:
        self.states: list[SourceStatus] = []
        self.ledgers = Ledgers()
        self._source = source

    async def samples(self) -> AsyncGenerator[Sample | Truth, None]:
        supervision = supervised(self._source, SystemClock(), self._report, ledgers=self.ledgers)
        async with aclosing(supervision) as items:
            async for item in items:
                yield item

    async def _report(self, status: SourceStatus) -> None:
        self.states.append(status)


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGKILL, "offline"), (signal.SIGSTOP, "stalled")]
)
async def test_its_process_is_killed_or_frozen_and_comes_back(
    number: signal.Signals, state: str, recording: Recording
) -> None:
    own = f"depth{number}"
    run = Run(RealSense(file=recording.path, loop=True, depth=own, colour=None, imu=None))
    last_ns, hit = 0, False
    async with asyncio.timeout(90), aclosing(run.samples()) as samples:
        async for sample in samples:
            assert isinstance(sample, Sample)
            assert sample.t_ns > last_ns
            last_ns = sample.t_ns
            if not hit:
                (child,) = children_of(own)
                os.kill(child.pid, number)
                hit = True
            elif run.states[-1].restarts:
                break
    # Drops are told with the state as it is.
    states = [one for one, _ in groupby(status.state for status in run.states)]
    assert states == ["online", state, "online"]
    assert not children_of(own)
    account = run.ledgers.totals[own]
    assert account.pending == 0


def _depth_number(metres: Any) -> int:
    return round(float(metres[0, 0]) * 1000) - 1000


def _colour_number(colours: Any) -> int:
    return int(colours[0, 0, 2])


def _metres(n: int) -> Any:
    return (depth_units(n) * 0.001).astype(np.float32)
