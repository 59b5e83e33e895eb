"""Inertial sensors on serial lines, through a pseudo-terminal, in a process of its own."""

import asyncio
import logging
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sources.imu.serial_lines import SerialLines, find_port, list_devices, stable_name
from sources.isolated.process import Isolated
from sources.isolated.watch import Patience
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.supervise import Backoff, Ledgers, supervised
from streamer.types import ImuBlock, Sample, SourceStatus, Truth
from tests.needs import ROOT, shared
from tests.promises import GONE_S
from tests.puppet import children_of
from tests.serial_imu import OPTIONS, SerialImu

STREAM = "imu"
PATIENT = Patience(open_s=30, stall_s=10)
DEADLINE_S = 45.0


def source(imu: SerialImu, patience: Patience = PATIENT, **options: object) -> SerialLines:
    told = {"stream": STREAM, "port": str(imu.path), "patience": patience, **OPTIONS, **options}
    return SerialLines.model_validate(told)


@asynccontextmanager
async def plugged(
    folder: Path, rate_hz: float = 200, **options: Any
) -> AsyncGenerator[SerialImu, None]:
    imu = SerialImu(folder / "imu", rate_hz, **options)
    await asyncio.to_thread(imu.start)
    try:
        yield imu
    finally:
        await asyncio.to_thread(imu.stop)


