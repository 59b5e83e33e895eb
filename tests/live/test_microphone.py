"""A microphone through PortAudio: what another process plays, on a sound server that misbehaves."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from sources.isolated.process import Isolated
from sources.isolated.watch import Patience
from sources.microphone import RATE_HZ, Microphone
from sources.soundclock import SLEW
from streamer.clock import SystemClock
from streamer.errors import SourceLost, SourceStalled
from streamer.supervise import Ledgers, supervised
from streamer.types import NS_PER_S, AudioBlock, Condition, Sample, SourceStatus
from tests.promises import GONE_S
from tests.puppet import children_of
from tests.sound_rig import AMPLITUDE, SoundRig, sound_rig

DEADLINE_S = 30.0
SETTLING = RATE_HZ // 10
"""The first samples: filters of the server begin there."""
PART = RATE_HZ // 2
"""So many are looked at: whole periods of every even frequency."""


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[SoundRig]:
    context = sound_rig()
    running = await asyncio.to_thread(context.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


def microphone(**more: Any) -> Microphone:
    return Microphone.model_validate({"stream": "mic", "device": "mic", **more})


@asynccontextmanager
async def opened(source: Microphone) -> AsyncGenerator[Isolated, None]:
    async with asyncio.timeout(DEADLINE_S):
        async with source.open(SystemClock()) as samples:
            yield samples


async def blocks_of(samples: Isolated, seconds: float) -> list[Sample]:
    """So much sound, as it comes."""
    found: list[Sample] = []
    frames = 0
    async for item in samples:
        if isinstance(item, Sample):
            found.append(item)
            frames += len(sound_of(item))
            if frames >= seconds * RATE_HZ:
                return found
    raise AssertionError("it ended by itself")


def sound_of(sample: Sample) -> NDArray[np.float32]:
    assert isinstance(sample.data, AudioBlock)
    return sample.data.samples


async def part_of(source: Microphone) -> NDArray[np.float32]:
    """`PART` samples of it."""
    async with opened(source) as samples:
        found = await blocks_of(samples, (SETTLING + PART) / RATE_HZ)
    return np.concatenate([sound_of(sample) for sample in found])[SETTLING:][:PART]


def amplitude(part: NDArray[np.float32], hz: float) -> float:
    """Of the sine of so many Hz in it."""
    turn = np.exp(-2j * np.pi * hz * np.arange(PART) / RATE_HZ)
    return float(2 * np.abs(np.mean(part * turn)))


def gaps_ns(found: list[Sample]) -> list[float]:
    """Between the end of each block and the start of the next; slewing is none."""
    gaps: list[float] = []
    for one, two in pairwise(found):
        gap_ns = two.t_ns - one.t_ns - len(sound_of(one)) * NS_PER_S / RATE_HZ
        # By the length of what was pushed for it, which the filter may have kept for a while.
        slewed_ns = 0.1 * NS_PER_S * SLEW / 1e6
        gaps.append(0.0 if abs(gap_ns) <= slewed_ns else gap_ns)
    return gaps


@pytest.mark.parametrize(("rate_hz", "hz", "gain_db"), [(None, 440.0, 0.0), (48000, 1000.0, 6.0)])
async def test_a_tone_is_heard(
    rig: SoundRig, rate_hz: int | None, hz: float, gain_db: float
) -> None:
    await asyncio.to_thread(rig.tone, hz)
    expected = AMPLITUDE * 10 ** (gain_db / 20)
    part = np.empty(0, np.float32)
    for _ in range(3):
        # The sound server of a busy machine skips now and then: one stretch has to be whole.
        part = await part_of(microphone(rate_hz=rate_hz, gain_db=gain_db))
        if amplitude(part, hz) == pytest.approx(expected, rel=0.01):
            break
    assert part.dtype == np.float32
    assert int(np.argmax(np.abs(np.fft.rfft(part)))) * RATE_HZ / PART == hz
    assert amplitude(part, hz) == pytest.approx(expected, rel=0.01)
    # And nothing else: its power is that of the sine.
    assert float(np.sqrt(np.mean(part**2))) == pytest.approx(expected / np.sqrt(2), rel=0.02)


async def test_stamps_go_by_the_samples_and_keep_to_the_host(rig: SoundRig) -> None:
    del rig
    clock = SystemClock()
    began_ns = clock.now_ns()
    async with opened(microphone()) as samples:
        found = await blocks_of(samples, 2.5)
        account = samples.accounts["mic"]
        assert account.produced == account.delivered + sum(account.dropped.values())
    assert gaps_ns(found) == [0.0] * (len(found) - 1)
    # So much sound took so much time, and is not of the future.
    last = found[-1]
    assert began_ns - NS_PER_S < found[0].t_ns < last.t_ns + last.duration_ns < clock.now_ns()
    assert last.t_ns + last.duration_ns > clock.now_ns() - 5 * NS_PER_S  # a busy machine
    assert last.clock.domain == "samples"
    assert last.clock.error_ns < 0.3 * NS_PER_S


async def test_a_channel_or_the_mean_of_all(rig: SoundRig) -> None:
    await asyncio.to_thread(rig.tone, 440.0, 1000.0)
    for channel, left, right in ((1, 1.0, 0.0), (2, 0.0, 1.0), (None, 0.5, 0.5)):
        part = await part_of(microphone(channel=channel))
        assert amplitude(part, 440.0) == pytest.approx(left * AMPLITUDE, abs=0.01)
        assert amplitude(part, 1000.0) == pytest.approx(right * AMPLITUDE, abs=0.01)


async def test_the_same_name_is_the_same_device_under_another_number(rig: SoundRig) -> None:
    await asyncio.to_thread(rig.tone, 440.0, 1000.0)
    before = await listed()
    source = Microphone.model_validate(before[0]["yaml"] | {"channel": 1})
    assert before[0]["what"] == "up to 32 channels, 44100 Hz"
    await asyncio.to_thread(rig.add_device, "webcam")
    after = await listed()
    assert [found["name"] for found in before] == ["mic", "default"]
    assert [found["name"] for found in after] == ["webcam", "mic", "default"]
    assert amplitude(await part_of(source), 440.0) == pytest.approx(AMPLITUDE, rel=0.02)
    # The one that has its number now hears something else.
    other = await part_of(microphone(device="webcam", channel=1))
    assert amplitude(other, 1000.0) == pytest.approx(AMPLITUDE, rel=0.02)


async def listed() -> list[dict[str, Any]]:
    code = "import json, sources.microphone as m; print(json.dumps(m.list_devices()))"
    return json.loads(await python(code))


async def python(code: str) -> str:
    """What it prints, in a process of its own: nothing else may start PortAudio."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 0
    return said.decode()


