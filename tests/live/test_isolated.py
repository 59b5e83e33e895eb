"""A device in a process of its own, and everything it can do there to those outside: nothing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import psutil
import pytest

from sources.isolated.process import Isolated
from sources.isolated.watch import Patience
from streamer.channels import Account
from streamer.clock import SystemClock, monotonic_ns
from streamer.errors import SourceLost, SourceStalled
from streamer.supervise import Backoff, Ledgers, supervised
from streamer.types import HOST_CLOCK, NS_PER_S, Condition, Sample, SourceStatus, pixels
from tests.collector import eventually
from tests.descriptors import descriptors
from tests.needs import ROOT
from tests.puppet import HEIGHT, WIDTH, Puppet, children_of

SOON_S = 15.0
"""Long enough for a machine that is busy with other things."""


@pytest.fixture(autouse=True)
def no_descriptor_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


async def taken(samples: Isolated) -> tuple[list[Sample], SourceLost | None]:
    """Everything until the end, and the error that it was."""
    found: list[Sample] = []
    try:
        async with asyncio.timeout(SOON_S):
            async for item in samples:
                assert isinstance(item, Sample)
                found.append(item)
    except SourceLost as error:
        return found, error
    return found, None


def number(sample: Sample) -> int:
    """Which picture it is, modulo 256; every one of its pixels says so."""
    picture = pixels(sample)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert (picture == picture[0, 0, 0]).all(), "torn"
    return int(picture[0, 0, 0])


def accounted(account: Account, found: list[Sample], made: int) -> set[str]:
    """Every picture was delivered or is counted as dropped, to the last; the causes."""
    assert account.produced == made <= 256
    assert balanced(account).delivered == len(found)
    numbers = [number(sample) for sample in found]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(made))
    return set(account.dropped)


def balanced(account: Account) -> Account:
    assert account.pending == 0
    assert account.produced == account.delivered + sum(account.dropped.values())
    return account


async def test_pictures_come_in_order_with_rising_stamps() -> None:
    clock = SystemClock()
    started_ns = clock.now_ns()
    async with Puppet(rate_hz=200, after=250).open(clock) as samples:
        found, error = await taken(samples)
    ended_ns = clock.now_ns()
    assert error is None, "it came to its end"
    assert accounted(samples.accounts["puppet"], found, made=250) <= {"overload"}
    stamps = [sample.t_ns for sample in found]
    assert stamps == sorted(set(stamps))
    assert started_ns < stamps[0] < stamps[-1] < ended_ns
    assert {sample.clock.domain for sample in found} == {"host"}


@pytest.mark.parametrize(
    ("then", "kind", "says"),
    [
        ("lose", SourceLost, "puppet: unplugged"),
        ("crash", SourceLost, "puppet: its process ended with SIGSEGV"),
        ("bug", SourceLost, "puppet: its process ended with status 1: ZeroDivisionError: a bug of"),
        ("babble", SourceLost, "puppet: expected a message of a device's process, got"),
        ("hang", SourceStalled, "puppet: no sample for 0.5 s since the last"),
        ("deaf", SourceStalled, "puppet: no sample for 0.5 s since the last"),
        ("repeat", SourceStalled, "puppet: repeats one picture for 0.5 s"),
    ],
)
async def test_what_a_device_does_is_one_line(then: str, kind: type[SourceLost], says: str) -> None:
    # Ending takes a busy machine its time; hanging is seen at once.
    stall_s = 0.5 if kind is SourceStalled else 10
    puppet = Puppet.model_validate(
        {
            "rate_hz": 100,
            "after": 20,
            "then": then,
            "patience": {"stall_s": stall_s, "repeat_s": 0.5},
        }
    )
    async with puppet.open(SystemClock()) as samples:
        found, error = await taken(samples)
    assert type(error) is kind
    assert str(error).startswith(says)
    assert "\n" not in str(error)
    account = balanced(samples.accounts["puppet"])
    assert account.delivered == len(found)
    if then == "lose":
        assert account.produced == 20
    assert [number(sample) for sample in found][:1] == [0]
    assert children_of("puppet") == []


@pytest.mark.parametrize(
    ("number_", "says"), [(signal.SIGKILL, "ended with SIGKILL"), (signal.SIGSTOP, "no sample for")]
)
async def test_a_process_that_is_killed_or_frozen_is_replaced(
    number_: signal.Signals, says: str
) -> None:
    puppet = Puppet(rate_hz=100, patience=Patience(stall_s=1))
    async with watched(puppet) as seen:
        await seen.more(5)
        [child] = children_of("puppet")
        child.send_signal(number_)
        await eventually(lambda: len(seen.states) >= 3, SOON_S)
        await seen.more(5)
        [other] = children_of("puppet")
        assert other.pid != child.pid
        assert not child.is_running()
    assert [s.state for s in seen.states][::2] == ["online", "online"]
    lost, back = seen.states[1], seen.states[2]
    assert lost.state == ("offline" if number_ == signal.SIGKILL else "stalled")
    assert says in lost.why
    assert back.restarts == 1
    account = balanced(seen.ledgers.totals["puppet"])
    assert account.delivered == seen.count


class Delays(Backoff):
    """Keeps what it says."""

    def __init__(self, budget: int) -> None:
        super().__init__(first_s=0.01, cap_s=0.02, budget=budget, spent_s=3600)
        self.said: list[float] = []

    def lost(self, now_ns: int, chance: float) -> float:
        self.said.append(super().lost(now_ns, chance))
        return self.said[-1]


async def test_a_device_that_is_never_well_spends_its_budget() -> None:
    delays = Delays(budget=3)
    async with watched(Puppet(rate_hz=100, after=0, then="lose"), delays) as seen:
        await eventually(lambda: len(delays.said) == 4, SOON_S)
        assert children_of("puppet") == []
    assert max(delays.said[:3]) <= 0.02
    assert delays.said[3] == 3600
    assert seen.count == 0
    assert [(s.state, s.why) for s in seen.states] == [("offline", "puppet: unplugged")]


async def test_a_program_that_does_not_read_loses_pictures_and_counts_them() -> None:
    async with Puppet(rate_hz=100, after=200).open(SystemClock()) as samples:
        first = await anext(samples)
        assert isinstance(first, Sample)
        # The event loop goes on, this reader does not: for a second of pictures.
        await asyncio.sleep(1)
        rest, _ = await taken(samples)
    account = samples.accounts["puppet"]
    assert accounted(account, [first, *rest], made=200) == {"overload"}
    # What waits is bounded, and is not written over.
    assert account.dropped["overload"] >= 50


async def test_what_waits_when_the_program_closes_is_counted() -> None:
    async with Puppet(rate_hz=200).open(SystemClock()) as samples:
        await anext(samples)
        await asyncio.sleep(0.5)
    account = balanced(samples.accounts["puppet"])
    assert account.delivered == 1
    assert account.dropped["stopped"] >= 1
    assert account.dropped["overload"] >= 1


@pytest.mark.parametrize("then", ["hang", "deaf"])
async def test_closing_a_device_that_hangs_takes_two_seconds_at_most(then: str) -> None:
    puppet = Puppet.model_validate({"rate_hz": 100, "after": 1, "then": then, "helper": True})
    loop = asyncio.get_running_loop()
    async with puppet.open(SystemClock()) as samples:
        await anext(samples)
        [child] = children_of("puppet")
        family = [child, *child.children()]
        started_s = loop.time()
    assert loop.time() - started_s < 2.0
    assert len(family) == 2
    await eventually(lambda: all(is_gone(process) for process in family), SOON_S)


async def test_a_reader_that_is_cancelled_just_when_something_comes_ends() -> None:
    # Python 3.11's `asyncio.wait_for` would forget the cancellation.
    loop = asyncio.get_running_loop()
    async with Puppet(rate_hz=100).open(SystemClock()) as samples:
        await anext(samples)
        for _ in range(10):
            while (task := asyncio.create_task(samples.__anext__())) and await settled(task):
                pass  # there was one to take at once
            time.sleep(0.03)  # noqa: ASYNC251 - one comes, and the event loop does not know yet
            await asyncio.sleep(0)
            loop.call_soon(task.cancel)
            await asyncio.wait([task], timeout=SOON_S)
            assert task.cancelled()


async def settled(task: asyncio.Task[Sample | Condition]) -> bool:
    await asyncio.sleep(0)
    return task.done()


async def test_a_frozen_process_is_thawed_to_close_its_device() -> None:
    loop = asyncio.get_running_loop()
    async with Puppet(rate_hz=100).open(SystemClock()) as samples:
        await anext(samples)
        [child] = children_of("puppet")
        child.suspend()
        started_s = loop.time()
    assert loop.time() - started_s < 1.0, "it went in order and was not waited for"
    # Its last word came, which a killed one does not say.
    assert samples.accounts["puppet"].produced >= 1


async def test_interrupted_while_it_ends_leaves_nothing() -> None:
    puppet = Puppet(rate_hz=100, after=1, then="deaf")
    opened = asyncio.Event()

    async def use() -> None:
        async with puppet.open(SystemClock()) as samples:
            await anext(samples)
            opened.set()

    task = asyncio.create_task(use())
    await opened.wait()
    [child] = children_of("puppet")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await eventually(lambda: is_gone(child), SOON_S)


async def test_the_process_of_a_device_has_no_torch() -> None:
    async with Puppet(rate_hz=100).open(SystemClock()) as samples:
        await anext(samples)
        [child] = children_of("puppet")
        maps = {mapped.path for mapped in child.memory_maps()}
        assert any("numpy" in path for path in maps), "the list is that of a running interpreter"
        assert not [path for path in maps if "torch" in path]
        assert child.memory_info().rss < 120 << 20


async def test_ctrl_c_in_a_terminal_is_for_the_program_alone() -> None:
    async with Puppet(rate_hz=100).open(SystemClock()) as samples:
        await anext(samples)
        [child] = children_of("puppet")
        assert os.getsid(child.pid) == child.pid != os.getsid(0)


async def test_memory_is_flat_over_many_pictures() -> None:
    process = psutil.Process()
    async with Puppet(rate_hz=1000).open(SystemClock()) as samples:
        [child] = children_of("puppet")
        for _ in range(500):
            await anext(samples)
        before = process.memory_info().rss, child.memory_info().rss
        for _ in range(2500):
            await anext(samples)
        after = process.memory_info().rss, child.memory_info().rss
    # 2500 pictures of 9 KB are 23 MB.
    assert after[0] - before[0] < 8 << 20
    assert after[1] - before[1] < 8 << 20


async def test_a_device_that_cannot_be_started_is_lost_and_no_bug() -> None:
    class Unsendable(Puppet):
        @property
        def live(self) -> bool:
            return True

    # A class that its process cannot import.
    async with Unsendable(rate_hz=100).open(SystemClock()) as samples:
        found, error = await taken(samples)
    assert found == []
    assert "its process ended with status 1: AttributeError" in str(error)


class Program:
    """A program with a puppet, in a process group of its own."""

    def __init__(self, puppet: Puppet) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.puppet_program", puppet.model_dump_json()],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.popen.stdout is not None
        self.said = self.popen.stdout
        self.child = psutil.Process(int(self.said.readline()))


@contextmanager
def program(puppet: Puppet) -> Generator[Program, None, None]:
    running = Program(puppet)
    try:
        yield running
    finally:
        running.popen.kill()
        running.popen.wait()
        running.said.close()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_program_that_is_killed_takes_its_devices_along(stopped: bool) -> None:
    with program(Puppet(rate_hz=100, helper=True)) as running:
        family = [running.child, *running.child.children()]
        assert len(family) == 2
        if stopped:
            # It will never read that its socket is closed.
            running.child.suspend()
        running.popen.kill()
        running.popen.wait()
        gone, alive = psutil.wait_procs(family, timeout=SOON_S)
        assert len(gone) == 2 or all(is_gone(process) for process in alive)


def test_ctrl_c_ends_the_device_in_order() -> None:
    with program(Puppet(rate_hz=100)) as running:
        os.killpg(running.popen.pid, signal.SIGINT)
        said = json.loads(running.said.readlines()[-1])
        assert running.popen.wait(SOON_S) == 0
    assert said["states"] == ["online"], "the device did not go before it was told to"
    assert said["accounts"]["puppet"]["pending"] == 0


def test_a_program_that_was_held_up_does_not_blame_its_devices() -> None:
    with program(Puppet(rate_hz=100, patience=Patience(stall_s=1))) as running:
        running.popen.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # longer than a device may be silent for
        running.popen.send_signal(signal.SIGCONT)
        # It goes on with the same process, which has had to drop most of what it made.
        assert json.loads(running.said.readline())["delivered"] == 50
        os.killpg(running.popen.pid, signal.SIGINT)
        said = json.loads(running.said.readline())
    assert said["states"] == ["online"]
    assert said["accounts"]["puppet"]["dropped"]["overload"] >= 50
    assert said["accounts"]["puppet"]["pending"] == 0


def is_gone(process: psutil.Process) -> bool:
    """Also when nobody has collected it yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Seen:
    """What a supervised source says, counted."""

    def __init__(self) -> None:
        self.count = 0
        self.states: list[SourceStatus] = []
        self.ledgers = Ledgers()

    async def report(self, status: SourceStatus) -> None:
        self.states.append(status)

    async def more(self, count: int) -> None:
        goal = self.count + count
        await eventually(lambda: self.count >= goal, SOON_S)


