"""Opens ruined logs, for as long as it is told: `python -m tests.fuzz_logs --seconds 600 --seed 1`.

Nothing but a `StreamerError` may leave a reader; its memory and its time are bounded. What fails is
kept, with the seed that makes it again.
"""

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from time import perf_counter

from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.replay.container import McapLog
from sources.replay.log import open_log
from sources.replay.outside import kind, look
from sources.replay.survey import survey
from sources.rewriting.recover import recover
from sources.rewriting.rewrite import everything
from streamer.errors import StreamerError
from streamer.events import Arrived
from streamer.ticks import make_join
from streamer.types import AudioBlock, ImuBlock, Truth, pixels
from tests.hostile_logs import ruined
from tests.needs import SHARED
from tests.small_logs import mixed, world, write

MEMORY_BYTES = 1_500_000_000
"""Beyond what the process has: what one file may cost."""
SECONDS_A_FILE = 60
SMALL = 300_000
LEAST = 4
"""Files of each kind."""
_DECODED = 20


class TooSlow(BaseException):
    """One file took longer than any may."""


def corpus(folder: Path) -> dict[str, list[Path]]:
    """Small logs by kind: ours in every codec, and what there is of others."""
    events = world(1)
    ours = {name: folder / f"{name}.mcap" for name in ("jpeg", "mixed", "png")}
    write(ours["jpeg"], events)
    write(ours["mixed"], mixed(events))
    write(ours["png"], events, png=True)
    found = {f"ours {name}": [path] for name, path in ours.items()}
    for path in sorted((SHARED / "recordings" / "robot_logs").glob("**/*.*")):
        if path.suffix in (".mcap", ".bag", ".db3") and 0 < path.stat().st_size < SMALL:
            found.setdefault(path.suffix, []).append(path)
    return found


def examine(path: Path, output: Path) -> None:
    """All that is done to a log from outside. Raises what no reader should."""
    for step in (_replay, _info, _recover):
        try:
            step(path, output)
        except StreamerError:
            continue


def _replay(path: Path, output: Path) -> None:
    del output
    log = open_log(path)
    try:
        about: About | None = log.about
        join = make_join(log.streams, about.plan) if about is not None else None
        decoded = 0
        for event in log.events():
            if isinstance(event, Truth):
                continue
            if join is not None:
                join.take(event)
            if not isinstance(event, Arrived) or decoded >= _DECODED:
                continue
            if not isinstance(event.sample.data, AudioBlock | ImuBlock):
                decoded += 1
                try:
                    pixels(event.sample)
                except StreamerError:
                    continue
    finally:
        log.close()


def _info(path: Path, output: Path) -> None:
    del output
    if kind(path) == "MCAP":
        look(path, lambda done, total: None)
    log = open_log(path)
    try:
        survey(everything(path, log), log.streams)
    finally:
        log.close()


def _recover(path: Path, output: Path) -> None:
    log = McapLog(path)
    file = McapFile(output)
    try:
        recover(log, file, lambda done, total: None)
    finally:
        file.abandon()
        log.close()
        output.unlink(missing_ok=True)


@contextmanager
def _bounded_time() -> Generator[None]:
    def late(number: int, frame: object) -> None:
        raise TooSlow(f"more than {SECONDS_A_FILE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS_A_FILE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzz(seconds: float, seed: int, keep: Path) -> tuple[Counter[str], Counter[str]]:
    """How many files of each kind were opened, and what left the readers, by kind and place.

    The kinds take turns, and each gets `LEAST`, however slow the machine is.
    """
    opened: Counter[str] = Counter()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = {kind: [p.read_bytes() for p in paths] for kind, paths in corpus(folder).items()}
        _bound_memory()
        until_s = perf_counter() + seconds
        for count, of_kind in enumerate(cycle(whole)):
            if perf_counter() >= until_s and count >= LEAST * len(whole):
                break
            chance = random.Random(f"{seed} {count}")  # noqa: S311
            path = folder / "ruined"
            path.write_bytes(ruined(chance, chance.choice(whole[of_kind])))
            try:
                with _bounded_time():
                    examine(path, folder / "out.mcap")
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                where = traceback.extract_tb(error.__traceback__)[-1]
                cause = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
                found[cause] += 1
                if found[cause] == 1:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{seed}-{count}").write_bytes(path.read_bytes())
                    sys.stderr.write(f"seed {seed}, file {count}: {cause}\n")
                    traceback.print_exception(error, limit=-12)
            opened[of_kind] += 1
    return opened, found


def _bound_memory() -> None:
    """For the rest of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    parser = argparse.ArgumentParser(description="open ruined logs")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "ruined-logs")
    asked = parser.parse_args()
    opened, found = fuzz(asked.seconds, asked.seed, asked.keep)
    told = {"opened": opened, "findings": found}
    sys.stdout.write(
        f"{opened.total()} ruined logs, {found.total()} findings\n{json.dumps(told)}\n"
    )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