async def test_a_name_that_does_not_tell_says_what_there_is(rig: SoundRig) -> None:
    await asyncio.to_thread(rig.add_device, "mic-b")
    for device, said in (
        ("usb", "microphone 'usb': no device has that in its name; there is mic-b, mic, default"),
        ("MI", "microphone 'MI': expected one device, got 2: mic-b, mic"),
    ):
        with pytest.raises(SourceLost) as error:
            await part_of(microphone(device=device))
        assert str(error.value) == said


async def test_a_rate_that_cannot_be_opened_is_said(rig: SoundRig) -> None:
    del rig
    with pytest.raises(SourceLost, match=r"mic: cannot be opened with 2 channels at 768000 Hz: "):
        await part_of(microphone(rate_hz=768000))


@pytest.mark.parametrize("gone", [SoundRig.kill, SoundRig.unload], ids=["killed", "unplugged"])
async def test_a_device_that_goes_is_noticed_and_back_when_it_is(
    rig: SoundRig, gone: Callable[[SoundRig], None]
) -> None:
    async with supervision(microphone()) as (states, ledgers):
        await states.until("online")
        await asyncio.to_thread(gone, rig)
        left_s = perf_counter()
        lost = await states.until("offline")
        assert perf_counter() - left_s < GONE_S
        assert "ended: unplugged, or its sound server has gone" in lost.why
        await asyncio.to_thread(SoundRig.start if gone is SoundRig.kill else SoundRig.load, rig)
        back_s = perf_counter()
        assert (await states.until("online")).restarts > 0
        assert perf_counter() - back_s < 5.0
    account = ledgers.totals["mic"]
    assert account.produced == account.delivered + sum(account.dropped.values())


