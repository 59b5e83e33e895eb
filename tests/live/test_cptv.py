"""Recordings of a real Lepton, played live through a process of their own."""

import asyncio
import gzip
import os
import signal
import struct
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.scaled import Scaled
from sources.thermal.cptv import Cptv
from sources.thermal.recording import MOST_PIXELS, opened
from streamer.clock import SystemClock
from streamer.errors import SourceLost
from streamer.types import HOST_CLOCK, Condition, Sample, pixels
from tests.cptvfiles import START, Section, as_the_library_reads, packed, recording, sections, short
from tests.puppet import children_of
from tests.watching import watching

STEP_MS = 60


def cptv(path: Path, **fields: Any) -> Cptv:
    tree = {"path": path, "stream": "heat", "unit": "centikelvin", **fields}
    return Cptv.model_validate(tree)


def play(source: Cptv, most: int | None = None) -> list[Sample | Condition]:
    """What comes, to the end or until `most` items came; then the accounts add up."""

    async def run() -> list[Sample | Condition]:
        items: list[Sample | Condition] = []
        async with source.open(SystemClock()) as heard:
            async for item in heard:
                items.append(item)
                if len(items) == most:
                    break
        account = heard.accounts[source.stream]
        samples = [item for item in items if isinstance(item, Sample)]
        assert account.delivered == len(samples)
        assert account.produced == account.delivered + sum(account.dropped.values())
        return items

    return asyncio.run(run())


def samples_of(source: Cptv, most: int | None = None) -> list[Sample]:
    return [item for item in play(source, most) if isinstance(item, Sample)]


@pytest.fixture
def excerpt(tmp_path: Path) -> Path:
    """25 frames of the empty scene, 60 ms apart."""
    path = tmp_path / "excerpt.cptv"
    path.write_bytes(packed(short("background", 25, STEP_MS)))
    return path


def test_a_real_recording_comes_out_as_it_went_in(excerpt: Path) -> None:
    expected = as_the_library_reads(excerpt)
    original = as_the_library_reads(recording("background"))[:25]
    samples = samples_of(cptv(excerpt))

    assert len(samples) == len(expected) == 25
    for sample, raw, same in zip(samples, expected, original, strict=True):
        assert isinstance(sample.data, Scaled)
        assert sample.data.stored.dtype == np.uint16  # 16 bits to the end
        np.testing.assert_array_equal(sample.data.stored, raw)
        np.testing.assert_array_equal(raw, same)
        celsius = pixels(sample)
        assert celsius.dtype == np.float32
        np.testing.assert_array_equal(celsius, (raw * 0.01 - 273.15).astype(np.float32))
    assert {(s.stream, s.modality, s.clock) for s in samples} == {("heat", "thermal", HOST_CLOCK)}


def test_it_keeps_the_pace_of_the_recording_and_stamps_when_it_is_played() -> None:
    before_ns = SystemClock().now_ns()
    samples = samples_of(cptv(recording("background")), most=21)
    after_ns = SystemClock().now_ns()

    stamps = [s.t_ns for s in samples]
    # 8.77 Hz: not the 9 that the file declares, and not the 2.5 hours between its first two stamps.
    assert [s.duration_ns for s in samples[1:]] == pytest.approx([114_000_000] * 20, abs=1_000_001)
    assert all(early < late for early, late in pairwise(stamps))
    assert before_ns - 5_000_000 <= stamps[0] < stamps[-1] <= after_ns + 5_000_000
    mean_ms = (stamps[-1] - stamps[0]) / 20 / 1e6
    assert 0.97 * 114 <= mean_ms < 3 * 114


def test_the_end_is_the_end(excerpt: Path) -> None:
    async def run() -> list[str]:
        async with watching(cptv(excerpt)) as watched:
            await watched.until(lambda: bool(watched.states) and watched.states[-1].why == "ended")
            assert len(watched.samples) == 25
            account = watched.ledgers.totals["heat"]
            assert account.produced == account.delivered == 25
            return [status.state for status in watched.states]

    assert asyncio.run(run()) == ["online", "offline"]


def test_a_loop_goes_on_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "excerpt.cptv"
    path.write_bytes(packed(short("background", 5, STEP_MS)))
    samples = samples_of(cptv(path, loop=True), most=23)

    expected = as_the_library_reads(path)
    for number, sample in enumerate(samples):
        assert isinstance(sample.data, Scaled)
        np.testing.assert_array_equal(sample.data.stored, expected[number % 5])
    assert all(early.t_ns < late.t_ns for early, late in pairwise(samples))


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSTOP])
def test_it_comes_back_after_its_process_was_killed_or_froze(
    excerpt: Path, signal_number: signal.Signals
) -> None:
    async def run() -> None:
        async with watching(cptv(excerpt, loop=True)) as watched:
            await watched.until(lambda: len(watched.samples) >= 3)
            (child,) = children_of("heat")
            os.kill(child.pid, signal_number)
            await watched.until(lambda: any(s.restarts == 1 for s in watched.states))
            seen = len(watched.samples)
            await watched.until(lambda: len(watched.samples) >= seen + 3)
            (other,) = children_of("heat")
            assert other.pid != child.pid
            account = watched.ledgers.totals["heat"]
            assert account.produced == account.delivered + sum(account.dropped.values())
        said = [(s.state, s.why) for s in watched.states]
        if signal_number == signal.SIGKILL:
            assert said[1] == ("offline", "heat: its process ended with SIGKILL")
        else:
            assert said[1] == ("stalled", "heat: no sample for 1.5 s since the last")
        assert said[0] == said[2] == ("online", "")
        assert children_of("heat") == []

    asyncio.run(run())