@asynccontextmanager
async def watched(puppet: Puppet, backoff: Backoff | None = None) -> AsyncGenerator[Seen, None]:
    """Run it supervised while inside; whatever then happens, it ends with this."""
    seen = Seen()

    async def consume() -> None:
        running = supervised(
            puppet, SystemClock(), seen.report, backoff=backoff, ledgers=seen.ledgers
        )
        async with aclosing(running) as items:
            async for item in items:
                assert not isinstance(item, Condition)
                seen.count += 1

    task = asyncio.create_task(consume(), name="watched")
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_process_that_dies_before_it_has_its_task_costs_one_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    # It may be gone before or after it was told what to do.
    for _ in range(20):
        with pytest.raises(SourceLost, match="puppet: its process ended with status"):
            async with Puppet().open(SystemClock()) as samples:
                await anext(samples)


async def test_a_process_that_cannot_be_started_costs_one_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(SourceLost, match=r"puppet: its process cannot be started: .*No such file"):
        async with Puppet().open(SystemClock()):
            pass


@pytest.mark.parametrize("behind_ns", [12 * NS_PER_S, -(10**18)])
async def test_the_offset_of_a_card_leads_from_the_devices_clock_to_the_runs(
    behind_ns: int,
) -> None:
    before_ns = monotonic_ns()
    async with Puppet(after=5, behind_ns=behind_ns).open(SystemClock()) as samples:
        found, _ = await taken(samples)
    for sample in found:
        assert (sample.clock.domain, sample.clock.error_ns) == ("puppet", 5)
        its_own_ns = sample.t_ns - sample.clock.offset_ns
        assert before_ns - behind_ns < its_own_ns < monotonic_ns() - behind_ns
        assert sample.clock is found[0].clock, "one card for as long as it says the same"


async def test_the_card_of_the_host_has_no_offset() -> None:
    async with Puppet(after=2).open(SystemClock()) as samples:
        found, _ = await taken(samples)
    assert [sample.clock for sample in found] == [HOST_CLOCK] * 2