class Run:
    """What a supervised sensor has said so far."""

    def __init__(self, items: AsyncIterator[Sample | Truth], ledgers: Ledgers) -> None:
        self._items, self._ledgers = items, ledgers
        self.said: list[SourceStatus] = []
        self.when: list[float] = []
        self.samples: list[Sample] = []
        self._news = asyncio.Event()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not reached():
                item = await anext(self._items)
                assert isinstance(item, Sample)
                self.samples.append(item)

    async def more(self, readings: int) -> None:
        have = len(self.values) + readings
        await self.until(lambda: len(self.values) >= have)

    async def state(self, *states: str) -> None:
        """Until these were said, in their order, from the start."""
        await self.until(lambda: [status.state for status in self.said] == list(states))

    async def report(self, status: SourceStatus) -> None:
        self.said.append(status)
        self.when.append(perf_counter())
        self._news.set()

    async def told(self, count: int) -> None:
        """Until so many states were said, while somebody else iterates."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.said) < count:
                self._news.clear()
                await self._news.wait()

    @property
    def dropped(self) -> dict[str, int]:
        return dict(self._ledgers.dropped(STREAM))

    @property
    def values(self) -> np.ndarray:
        return np.concatenate([np.empty((0, 6)), *(blocks(it).values for it in self.samples)])

    @property
    def t_ns(self) -> np.ndarray:
        return np.concatenate([blocks(it).t_ns for it in self.samples])


def blocks(sample: Sample) -> ImuBlock:
    assert isinstance(sample.data, ImuBlock)
    return sample.data


@asynccontextmanager
async def running(config: SerialLines) -> AsyncGenerator[Run, None]:
    """Ends with the accounts checked and no process left."""
    ledgers = Ledgers()
    backoff = Backoff(0.05, 0.2, budget=1000)

    async def report(status: SourceStatus) -> None:
        await run.report(status)

    items = supervised(config, SystemClock(), report, backoff=backoff, ledgers=ledgers)
    run = Run(items, ledgers)
    async with aclosing(items):
        yield run
    account = ledgers.totals[STREAM]
    assert account.delivered == len(run.samples)
    assert account.produced == account.delivered + sum(account.dropped.values())
    assert children_of(STREAM) == []


async def test_rate_values_and_stamps(tmp_path: Path) -> None:
    clock, rate_hz = SystemClock(), 400
    async with plugged(tmp_path, rate_hz, clock_s=4294) as imu:  # its counter wraps after 1 s
        async with running(source(imu, rate_hz=rate_hz)) as run:
            await run.more(2 * rate_hz)
            card = run.samples[-1].clock
            closing = perf_counter()
        assert perf_counter() - closing < 2.0

    values, t_ns = run.values, run.t_ns
    np.testing.assert_allclose(values[:, 2], 9.80665, rtol=1e-6)
    np.testing.assert_allclose(np.abs(values[:, 0]).max(), 9.80665, rtol=1e-3)
    np.testing.assert_allclose(values[:, 4:], np.tile(np.deg2rad([-0.5, 0.25]), (len(values), 1)))
    number = np.rint(np.rad2deg(values[:, 3]))
    assert set(np.diff(number) % 1000) == {1}  # none lost, none twice
    assert (np.diff(t_ns) >= 0).all()
    assert t_ns[-1] <= clock.now_ns()
    assert abs(np.median(np.diff(t_ns)) - 1e9 / rate_hz) < 1e5
    assert card.domain == "sensor"
    # No stamp moves by more than 3/4 of a period, and half of the lines are late by the rest.
    assert 0.75e9 / rate_hz - 1 <= card.error_ns < 0.1e9
    assert [status.state for status in run.said] == ["online"]
    assert set(run.dropped) <= {"half_line"}
    # Blocks of 40 ms.
    lengths = [it.duration_ns for it in run.samples[1:-1]]
    assert 35e6 <= np.median(lengths) <= 50e6


async def test_damaged_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    async with plugged(tmp_path) as imu:
        async with running(source(imu)) as run:
            await run.more(50)
            before = run.dropped.get("half_line", 0)
            imu.garbage(7)
            imu.half_lines(5)
            imu.bad_sums(3)
            await run.until(lambda: run.dropped.get("checksum", 0) == 3)
            await run.more(50)

    assert before in (0, 1)  # the line that was under way when the port was opened
    assert run.dropped == {"half_line": before + 5, "garbage": 7, "checksum": 3}
    assert [status.state for status in run.said] == ["online"]
    np.testing.assert_allclose(run.values[:, 2], 9.80665, rtol=1e-6)
    np.testing.assert_allclose(run.values[:, 4], np.deg2rad(-0.5), rtol=1e-6)


async def test_an_unplugged_sensor_is_noticed_and_found_again(tmp_path: Path) -> None:
    async with plugged(tmp_path) as imu:
        async with running(source(imu)) as run:
            await run.more(50)
            gone = perf_counter()
            imu.unplug()
            waiting = asyncio.create_task(run.state("online", "offline", "online"))
            await run.told(2)
            assert not imu.path.exists()
            imu.replug()
            await waiting
            await run.more(50)
            assert imu.path.exists()

    assert "unplugged" in run.said[1].why
    assert run.when[1] - gone < GONE_S
    assert (np.diff(run.t_ns) >= 0).all()


async def test_a_sensor_that_falls_silent_is_stalled_until_it_speaks(tmp_path: Path) -> None:
    patience = Patience(open_s=30)
    async with plugged(tmp_path) as imu:
        async with running(source(imu, patience)) as run:
            await run.more(50)
            imu.silence(True)
            waiting = asyncio.create_task(run.state("online", "stalled", "online"))
            await run.told(2)
            imu.silence(False)
            await waiting

    assert run.said[1].why == "imu: no sample for 1.5 s since the last"


async def test_a_sensor_of_which_no_line_is_valid_is_stalled(tmp_path: Path) -> None:
    patience = Patience(open_s=1.5)
    async with plugged(tmp_path) as imu:
        config = source(imu, patience, prefix="$ACC")
        with pytest.raises(SourceLost, match=r"no sample for 1\.5 s since it was started"):
            async with config.open(SystemClock()) as samples:
                await anext(samples)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prefix": "IMU"}, "no line begins with IMU"),
        ({"gyro": (5, 6, 17)}, "column 17 of 8 is missing"),
    ],
)
async def test_what_was_declared_wrongly_is_said_long_before_the_patience_ends(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    async with plugged(tmp_path) as imu:
        async with source(imu, **change).open(SystemClock()) as samples:
            with pytest.raises(SourceLost) as lost:
                await anext(samples)
        account = samples.accounts[STREAM]

    found = re.fullmatch(
        r"imu: (\d+) lines came and none is a reading: (.+); the last was '(\$IMU,.+)'",
        str(lost.value),
    )
    assert found is not None, str(lost.value)
    assert (found[2], int(found[1]) >= 50) == (why, True)
    # Lines of another name are no damage.
    damaged = int(found[1]) if "column" in why else 0
    assert account.dropped.get("garbage", 0) == damaged
    assert account.dropped["half_line"] == 1
    assert account.produced == sum(account.dropped.values())


async def test_a_clock_that_is_set_is_survived(tmp_path: Path) -> None:
    """
    sensor   100 101 | 98 99 | 103 104 | 104.2 105     back, forward, forward by little
    """
    clock = SystemClock()
    async with plugged(tmp_path, clock_s=100) as imu:
        async with running(source(imu)) as run:
            await run.more(100)
            for step_s in (-3.0, 5.0, 0.2):
                imu.step_clock(step_s)
                await run.more(100)
            ended_ns = clock.now_ns()

    steps = np.diff(run.t_ns)
    assert (steps >= 0).all()
    assert steps.max() < 2e9  # nothing leaps with the sensor's clock
    assert run.t_ns[-1] <= ended_ns
    # Said at once, and then every five seconds at most.
    assert [(status.state, status.why) for status in run.said] == [
        ("online", ""),
        ("online", "the device's clock was set, 1 times so far"),
    ]


async def test_a_flood_is_bounded_and_nothing_piles_up(tmp_path: Path) -> None:
    clock = SystemClock()
    async with plugged(tmp_path, 400) as imu:
        async with running(source(imu)) as run:
            await run.more(100)
            imu.flood(10)
            before = len(run.samples)
            await run.more(8000)
            age_ns = clock.now_ns() - run.t_ns[-1]

    # Ten times the readings are not ten times the messages.
    per_block = [len(blocks(it).t_ns) for it in run.samples[before + 10 :]]
    assert np.median(per_block) > 80
    assert max(per_block) <= 2048
    assert age_ns < 2e9
    np.testing.assert_allclose(run.values[:, 2], 9.80665, rtol=1e-6)
    assert [status.state for status in run.said] == ["online"]


async def test_kill_and_stop_cost_one_life_each(tmp_path: Path) -> None:
    patience = Patience(open_s=30)
    async with plugged(tmp_path) as imu:
        async with running(source(imu, patience)) as run:
            await run.more(50)
            children_of(STREAM)[0].send_signal(signal.SIGKILL)
            await run.state("online", "offline", "online")
            await run.more(50)
            children_of(STREAM)[0].send_signal(signal.SIGSTOP)
            await run.state("online", "offline", "online", "stalled", "online")
            await run.more(50)

    assert "SIGKILL" in run.said[1].why
    assert run.said[-1].restarts == 2
    assert (np.diff(run.t_ns) >= 0).all()


async def test_a_frozen_sensor_sends_its_past_with_the_stamps_of_then(tmp_path: Path) -> None:
    """Frozen for less than the patience: the lines of that time come late and are stamped right."""
    async with plugged(tmp_path) as imu:
        async with running(source(imu)) as run:
            await run.more(200)
            imu.freeze()
            await asyncio.sleep(0.8)
            imu.thaw()
            await run.more(400)

    steps = np.diff(run.t_ns[100:])
    assert (steps >= 0).all()
    assert steps.max() < 0.4e9
    assert [status.state for status in run.said] == ["online"]


async def test_a_pause_is_a_gap_between_blocks(tmp_path: Path) -> None:
    """
    readings   | | | |        | | | |
    blocks     [  ][  ]       [  ][  ]      and none stands for the pause
    """
    async with plugged(tmp_path) as imu:
        async with running(source(imu)) as run:
            await run.more(50)
            imu.silence(True)
            await asyncio.sleep(0.4)
            imu.silence(False)
            await run.more(100)

    holes = [after.t_ns - before.end_ns for before, after in pairwise(run.samples)]
    assert max(holes) > 0.35e9
    assert [status.state for status in run.said] == ["online"]


async def test_a_port_that_somebody_reads_is_refused(tmp_path: Path) -> None:
    async with plugged(tmp_path) as imu:
        async with running(source(imu)) as run:
            await run.more(20)
            with pytest.raises(SourceLost, match=r"cannot be opened \(.*exclusively lock"):
                async with source(imu, stream="second").open(SystemClock()) as samples:
                    await anext(samples)


@pytest.mark.parametrize(
    ("port", "why"),
    [
        ("/dev/ttyNOWHERE", "imu: /dev/ttyNOWHERE: cannot be opened"),
        ("1a86:7523:never", "expected one serial port 1a86:7523:never, there are 0"),
    ],
)
async def test_a_port_that_is_not_there_is_lost(port: str, why: str) -> None:
    config = SerialLines.model_validate({"stream": STREAM, "port": port, **OPTIONS})
    with pytest.raises(SourceLost, match=why):
        async with config.open(SystemClock()) as samples:
            await anext(samples)


XIMU3: dict[str, Any] = {
    "prefix": "",
    "checksum": None,
    "time": 0,
    "time_unit": "s",
    "time_bits": None,
    "gyro": (1, 2, 3),
    "accel": (4, 5, 6),
}
XIMU: dict[str, Any] = {
    **XIMU3,
    "time": None,
    "time_unit": None,
    "gyro": (0, 1, 2),
    "accel": (3, 4, 5),
}


@pytest.mark.parametrize(
    ("name", "rate_hz", "options"),
    [
        ("ximu3_short_walk_400Hz.csv", 400, XIMU3),
        pytest.param("fusion_sensor_data_100Hz.csv", 200, XIMU3, marks=pytest.mark.slow),
        pytest.param("ximu_stairsAndCorridor_256Hz.csv", 256, XIMU, marks=pytest.mark.slow),
    ],
)
async def test_recorded_readings_arrive_as_they_are(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    rate_hz: int,
    options: dict[str, Any],
) -> None:
    """Recordings of three sensors, played over the line; the first line counts as half."""
    lines = shared(f"recordings/imu/{name}").read_bytes().splitlines(keepends=True)[1:601]
    lines = [line.strip() + b"\r\n" for line in lines]
    (tmp_path / "lines").write_bytes(b"half a line\n" + b"".join(lines))
    config_columns = [*options["accel"], *options["gyro"]]
    table = np.array([[float(cell) for cell in line.split(b",")] for line in lines])
    expected = table[:, config_columns] * ([9.80665] * 3 + [np.pi / 180] * 3)

    opened = asyncio.Event()
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(lambda record: _tell(record, opened))
    got: list[Sample] = []

    async def collect(samples: Isolated) -> None:
        async for item in samples:
            if isinstance(item, Sample):
                got.append(item)
            if sum(len(blocks(it).t_ns) for it in got) >= len(lines):
                return

    told = {"lines": tmp_path / "lines", "silent": True}
    async with plugged(tmp_path, rate_hz, **told) as imu:
        async with source(imu, **options).open(SystemClock()) as samples:
            async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
                tasks.create_task(collect(samples), name="collect")
                # It speaks when somebody listens: what was sent before is skipped as old.
                await opened.wait()
                imu.silence(False)
        account = samples.accounts[STREAM]

    values = np.concatenate([blocks(it).values for it in got])
    np.testing.assert_array_equal(values, expected.astype(np.float32))
    assert account.dropped == {"half_line": 1}
    t_ns = np.concatenate([blocks(it).t_ns for it in got])
    assert (np.diff(t_ns) >= 0).all()
    assert all(before.t_ns <= after.t_ns for before, after in pairwise(got))


def _tell(record: logging.LogRecord, opened: asyncio.Event) -> bool:
    if "opened" in record.getMessage():
        opened.set()
    return True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"gyro": None}, "gyro"),
        ({"accel": (1, 2)}, "accel"),
        ({"accel": (5, 6, 7)}, "a column for each number"),
        ({"time": 0}, "column 0 is the prefix"),
        ({"time_unit": None}, "belong together"),
        ({"time": None, "time_unit": None}, "time_bits needs"),
        ({"port": "ttyUSB0"}, "expected a path or vendor:product"),
        ({"accel_unit": "G"}, "accel_unit"),
        ({"baudrate": 9600}, "baudrate"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SerialLines.model_validate({"stream": STREAM, "port": "/dev/x", **OPTIONS, **change})


@dataclass
class Adapter:
    """As pyserial tells of one."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None