def test_uncalibrated_counts_become_brightness_with_a_level_that_is_published() -> None:
    source = cptv(recording("possum"), unit="counts", level={"kind": "slow"})
    items = play(source, most=11)

    samples = [item for item in items if isinstance(item, Sample)]
    (level,) = (item for item in items if isinstance(item, Condition))
    assert (level.stream, level.state) == ("heat", "online")
    first = samples[0].data
    assert isinstance(first, Scaled)
    assert first.stored.dtype == np.uint16  # brightness is made later: a recorder keeps counts
    black, white = -first.offset / first.scale, (255 - first.offset) / first.scale
    assert level.why == f"black {black:.5g}, white {white:.5g} counts"
    assert 2000 < black < white < 2900
    for sample, raw in zip(samples, as_the_library_reads(recording("possum")), strict=False):
        grey = pixels(sample)
        assert grey.dtype == np.uint8
        assert grey.shape == (120, 160)
        # Hotter is never darker.
        assert np.all(np.diff(grey.ravel()[np.argsort(raw, axis=None)].astype(int)) >= 0)
        assert grey.std() > 20


def test_the_level_is_on_the_state_of_the_stream(excerpt: Path) -> None:
    source = cptv(excerpt, level={"kind": "fixed", "black": 10, "white": 20})

    async def run() -> list[str]:
        async with watching(source) as watched:
            await watched.until(lambda: len(watched.states) >= 2)
            return [f"{s.state} {s.why}".strip() for s in watched.states[:2]]

    assert asyncio.run(run()) == ["online", "online black 10, white 20 degrees Celsius"]


def test_degrees_on_a_fixed_level_are_brightness(excerpt: Path) -> None:
    source = cptv(excerpt, level={"kind": "fixed", "black": 10, "white": 20})
    samples = samples_of(source, most=3)
    raw = as_the_library_reads(excerpt)[0]
    expected = np.rint(np.clip((raw * 0.01 - 273.15 - 10) * 25.5, 0, 255))
    assert np.abs(pixels(samples[0]).astype(int) - expected).max() <= 1


def test_a_unit_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "counts.cptv"
    path.write_bytes(packed(short("possum", 12, STEP_MS)))
    with pytest.raises(SourceLost, match=r"heat: .* by centikelvin; it could be counts") as error:
        play(cptv(path))
    assert "\n" not in str(error.value)


def test_closing_ends_its_process_at_once(excerpt: Path) -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        async with cptv(excerpt, loop=True).open(SystemClock()) as samples:
            await anext(samples)
            closing = loop.time()
        return loop.time() - closing

    # It takes TERM in the middle of a wait for the next frame: nobody has to kill it.
    assert asyncio.run(run()) < 1
    assert children_of("heat") == []


# What is wrong with a file.


def read(path: Path) -> int:
    """The number of frames, read here: a process for each would take too long."""
    with opened(path) as file:
        return sum(1 for _ in file)


