"""What a file holds, found without a configuration."""

import subprocess
from pathlib import Path

import pytest

from sources.media.probe import probe
from streamer.errors import SourceLost
from tests.mediafiles import tone, write_audio, write_video
from tests.needs import program, shared


def test_recordings() -> None:
    gopro = probe(shared("recordings/video/gopro_karma.mp4"))
    assert gopro.kind == "media"
    assert {m: round(s or 0) for m, s in gopro.durations_s.items()} == {
        "vision": 12,
        "audio": 12,
        "imu": 13,  # as declared; its last payload is not full
    }
    assert set(probe(shared("recordings/video/pe_dog.mp4")).durations_s) == {"vision"}
    assert probe(shared("recordings/imagebind/dog_image.jpg")).kind == "picture"
    assert probe(shared("recordings/rgbd/open3d/NYU_depth.pgm")).durations_s == {"vision": 0.0}
    sound = probe(shared("recordings/audio_freesound/snoring.wav"))
    assert sound.durations_s == {"audio": pytest.approx(16.53, abs=0.01)}


def test_files_made_here(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", range(0, 2000, 40))
    write_audio(tmp_path / "a.flac", [("flac", 8000, [(0, tone(12_000, 8000, 440))])])

    assert probe(tmp_path / "v.mkv").durations_s == {"vision": pytest.approx(2, abs=0.05)}
    assert probe(tmp_path / "a.flac").durations_s == {"audio": 1.5}


def test_the_cover_of_an_album_is_no_video(tmp_path: Path) -> None:
    write_audio(tmp_path / "song.flac", [("flac", 8000, [(0, tone(12_000, 8000, 440))])])
    write_video(tmp_path / "cover.mkv", [0])
    song, cover, both = (str(tmp_path / name) for name in ("song.flac", "cover.mkv", "both.flac"))
    command = [program("ffmpeg"), "-v", "error", "-i", song, "-i", cover, "-map", "0", "-map", "1"]
    command += ["-c:v", "png", "-disposition:v", "attached_pic", both]
    subprocess.run(command, check=True)

    assert set(probe(Path(both)).durations_s) == {"audio"}


def test_tables_and_texts_are_not_guessed_at(tmp_path: Path) -> None:
    for name in ("imu.csv", "imu.txt"):
        (tmp_path / name).write_text("t,ax,ay,az\n" + "0,1,2,3\n" * 100)
        with pytest.raises(SourceLost, match=f"{name}: not a media file"):
            probe(tmp_path / name)
    with pytest.raises(SourceLost, match="no such file"):
        probe(tmp_path / "nowhere.jpg")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(SourceLost, match=r"bad\.png"):
        probe(tmp_path / "bad.png")
