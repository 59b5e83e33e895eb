"""How fast a recorded log replays: times real time, and how long a slice out of it takes.

    python -m benchmarks.replay [--seconds 60] [--pictures jpeg] [--log FILE]

The log is that of the simulated robot at its rates: 640x480 pictures at 30 a second, depth 256x192
at 30, heat 160x120 at 9, sound at 16 kHz, motion at 200 Hz. `null` cuts all windows and takes their
digest, as `--verify` does, with an encoder that costs nothing; `null_bare` takes no digest;
`builtin` is the built-in model with its labels. Each is the best of three. A slice is what one
stream took in half a second, in the middle of the log, the file opened anew each time.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.result import percentile_ms, say
from benchmarks.world_log import make_world_log
from configs.load import parse_run
from configs.schema import RunConfig
from encoders.noop import NoopEncoder
from sources.recording.digest import RunningDigest, digest
from sources.replay.log import open_log
from sources.replay.own import OwnLog
from sources.replay.source import Replay
from streamer.cli import session
from streamer.clock import ReplayClock
from streamer.events import Arrived, Event
from streamer.metrics import cpu_seconds
from streamer.protocols import Tap
from streamer.types import NS_PER_S, Tick


class Digests:
    """A tap that takes the digest of the windows, as a verification does."""

    def __init__(self) -> None:
        self.running = RunningDigest()

    def heard(self, event: Event, ticks: Sequence[Tick]) -> None:
        del event
        for tick in ticks:
            self.running.add(digest(tick))

    async def room(self) -> None:
        pass


def replayed(path: Path, config: RunConfig, taps: Sequence[Tap]) -> tuple[float, float]:
    """Seconds on the clock and of processors that replaying takes, without opening the encoder."""
    config = config.model_copy(update={"sources": (Replay(path=path),), "sinks": ()})
    labels = bool(config.labels)
    with config.encoder.open(config.modalities, text=labels) as encoder:
        started, cpu_s = time.perf_counter(), cpu_seconds()
        asyncio.run(session.run(config, encoder, clock=ReplayClock(None), taps=taps))
        return time.perf_counter() - started, cpu_seconds() - cpu_s


def best(path: Path, config: RunConfig, seconds: float, *, digests: bool) -> dict[str, float]:
    runs = [replayed(path, config, [Digests()] if digests else []) for _ in range(3)]
    wall_s, cpu_s = min(runs)
    return {"times_real_time": round(seconds / wall_s, 1), "cpu_s": round(cpu_s, 2)}


def slice_ms(path: Path, seconds: float, stream: str) -> dict[str, float]:
    """Half a second of one stream, from opening the file on."""
    took_ns: list[int] = []
    count = 0
    for turn in range(20):
        started = time.perf_counter_ns()
        log = open_log(path)
        try:
            start_ns = 0 if log.about is None else log.about.started_ns
            from_ns = start_ns + round((0.3 + turn / 50) * seconds * NS_PER_S)
            events = log.events((stream,), from_ns, from_ns + NS_PER_S // 2)
            count = sum(isinstance(event, Arrived) for event in events)
        finally:
            log.close()
        took_ns.append(time.perf_counter_ns() - started)
    return {"samples": count, "p50_ms": percentile_ms(took_ns, 50), "max_ms": max(took_ns) / 1e6}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--pictures", choices=("jpeg", "png", "h264"), default="jpeg")
    arguments.add_argument("--log", type=Path, help="Kept there, and used if it is there already.")
    arguments.add_argument("--without-model", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path: Path = chosen.log or Path(folder) / "world.mcap"
        if not path.exists():
            make_world_log(path, chosen.seconds, chosen.pictures)
        config = session_config(path)
        null = config.model_copy(update={"encoder": NoopEncoder(), "labels": False})
        figures: dict[str, object] = {
            "null": best(path, null, chosen.seconds, digests=True),
            "null_bare": best(path, null, chosen.seconds, digests=False),
            "slice": {s: slice_ms(path, chosen.seconds, s) for s in ("camera", "imu")},
        }
        if not chosen.without_model:
            figures["builtin"] = best(path, config, chosen.seconds, digests=True)
        say(
            "replay",
            seconds=chosen.seconds,
            pictures=chosen.pictures,
            mb=round(path.stat().st_size / 1e6, 1),
            **figures,
        )


def session_config(path: Path) -> RunConfig:
    """The configuration that the log is of."""
    log = OwnLog(path)
    log.close()
    return parse_run(log.about.config, str(path), ())


if __name__ == "__main__":
    main()