PORTS = (
    Adapter("/dev/ttyS0"),
    Adapter("/dev/ttyUSB0", 0x1A86, 0x7523),
    Adapter("/dev/ttyUSB1", 0x0403, 0x6001, "A9"),
    Adapter("/dev/ttyUSB2", 0x0403, 0x6001, "B7"),
)


@pytest.mark.parametrize(
    ("stable", "path"), [("1a86:7523", "/dev/ttyUSB0"), ("0403:6001:b7", "/dev/ttyUSB2")]
)
def test_a_port_is_found_by_what_it_is(stable: str, path: str) -> None:
    assert find_port(stable, PORTS) == path
    assert [stable_name(port) for port in PORTS][:3] == [None, "1a86:7523", "0403:6001:A9"]


def test_two_ports_of_one_name_are_not_guessed_between() -> None:
    with pytest.raises(SourceLost, match="0403:6001, there are 2: /dev/ttyUSB1, /dev/ttyUSB2"):
        find_port("0403:6001", PORTS)


def test_listing_serial_ports_needs_none() -> None:
    for found in list_devices():
        assert set(found) == {"name", "what", "yaml"}
        SerialLines.model_validate(found["yaml"])


WITHOUT = """
import sys
sys.modules["serial"] = None
from sources.imu.serial_lines import SerialLines, list_devices
config = SerialLines.model_validate_json(sys.argv[1])
for use in (lambda: config.drive(None), list_devices):
    try:
        use()
    except Exception as error:
        print(error)
assert "torch" not in sys.modules
"""


def test_without_pyserial_it_says_what_to_install() -> None:
    config = SerialLines.model_validate({"stream": STREAM, "port": "/dev/x", **OPTIONS})
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, config.model_dump_json()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    needs = "a serial line needs pyserial: install imagebind-streamer[serial]"
    assert ran.stdout.splitlines() == [f"imu: {needs}", needs]
