"""Media files made on the spot, for what the recordings do not show."""

import struct
import subprocess
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sources.epoch import DEFAULT_START, to_ns
from sources.media.source import Media, MediaStreams
from streamer.errors import SourceLost
from streamer.types import NS_PER_S, AudioBlock, Sample, StreamInfo, pixels
from tests.mediafiles import HEIGHT, WIDTH, tone, write_audio, write_video
from tests.needs import program
from tests.reading import read

START_NS = to_ns(DEFAULT_START)
MS = 1_000_000
VISION = MediaStreams(vision="camera")
AUDIO = MediaStreams(audio="mic")


def sound(samples: list[Sample]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([s.data.samples for s in samples if isinstance(s.data, AudioBlock)])


def test_variable_frame_rate_keeps_every_stamp(tmp_path: Path) -> None:
    stamps = [0, 33, 67, 100, 500, 501, 900]
    write_video(tmp_path / "vfr.mkv", stamps)

    samples = read(Media(path=tmp_path / "vfr.mkv", streams=VISION))

    assert [s.t_ns - START_NS for s in samples] == [t * MS for t in stamps]
    levels = [float(pixels(s).mean()) for s in samples]
    assert levels == sorted(levels)
    assert pixels(samples[0]).shape == (HEIGHT, WIDTH, 3)


def test_the_earliest_stamp_falls_on_the_start(tmp_path: Path) -> None:
    """A broadcast recording counts from whenever the transmitter was switched on."""
    write_video(tmp_path / "late.mkv", [70_000, 70_040, 70_080])

    samples = read(Media(path=tmp_path / "late.mkv", streams=VISION))

    assert [s.t_ns - START_NS for s in samples] == [0, 40 * MS, 80 * MS]


def test_stamps_are_exact_integers(tmp_path: Path) -> None:
    base = Fraction(1001, 30_000)
    write_video(tmp_path / "ntsc.mp4", list(range(100)), base, codec="mpeg4")

    samples = read(Media(path=tmp_path / "ntsc.mp4", streams=VISION))

    expected = [n * 1001 * NS_PER_S // 30_000 for n in range(100)]
    assert [s.t_ns - START_NS for s in samples] == expected
    assert all(0 <= b.t_ns - a.end_ns <= 1 for a, b in pairwise(samples))


@pytest.mark.parametrize("suffix", ["wav", "flac", "mka"])
def test_lossless_sound_is_exact(tmp_path: Path, suffix: str) -> None:
    """The left channel, scaled by a power of two, and not one sample more or less."""
    codec = {"wav": "pcm_s16le", "flac": "flac", "mka": "pcm_s16le"}[suffix]
    path, wave = tmp_path / f"tone.{suffix}", tone(44_100 + 17, 44_100, 440)
    write_audio(path, [(codec, 44_100, [(0, wave)])])

    samples = read(Media(path=path, streams=AUDIO))

    np.testing.assert_array_equal(sound(samples), wave / 32768)
    assert samples[0].t_ns == START_NS
    assert all(a.end_ns == b.t_ns for a, b in pairwise(samples))
    assert samples[-1].end_ns - START_NS == round(Fraction(len(wave) * NS_PER_S, 44_100))


def test_a_hole_in_the_sound_stays_a_hole(tmp_path: Path) -> None:
    """
    sound   [1 s)      [1 s)        the container counts milliseconds, so stamps between blocks
    t       0    1     2.5   3.5    are off by up to half a one; that is no hole
    """
    path = tmp_path / "gap.mka"
    parts = [(k * 441, tone(441, 44_100, 440)) for k in range(100)]
    parts += [(110_250 + k * 441, tone(441, 44_100, 880)) for k in range(100)]
    write_audio(path, [("pcm_s16le", 44_100, parts)])

    samples = read(Media(path=path, streams=AUDIO))

    holes = [(a.end_ns, b.t_ns) for a, b in pairwise(samples) if a.end_ns != b.t_ns]
    assert [((a - START_NS) / NS_PER_S, (b - START_NS) / NS_PER_S) for a, b in holes] == [(1, 2.5)]
    assert len(sound(samples)) == 88_200


def test_compressed_sound_starts_and_ends_where_it_should(tmp_path: Path) -> None:
    """AAC begins with 1024 samples of priming, which the edit list takes away again."""
    wave = tone(48_000, 48_000, 440)
    path = tmp_path / "primed.mp4"
    write_audio(path, [("aac", 48_000, [(0, wave)])])

    samples = read(Media(path=path, streams=AUDIO))
    got = sound(samples)

    assert samples[0].t_ns == START_NS
    # The peak of the correlation with the original lies at no shift.
    middle = wave[20_000:28_000] / 32768
    shifts = range(-1100, 1101)
    scores = [float(np.dot(middle, got[20_000 + k : 28_000 + k])) for k in shifts]
    period = 48_000 / 440
    best = shifts[int(np.argmax(scores))]
    assert abs(best - period * round(best / period)) <= 1
    assert abs(len(got) - len(wave)) <= 1024


def test_tracks_are_chosen_by_number(tmp_path: Path) -> None:
    path = tmp_path / "two.mka"
    low, high = tone(8000, 8000, 220), tone(8000, 8000, 440)
    write_audio(path, [("pcm_s16le", 8000, [(0, low)]), ("pcm_s16le", 8000, [(0, high)])])

    for index, wave in ((0, low), (1, high)):
        samples = read(Media(path=path, streams=AUDIO, audio_track=index))
        np.testing.assert_array_equal(sound(samples), wave / 32768)
    with pytest.raises(SourceLost, match=r"no audio track 2; the file has audio 0 .*, audio 1"):
        read(Media(path=path, streams=AUDIO, audio_track=2))
    with pytest.raises(SourceLost, match="no video track; the file has audio 0"):
        read(Media(path=path, streams=VISION))


# Columns of the matrix that a file's header gives for a shown picture: a b . c d .
TURNS = {"90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0), "mirror": (-1, 0, 0, 1)}


@pytest.mark.parametrize("turn", TURNS)
def test_pictures_are_shown_upright(tmp_path: Path, turn: str) -> None:
    """Phones store the sensor's picture and say how it was held; ffmpeg turns it, and so do we."""
    path = tmp_path / "turned.mp4"
    write_video(path, [0, 40], codec="mpeg4", corner=True)
    data = bytearray(path.read_bytes())
    identity = struct.pack(">5i", 1 << 16, 0, 0, 0, 1 << 16)
    at = data.index(identity, data.index(b"tkhd"))
    a, b, c, d = (number << 16 for number in TURNS[turn])
    data[at : at + 20] = struct.pack(">5i", a, b, 0, c, d)
    path.write_bytes(data)

    samples = read(Media(path=path, streams=VISION))

    got = pixels(samples[0])
    command = [program("ffmpeg"), "-v", "error", "-i", str(path), "-frames:v", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    assert np.abs(got.astype(int) - np.frombuffer(raw, np.uint8).reshape(got.shape)).max() <= 1


def test_streams_are_known_without_a_file() -> None:
    streams = MediaStreams(imu="imu", vision="camera")
    source = Media(path=Path("nowhere.mp4"), streams=streams)

    assert source.streams == (StreamInfo("camera", "vision"), StreamInfo("imu", "imu"))
    assert not source.live


def test_start_is_a_date_or_nanoseconds() -> None:
    assert to_ns(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)) == 1_767_323_045_678_901_000
    config = {"path": "x", "streams": {"audio": "mic"}, "start": "2026-01-02T03:04:05Z"}
    assert Media.model_validate(config).start == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert Media.model_validate(config | {"start": 17}).start == 17
    with pytest.raises(ValueError, match="date with its time zone"):
        Media.model_validate(config | {"start": datetime(2026, 1, 2)})  # noqa: DTZ001
