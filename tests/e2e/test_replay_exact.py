"""A run recorded live, and replayed: at any speed, in any order within the lateness, the same.

The short version of each test runs the encoder that costs nothing. The long one is the promise.
"""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sources.replay.stored import told
from streamer.cli.replay.digests import DigestFile, open_digests
from tests import mediafiles
from tests.e2e.command import flags, started, streamer
from tests.needs import shared
from tests.replay_logs import rewrite, shuffled, verdict

LATENESS_NS = 100_000_000
NOOP = ("encoder={kind: noop}", "labels=false")


def record(path: Path, seconds: float, *overrides: str) -> None:
    at = flags(["sinks=[]", f"record.path={path}", *overrides])
    done = streamer("run", "demo", "--seconds", str(seconds), *at, timeout=seconds + 90)
    # Its labels may be wrong and its frames late; what it recorded must be all that it took.
    assert done.code in (0, 1), done.err
    assert told(path).lost == {}, "the recorder kept up"


@contextmanager
def burners(number: int) -> Generator[None, None, None]:
    """Processes that take what processor time there is."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


def recorded_digest(path: Path) -> str:
    summary = told(path).summary
    assert summary is not None
    return summary["windows"]


@pytest.fixture(scope="module")
def seven_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "seven.mcap"
    record(path, 7, *NOOP)
    return path


def test_a_short_run_replays_exactly_at_max_under_load_and_shuffled(
    seven_seconds: Path, tmp_path: Path
) -> None:
    status, line = verdict(seven_seconds)
    assert status == 0, line
    with burners(2):
        status, line = verdict(seven_seconds)
        assert status == 0, line
    rewrite(seven_seconds, tmp_path / "mixed.mcap", shuffled(LATENESS_NS))
    status, line = verdict(tmp_path / "mixed.mcap")
    assert status == 0, line


def test_a_short_run_replays_exactly_in_ten_times_its_speed(
    seven_seconds: Path, tmp_path: Path
) -> None:
    out = tmp_path / "digests.json"
    done = streamer(
        "replay", str(seven_seconds), "--speed", "10", "--verify", "--digests", str(out)
    )
    assert done.code == 0, done.out + done.err
    assert done.out.startswith("pass: ")
    assert len(done.out.splitlines()) == 1
    assert open_digests(out).summary["windows"] == recorded_digest(seven_seconds)


def vectors(file: DigestFile) -> dict[tuple[int, str], np.ndarray]:
    found: dict[tuple[int, str], np.ndarray] = {}
    for end_ns, stream, vector in file.embeddings_of():
        assert vector is not None
        found[end_ns, stream] = vector
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_minute_of_the_world_replays_to_one_digest_at_any_speed(tmp_path: Path) -> None:
    log = tmp_path / "minute.mcap"
    record(log, 60)

    def replay(name: str, speed: str) -> list[str]:
        out = str(tmp_path / f"{name}.json")
        return ["replay", str(log), "--speed", speed, "--verify", "--digests", out]

    slow = started(*replay("1x", "1"))
    try:
        for name, speed in (("10x", "10"), ("max", "max")):
            done = streamer(*replay(name, speed), timeout=200)
            assert (done.code, done.out[:5]) == (0, "pass:"), done.out + done.err
        with burners(2):
            done = streamer(*replay("burnt", "max"), timeout=200)
            assert (done.code, done.out[:5]) == (0, "pass:"), done.out + done.err
        out, err = slow.communicate(timeout=200)
    finally:
        slow.kill()
        slow.wait()
    assert (slow.returncode, out[:5]) == (0, "pass:"), out + err

    rewrite(log, tmp_path / "mixed.mcap", shuffled(LATENESS_NS))
    at = ["--speed", "max", "--verify", "--digests", str(tmp_path / "mixed.json")]
    done = streamer("replay", str(tmp_path / "mixed.mcap"), *at, *flags(NOOP), timeout=200)
    assert (done.code, done.out[:5]) == (0, "pass:"), done.out + done.err

    names = ("1x", "10x", "max", "burnt", "mixed")
    files = {name: open_digests(tmp_path / f"{name}.json") for name in names}
    assert {file.summary["windows"] for file in files.values()} == {recorded_digest(log)}
    first = vectors(files["1x"])
    assert len(first) > 300
    for name in ("10x", "max", "burnt"):
        other = vectors(files[name])
        assert other.keys() == first.keys()
        assert min(float(first[key] @ other[key]) for key in first) >= 0.9999


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lossless_log_gives_the_embeddings_of_the_live_run(tmp_path: Path) -> None:
    log = tmp_path / "lossless.mcap"
    record(log, 15, "record.pictures=png", "record.queue_mb=768")
    done = streamer("replay", str(log), "--speed", "max", "--verify", timeout=200)
    # With nothing but PNG in the log, 0.9999 is what is asked for.
    assert (done.code, done.out[:5]) == (0, "pass:"), done.out + done.err
    assert "embeddings agree to cosine 0.9999" in done.out or "cosine 1.0000" in done.out, done.out


def from_files(tmp_path: Path, sources: str) -> Path:
    """A run of `sources` (YAML) that records itself."""
    config, log = tmp_path / "files.yaml", tmp_path / "files.mcap"
    config.write_text(
        f"sources: {sources}\nencoder: {{kind: noop}}\nlabels: false\nrecord: {{path: {log}}}\n"
    )
    done = streamer("run", str(config), "--json", timeout=200)
    assert done.code == 0, done.err
    return log


@pytest.mark.slow
def test_a_run_from_files_replays_exactly(tmp_path: Path) -> None:
    """The sound ends long before the pictures, and they come in no order of each other."""
    film, sound = tmp_path / "film.mkv", tmp_path / "sound.wav"
    mediafiles.write_video(film, [n * 40 for n in range(500)])
    tone = mediafiles.tone(16000 * 4, 16000, 440)
    mediafiles.write_audio(sound, [("pcm_s16le", 16000, [(0, tone)])])
    log = from_files(
        tmp_path,
        f"[{{kind: media, path: {film}, streams: {{vision: camera}}}},"
        f" {{kind: media, path: {sound}, streams: {{audio: microphone}}}}]",
    )
    status, line = verdict(log)
    assert status == 0, line
    assert "in 39 ticks agree" in line


@pytest.mark.slow
def test_a_run_of_a_gopro_replays_exactly(tmp_path: Path) -> None:
    clip = shared("recordings/video/gopro_karma.mp4")
    streams = "{vision: camera, audio: microphone, imu: imu}"
    log = from_files(tmp_path, f"[{{kind: media, path: {clip}, streams: {streams}}}]")
    status, line = verdict(log)
    assert status == 0, line
