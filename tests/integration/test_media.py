"""Real media files, held against what the ffmpeg programs make of them."""

import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sources.media.source import Media, MediaStreams
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, pixels
from tests import telemetry
from tests.needs import program, shared
from tests.reading import of, read

START_NS = 1_700_000_000 * NS_PER_S
EVERYTHING = MediaStreams(vision="camera", audio="mic", imu="imu")


def run(name: str, *arguments: str | Path) -> bytes:
    command = [program(name), "-v", "error", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def stamps_by_ffprobe(path: Path, track: str) -> list[int]:
    """Start of every decoded frame, in nanoseconds from the start of the file."""
    entries = "stream=time_base:frame=pts"
    out = run("ffprobe", "-select_streams", track, "-show_entries", entries, "-of", "flat", path)
    fields = dict(line.split("=", 1) for line in out.decode().split())
    time_base = Fraction(fields.pop("streams.stream.0.time_base").strip('"'))
    stamps = [Fraction(int(pts)) * time_base for key, pts in fields.items() if key.endswith(".pts")]
    return [t.numerator * NS_PER_S // t.denominator for t in stamps]


@pytest.mark.parametrize(
    ("name", "track", "index"),
    [
        ("gopro_karma.mp4", "v:0", None),
        ("pe_dog.mp4", "v:0", None),
        ("lerobot_umi_cup_in_the_wild_ep0.mp4", "v:0", None),
        ("torchcodec_nasa_13013.mp4", "v:1", None),  # the larger of two is the best
        ("torchcodec_nasa_13013.mp4", "v:0", 0),
    ],
)
def test_every_frame_has_the_stamp_and_the_pixels_that_ffmpeg_gives(
    name: str, track: str, index: int | None
) -> None:
    path = shared(f"recordings/video/{name}")
    streams = MediaStreams(vision="camera")
    samples = read(Media(path=path, streams=streams, video_track=index, start=START_NS))

    assert [s.t_ns - START_NS for s in samples] == stamps_by_ffprobe(path, track)
    # Every 40th frame: whole videos of raw pixels are gigabytes.
    picked = samples[::40]
    height, width, _ = pixels(picked[0]).shape
    raw = run("ffmpeg", "-i", path, "-map", f"0:{track}", "-vf", "select=not(mod(n\\,40))",
              "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")  # fmt: skip
    expected = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    assert len(expected) == len(picked)
    for sample, frame in zip(picked, expected, strict=True):
        # Versions of libswscale may round differently, by a level.
        assert np.abs(pixels(sample).astype(int) - frame).max() <= 1


@pytest.mark.parametrize(
    ("name", "track", "index"),
    [
        ("video/gopro_karma.mp4", "a:0", None),
        ("video/torchcodec_nasa_13013.mp4", "a:1", None),  # the one that belongs to the best video
        ("video/torchcodec_nasa_13013.mp4", "a:0", 0),
        ("imagebind/dog_audio.wav", "a:0", None),
        ("audio_freesound/snoring.wav", "a:0", None),
    ],
)
def test_sound_is_the_first_channel_as_ffmpeg_decodes_it(
    name: str, track: str, index: int | None
) -> None:
    path = shared(f"recordings/{name}")
    streams = MediaStreams(audio="mic")
    samples = read(Media(path=path, streams=streams, audio_track=index, start=START_NS))

    blocks = [s.data for s in samples if isinstance(s.data, AudioBlock)]
    got = np.concatenate([block.samples for block in blocks])
    raw = run("ffmpeg", "-i", path, "-map", f"0:{track}", "-af", "pan=mono|c0=c0",
              "-f", "f32le", "-")  # fmt: skip
    expected = np.frombuffer(raw, np.float32)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-5

    # Stamps agree with the program's (which may cut plain PCM into other blocks), and blocks tile
    # without a nanosecond between them.
    theirs = set(stamps_by_ffprobe(path, track))
    assert all(theirs & {t - 1, t, t + 1} for t in (s.t_ns - START_NS for s in samples))
    assert all(a.end_ns == b.t_ns for a, b in pairwise(samples))
    total_ns = samples[-1].end_ns - samples[0].t_ns
    assert total_ns == round(Fraction(len(got) * NS_PER_S, blocks[0].rate_hz))


def test_telemetry_equals_an_independent_dump() -> None:
    path = shared("recordings/video/gopro_karma.mp4")
    samples = read(Media(path=path, streams=MediaStreams(imu="imu"), start=START_NS))

    accl, gyro = telemetry.dump(path, program("ffmpeg"), program("ffprobe"))
    seconds, rows = telemetry.six_axes(accl, gyro)
    blocks = [s.data for s in samples if isinstance(s.data, ImuBlock)]
    t_ns = np.concatenate([b.t_ns for b in blocks]) - START_NS
    values = np.concatenate([b.values for b in blocks])
    assert values.dtype == np.float32
    assert len(t_ns) == len(gyro.seconds) == 4795
    # The last payload, 28 readings, is paced by the one before it; rounding adds up there.
    assert np.abs(t_ns - [float(t) * NS_PER_S for t in seconds]).max() < 50
    np.testing.assert_allclose(values, rows, rtol=1e-6, atol=1e-5)
    assert all(a.end_ns == b.t_ns for a, b in pairwise(samples))
    # A drone in the air: on average it is held up against gravity.
    np.testing.assert_allclose(values[:, :3].mean(axis=0), [0, 0, 9.8], atol=0.3)


def test_three_streams_come_in_order_of_time() -> None:
    path = shared("recordings/video/gopro_karma.mp4")
    samples = read(Media(path=path, streams=EVERYTHING, start=START_NS))

    assert [s.t_ns for s in samples] == sorted(s.t_ns for s in samples)
    assert len(of(samples, "vision")) == 362
    assert len(of(samples, "audio")) == 566
    assert {s.stream for s in samples} == {"camera", "mic", "imu"}
    ends_s = [of(samples, m)[-1].end_ns - START_NS for m in ("vision", "audio", "imu")]
    np.testing.assert_allclose(np.array(ends_s) / NS_PER_S, 12.08, atol=0.01)


def test_the_date_in_the_file_is_used_on_request() -> None:
    path = shared("recordings/video/gopro_karma.mp4")
    streams = MediaStreams(audio="mic")
    samples = read(Media(path=path, streams=streams, start="file"))

    assert samples[0].t_ns == 1_492_457_277 * NS_PER_S  # 2017-04-17T19:27:57Z
