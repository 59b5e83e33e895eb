"""Video of a log: every frame decodes, asked in any order, from its key frame on."""

import random
import subprocess
import threading
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sources.recording.film import Film
from sources.recording.keyframes import kind
from sources.recording.pictures import Kept
from sources.recording.video import VideoFrame, VideoStream
from streamer.errors import SourceLost
from streamer.types import NS_PER_S, Sample
from tests.needs import program

HZ = 30


def scene(number: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """A disc on a slope of colours that moves a little each frame: no two are alike."""
    y, x = np.mgrid[:height, :width]
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0], picture[..., 1] = x * 2 % 256, y * 3
    picture[..., 2] = 40 + number % 150
    middle = (number * 2) % width
    picture[(x - middle) ** 2 + (y - height // 2) ** 2 < 150] = (230, 220, 200)
    return picture


def taken(number: int, picture: NDArray[np.uint8], hz: int = HZ) -> Sample:
    t_ns, end_ns = (n * NS_PER_S // hz for n in (number, number + 1))
    return Sample("camera", "vision", t_ns, end_ns - t_ns, picture)


def filmed(count: int, hz: int = HZ) -> list[VideoFrame]:
    film = Film(quality=90)
    return [film.frame(taken(n, scene(n), hz)) for n in range(count)]


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def keys(frames: list[VideoFrame]) -> list[int]:
    return [n for n, frame in enumerate(frames) if kind("h264", frame.payload) == "key"]


def test_three_hundred_frames_come_back_in_any_order() -> None:
    # 0  1  2 ... 299    recorded        284  3  171 ...    asked, as a shuffle has it
    frames = filmed(300)
    order = list(range(300))
    random.Random(6).shuffle(order)  # noqa: S311
    for number in order:
        assert psnr_db(frames[number].array(), scene(number)) > 30, number


def test_what_is_read_is_what_was_recorded() -> None:
    made = filmed(90)
    stream = VideoStream("h264")
    for frame in made:
        again = stream.frame(frame.payload)
        assert again is not None
        assert isinstance(again, Kept)
        assert again.digest() == frame.digest()
        assert (again.array() == frame.array()).all()


@pytest.mark.parametrize("hz", [1, 7, 30, 100])
def test_no_frame_is_further_than_a_second_from_its_key_frame(hz: int) -> None:
    frames = filmed(3 * hz + 1, hz)
    found = keys(frames)
    assert found[0] == 0
    for before, after in zip(found, [*found[1:], len(frames)], strict=True):
        # The last frame before a key frame still stands for its own period.
        assert (after - before) / hz <= 1


def test_stamps_out_of_order_change_no_picture() -> None:
    film = Film(quality=90)
    numbers = [0, 1, 3, 2, 4, 6, 5]
    for n in numbers:
        assert psnr_db(film.frame(taken(n, scene(n))).array(), scene(n)) > 30


def test_another_size_begins_anew() -> None:
    film = Film(quality=90)
    sizes = [(96, 64)] * 3 + [(64, 48)] * 3
    frames = [film.frame(taken(n, scene(n, *size))) for n, size in enumerate(sizes)]
    assert keys(frames) == [0, 3]
    assert [frame.array().shape for frame in frames] == [(64, 96, 3)] * 3 + [(48, 64, 3)] * 3


def test_an_odd_size_gains_a_row_and_a_column() -> None:
    picture = scene(0, 95, 63)
    found = Film(quality=90).frame(taken(0, picture)).array()
    assert found.shape == (64, 96, 3)
    assert psnr_db(found[:63, :95], picture) > 30


def test_a_file_that_begins_inside_a_group_begins_with_a_key_frame() -> None:
    """Video of one log recorded into another: its own bytes as soon as they can be decoded."""
    # key . . . | . . . key . .      frames 20..29 need 0..19, which the new file has not
    before = filmed(40)
    film = Film(quality=90)
    after = [film.frame(taken(20 + n, before[20 + n])) for n in range(20)]  # type: ignore[arg-type]
    assert keys(after) == [0, 10]
    stream = VideoStream("h264")
    for n, frame in enumerate(after):
        assert (frame.payload == before[20 + n].payload) is (n >= 10)
        again = stream.frame(frame.payload)
        assert again is not None
        assert psnr_db(again.array(), scene(20 + n)) > 30


def test_frames_without_their_key_frame_are_given_to_nobody() -> None:
    frames = filmed(40)
    stream = VideoStream("h264")
    assert [stream.frame(f.payload) is None for f in frames[25:35]] == [True] * 5 + [False] * 5
    stream.gap()
    assert stream.frame(frames[36].payload) is None


def test_parameters_alone_are_no_frame_but_kept_for_it() -> None:
    """Some cameras send them in a message of their own."""
    first, second = filmed(2)
    at = first.payload.index(b"\0\0\1\x65")
    stream = VideoStream("h264")
    assert stream.frame(first.payload[:at]) is None
    parts = [stream.frame(first.payload[at:]), stream.frame(second.payload)]
    for n, frame in enumerate(parts):
        assert frame is not None
        assert psnr_db(frame.array(), scene(n)) > 30


def test_damage_is_told_by_the_frame_that_has_it() -> None:
    stream = VideoStream("h264")
    frames = [stream.frame(f.payload) for f in filmed(3)]
    broken = stream.frame(b"\0\0\0\1\x41" + bytes(50))
    assert broken is not None
    with pytest.raises(SourceLost, match="h264"):
        broken.array()
    assert frames[2] is not None
    assert psnr_db(frames[2].array(), scene(2)) > 30


def test_two_threads_may_ask_while_a_third_reads() -> None:
    made = filmed(120)
    stream, read = VideoStream("h264"), list[VideoFrame]()
    wrong: list[int] = []
    some = threading.Condition()

    def there(number: int) -> bool:
        return len(read) > number

    def ask(step: int) -> None:
        for n in range(0, 120, step):
            with some:
                assert some.wait_for(partial(there, n), 60)
            if psnr_db(read[n].array(), scene(n)) <= 30:
                wrong.append(n)

    threads = [threading.Thread(target=ask, args=(step,)) for step in (3, 4)]
    for thread in threads:
        thread.start()
    for frame in made:
        again = stream.frame(frame.payload)
        assert again is not None
        with some:
            read.append(again)
            some.notify_all()
    for thread in threads:
        thread.join(60)
    assert not wrong


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("h264", "h264", "-c:v libx264 -bf 3 -preset ultrafast"),
        ("h265", "hevc", "-c:v libx265 -preset ultrafast -x265-params log-level=none:open-gop=0"),
        ("vp9", "ivf", "-c:v libvpx-vp9 -lag-in-frames 0 -deadline realtime -cpu-used 8"),
        ("av1", "ivf", "-c:v libaom-av1 -lag-in-frames 0 -usage realtime -cpu-used 8"),
    ],
)
def test_formats_that_others_record(
    codec: str, container: str, options: str, tmp_path: Path
) -> None:
    """Also with frames out of order, which the format forbids and which happens."""
    payloads = encoded(tmp_path / f"video.{container}", container, options.split(), 24)
    stream = VideoStream(codec)
    assert kind(codec, payloads[0]) == "key"
    frames = [stream.frame(payload) for payload in payloads]
    shown = [frame.array() for frame in frames if frame is not None]
    best = [max(range(24), key=partial(likeness, found)) for found in shown]
    assert sorted(best) == list(range(24))


def likeness(found: NDArray[np.uint8], number: int) -> float:
    return psnr_db(found, scene(number))


def encoded(path: Path, container: str, options: list[str], count: int) -> list[bytes]:
    """Packets in the order in which they were encoded, by a program of its own."""
    size = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-r", str(HZ), "-i", "-"]
    wanted = [*options, "-pix_fmt", "yuv420p", "-b:v", "2M", "-g", "12", "-f", container]
    subprocess.run(
        [program("ffmpeg"), "-loglevel", "error", *size, *wanted, str(path)],
        input=b"".join(scene(n).tobytes() for n in range(count)),
        check=True,
        timeout=100,
    )
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.size]


def test_a_format_that_nobody_decodes_is_named() -> None:
    with pytest.raises(ValueError, match="h264, h265, vp9, av1, got 'mjpeg'"):
        VideoStream("mjpeg")


@pytest.mark.parametrize("codec", ["h264", "h265", "vp9", "av1"])
def test_any_bytes_have_a_kind(codec: str) -> None:
    rng = random.Random(codec)  # noqa: S311
    for size in [0, 1, 2, 3, 4, 5, 8, 20, 300] * 20:
        assert kind(codec, rng.randbytes(size)) in ("key", "delta", "parameters")
        assert kind(codec, b"\0\0\1" + rng.randbytes(size)) in ("key", "delta", "parameters")