def test_a_recording_that_is_cut_off_plays_to_the_cut_and_says_so(excerpt: Path) -> None:
    whole = excerpt.read_bytes()
    excerpt.write_bytes(whole[: len(whole) // 2])

    samples: list[Sample | Condition] = []

    async def run() -> None:
        async with cptv(excerpt).open(SystemClock()) as heard:
            async for sample in heard:
                samples.append(sample)  # noqa: PERF401 - those before the error count

    with pytest.raises(SourceLost) as error:
        asyncio.run(run())
    assert 3 < len(samples) < 25
    why = "not a CPTV recording, or damaged (it ends in the middle)"
    assert str(error.value) == f"{excerpt}: {why}"


def header(width: int, height: int, *others: tuple[bytes, bytes]) -> Section:
    fields = [
        (b"T", bytes(8)),
        (b"C", b"\x01"),
        (b"X", struct.pack("<I", width)),
        (b"Y", struct.pack("<I", height)),
        *others,
    ]
    return Section(b"H", fields)


def frame(size: int, bits: int, body: bytes) -> Section:
    return Section(b"F", [(b"w", bytes([bits])), (b"f", struct.pack("<I", size))], body)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "damaged"),
        (b"CPTV\x02", r"Not a gzipped file"),
        (gzip.compress(b""), "magic not found"),
        (gzip.compress(b"MPEG\x02"), "magic not found"),
        (gzip.compress(b"CPTV\x09"), "unsupported version"),
        (gzip.compress(START), "damaged"),
        (gzip.compress(START + b"F\x00"), "header not found"),
        (gzip.compress(START + b"H\x00"), "damaged"),
        # Claims of sizes: nothing of them is allocated.
        (packed([header(1 << 31, 1 << 31)]), f"up to {MOST_PIXELS} pixels"),
        (packed([header(0, 120)]), f"up to {MOST_PIXELS} pixels"),
        (packed([header(4, 4), frame(1 << 31, 8, b"")]), "a frame of 2147483648 bytes"),
        (packed([header(4, 4), frame(19, 8, bytes(7))]), "ends in the middle"),
        (packed([header(4, 4), frame(19, 8, b"")]), "damaged"),
        (packed([header(4, 4), frame(3, 8, bytes(3))]), "damaged"),
        (packed([header(4, 4), frame(9, 16, bytes(9))]), "damaged"),
        (packed([header(4, 4), frame(19, 0, bytes(19))]), "damaged"),
        (packed([header(4, 4), frame(19, 255, bytes(19))]), "damaged"),
        (packed([header(4, 4), Section(b"Q", [])]), "unexpected section"),
    ],
    # Gzip holds the time of packing, and a test has one name.
    ids=[
        "empty",
        "not gzip",
        "gzip of nothing",
        "another magic",
        "another version",
        "no section",
        "no header",
        "an empty header",
        "sides of 2^31",
        "no width",
        "a frame of 2^31 bytes",
        "a frame that is cut",
        "a frame of nothing",
        "a frame too short",
        "a frame of half a number",
        "0 bits",
        "255 bits",
        "another section",
    ],
)
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "damaged.cptv"
    path.write_bytes(data)
    with pytest.raises(SourceLost, match=why) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.cptv"
    # 64 MB of one frame in 64 kB.
    path.write_bytes(packed([header(16, 16), frame(1 << 26, 8, bytes(1 << 26))]))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(SourceLost, match="a frame of 67108864 bytes, 772 are the most"):
        read(path)


def test_a_good_small_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "small.cptv"
    path.write_bytes(packed([header(4, 4), frame(19, 8, struct.pack("<i", 300) + bytes(15))]))
    with opened(path) as file:
        (got,) = file
    np.testing.assert_array_equal(got.raw, np.full((4, 4), 300))
    assert got.step_ns == 1_000_000_000 // 9


def test_a_file_without_frames_is_no_endless_loop(tmp_path: Path) -> None:
    path = tmp_path / "empty.cptv"
    path.write_bytes(packed(short("background", 0, STEP_MS)))
    with pytest.raises(SourceLost, match="expected frames, there are none"):
        play(cptv(path, loop=True))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match=r"nowhere\.cptv: cannot be read \(No such file"):
        play(cptv(tmp_path / "nowhere.cptv"))
    with pytest.raises(SourceLost, match="cannot be read"):
        play(cptv(tmp_path))


def test_a_missing_library_is_told(excerpt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cptv", None)
    with pytest.raises(SourceLost, match=r"needs cptv: .*imagebind-streamer\[thermal-files\]"):
        read(excerpt)


def test_holes_and_clocks_that_were_set_are_no_waits(tmp_path: Path) -> None:
    parts = short("background", 6, STEP_MS)
    for part, t_ms in zip(parts[2:], (5000, 5060, 9_000_000, 9_000_060, 100, 160), strict=True):
        part.fields = [(k, struct.pack("<I", t_ms) if k == b"t" else v) for k, v in part.fields]
    path = tmp_path / "set.cptv"
    path.write_bytes(packed(parts))
    with opened(path) as file:
        steps_ms = [round(frame.step_ns / 1e6) for frame in file]
    assert steps_ms == [111, 60, 111, 60, 111, 60]


@pytest.fixture(scope="module")
def few() -> bytes:
    return packed(short("background", 3, STEP_MS))


@pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_byte_may_be_wrong(few: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """Never anything but frames and `SourceLost`: in the packed file, and in what is packed."""
    inside = data.draw(st.booleans())
    body = bytearray(gzip.decompress(few) if inside else few)
    # Most of the file is pixels; half of the wrong bytes go where the claims are.
    at = data.draw(st.one_of(st.integers(0, 300), st.integers(0, len(body) - 1)))
    body[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.cptv"
    path.write_bytes(gzip.compress(bytes(body), 1) if inside else bytes(body))
    with suppress(SourceLost):
        assert read(path) <= 4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("background", 170), ("possum", 160)])
def test_a_whole_real_recording_comes_out_as_it_went_in(name: str, count: int) -> None:
    expected = as_the_library_reads(recording(name))
    level = None if name == "background" else {"kind": "slow"}
    unit = "centikelvin" if name == "background" else "counts"
    samples = samples_of(cptv(recording(name), unit=unit, level=level))
    assert len(samples) == len(expected) == count == len(sections(recording(name))) - 2
    for sample, raw in zip(samples, expected, strict=True):
        assert isinstance(sample.data, Scaled)
        np.testing.assert_array_equal(sample.data.stored, raw)