async def test_a_server_that_freezes_for_a_moment_and_for_good(rig: SoundRig) -> None:
    async with opened(microphone()) as samples:
        await blocks_of(samples, 0.5)
        rig.freeze()
        asyncio.get_running_loop().call_later(0.6, rig.thaw)
        found = await blocks_of(samples, 1)
        # What it kept meanwhile came after, and in its place.
        assert gaps_ns(found) == [0.0] * (len(found) - 1)
        assert dict(samples.accounts["mic"].dropped) == {}
        rig.freeze()
        frozen_s = perf_counter()
        with pytest.raises(SourceStalled, match=r"mic: no sample for 1\.5 s since the last"):
            await blocks_of(samples, 60)
        assert 1.0 < perf_counter() - frozen_s < 3.0
        closing_s = perf_counter()
    # Its library hangs in closing, too.
    assert perf_counter() - closing_s < 2.0
    assert children_of("mic") == []
    rig.thaw()
    assert len(await part_of(microphone())) == PART


async def test_a_source_that_is_suspended_for_a_moment_and_for_good(rig: SoundRig) -> None:
    """The server tells of no overflow: sound goes on later as if nothing had been."""
    async with opened(microphone(patience={"stall_s": 3})) as samples:
        await blocks_of(samples, 0.5)
        suspended_s = perf_counter()
        await asyncio.to_thread(rig.suspend)
        reading = asyncio.create_task(blocks_of(samples, 1))
        await asyncio.sleep(0.8)
        resuming_s = perf_counter()
        await asyncio.to_thread(rig.resume)
        resumed_s = perf_counter()
        found = await reading
        (gap_ns,) = [gap for gap in gaps_ns(found) if gap]
        assert resuming_s - suspended_s - 0.4 < gap_ns / 1e9 < resumed_s - suspended_s + 0.4
        dropped = samples.accounts["mic"].dropped
        assert set(dropped) == {"gap"}
        assert dropped["gap"] == pytest.approx(gap_ns / 1e9 * 25, abs=2)
        await asyncio.to_thread(rig.suspend)
        with pytest.raises(SourceStalled, match=r"mic: no sample for 3 s since the last"):
            await blocks_of(samples, 60)


async def test_silence_is_said_and_taken_back(rig: SoundRig) -> None:
    async with opened(microphone(patience=Patience(repeat_s=1.0))) as samples:
        await blocks_of(samples, 0.5)
        await asyncio.to_thread(rig.quiet)
        said = await condition_of(samples)
        assert (said.state, said.why) == ("stalled", "silent: nothing but zeros for 1 s")
        await asyncio.to_thread(rig.tone, 440.0)
        assert (await condition_of(samples)).state == "online"


async def condition_of(samples: Isolated) -> Condition:
    async for item in samples:
        if isinstance(item, Condition):
            return item
    raise AssertionError("it ended by itself")


async def test_blocks_that_find_no_room_are_an_overflow(rig: SoundRig) -> None:
    """A process that does not come round: the callback waits for nobody."""
    del rig
    code = """
import time
from sources.portaudio import Recorder, inputs, library, named
library = library()
recorder = Recorder(library, named("mic", inputs(library)), 2, 48000, waiting=5)
time.sleep(1)
print([recorder.next().overflow for _ in range(8)])
recorder.close()
"""
    said = await python(code)
    assert said.strip() == str([False] * 5 + [True, False, False])


class States:
    """What a supervisor says of the one stream."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[SourceStatus] = asyncio.Queue()

    async def report(self, status: SourceStatus) -> None:
        await self._said.put(status)

    async def until(self, state: str) -> SourceStatus:
        async with asyncio.timeout(DEADLINE_S):
            while (status := await self._said.get()).state != state:
                pass
        return status


@asynccontextmanager
async def supervision(source: Microphone) -> AsyncGenerator[tuple[States, Ledgers], None]:
    states, ledgers = States(), Ledgers()

    async def run() -> None:
        async with aclosing(
            supervised(source, SystemClock(), states.report, ledgers=ledgers)
        ) as samples:
            async for _ in samples:
                pass

    running = asyncio.create_task(run())
    try:
        yield states, ledgers
    finally:
        running.cancel()
        await asyncio.wait([running])
