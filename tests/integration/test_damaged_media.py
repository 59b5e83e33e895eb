"""Whatever is wrong with a file, the user reads one line that names it."""

import socket
from pathlib import Path

import numpy as np
import pytest

from sources.media.source import Media, MediaStreams
from streamer.errors import SourceLost
from streamer.types import AudioBlock, pixels
from tests.mediafiles import tone, write_audio, write_video
from tests.needs import shared
from tests.reading import read

VISION = MediaStreams(vision="camera")
AUDIO = MediaStreams(audio="mic")


def refusal(path: Path, streams: MediaStreams = VISION) -> str:
    """What the user reads."""
    with pytest.raises(SourceLost) as caught:
        read(Media(path=path, streams=streams))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_not_a_media_file(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(5000))
    # libav would show this as terminal art.
    (tmp_path / "notes.txt").write_text("t,ax,ay\n0,1,2\n" * 50)

    assert refusal(tmp_path / "nowhere.mp4") == "no such file"
    assert refusal(tmp_path) == "a media file was expected, this is a folder"
    assert refusal(tmp_path / "empty.mp4") == "a media file was expected, this is empty"
    assert refusal(tmp_path / "noise.mp4").startswith("not a media file, or damaged")
    assert refusal(tmp_path / "notes.txt") == "not a media file"


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    """A file that was sent to us must not make libav call what it names."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (tmp_path / "list.m3u8").write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n"
            f"http://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n"
        )
        assert refusal(tmp_path / "list.m3u8").startswith(("not a media file", "no video track"))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_no_telemetry_track(tmp_path: Path) -> None:
    write_video(tmp_path / "plain.mkv", [0, 40])

    message = refusal(tmp_path / "plain.mkv", MediaStreams(imu="imu"))

    assert message == "no GoPro telemetry (GPMF) track; the file has video 0 (ffv1 64x48)"


def test_no_date_in_the_file(tmp_path: Path) -> None:
    write_video(tmp_path / "undated.mkv", [0, 40])
    with pytest.raises(SourceLost, match="carries no date"):
        read(Media(path=tmp_path / "undated.mkv", streams=VISION, start="file"))


def test_a_file_cut_short_says_so_after_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    write_video(path, range(0, 4000, 40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert refusal(path).endswith("of the declared 4.00 s: the file is cut short")


def test_damaged_telemetry(tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    data = bytearray(shared("recordings/video/gopro_karma.mp4").read_bytes())
    at = -1
    for _ in range(3):
        at = data.index(b"GYRO", at + 1)
    data[at + 6] = 0xFF  # the number of readings
    path.write_bytes(data)

    message = refusal(path, MediaStreams(imu="imu"))

    assert message.startswith("telemetry at 2.002 s is damaged: GYRO claims")


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "a.wav", "a.mp4", "a.flac"])
def test_any_damage_gives_samples_or_one_line(tmp_path: Path, name: str) -> None:
    """Bytes changed, zeroed and cut off at seeded places."""
    path, streams = tmp_path / name, VISION if name.startswith("v") else AUDIO
    if streams is VISION:
        write_video(path, range(0, 2000, 40), codec="ffv1" if name == "v.mkv" else "mpeg4")
    else:
        codec = {"a.wav": "pcm_s16le", "a.mp4": "aac", "a.flac": "flac"}[name]
        write_audio(path, [(codec, 48_000, [(0, tone(48_000, 48_000, 440))])])
    whole, rng = path.read_bytes(), np.random.default_rng(7)
    outcomes: set[str] = set()
    for _ in range(25):
        length = len(whole) if rng.random() < 0.5 else int(rng.integers(len(whole)))
        data = np.frombuffer(whole, np.uint8)[:length].copy()
        places = rng.integers(max(1, length), size=rng.choice([0, 1, 30]) if length else 0)
        data[places] = rng.integers(256, size=len(places))
        path.write_bytes(data.tobytes())
        outcomes.add(outcome(path, streams))
    assert outcomes <= {"read", "refused"}
    assert "read" in outcomes


def outcome(path: Path, streams: MediaStreams) -> str:
    try:
        samples = read(Media(path=path, streams=streams))
    except SourceLost as error:
        named = str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return "refused" if named else f"unclear: {error}"
    for sample in samples:
        wanted = np.float32 if isinstance(sample.data, AudioBlock) else np.uint8
        got = sample.data.samples if isinstance(sample.data, AudioBlock) else pixels(sample)
        assert got.dtype == wanted
    return "read"
