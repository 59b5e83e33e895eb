"""What is found in logs of other programs, a row for each file: docs/reference/logs.md.

python -m benchmarks.logs FOLDER > docs/reference/logs.md
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sources.replay.bag import BagLog
from sources.replay.container import MAGIC, Attachment, Chunk, McapLog, Metadata
from sources.replay.containers import Container
from sources.replay.db3 import Db3Log
from sources.replay.foreign import ForeignLog
from sources.replay.kinds import MAGICS
from sources.replay.log import open_log
from sources.replay.mcap_container import McapContainer
from sources.replay.realsense import is_realsense
from sources.replay.vrs import VrsLog
from streamer.errors import StreamerError
from streamer.events import Arrived
from streamer.types import NS_PER_S, ImuBlock

SUITE = "mcap_conformance"
_OTHER = " is no picture, sound or motion"
NAMES = {BagLog: "ROS 1 bag", Db3Log: "ROS 2 SQLite", VrsLog: "VRS", McapContainer: "MCAP"}

ABOUT = """\
# What was found in logs of other programs

`python -m benchmarks.logs FOLDER > docs/reference/logs.md` made this page of a collection of
public recordings; nobody wrote the tables by hand. Times are those of the log. A stream is named
with its modality and its samples (a picture, a block of sound, a block of readings), and for
motion its readings. What is odd or cannot be read is counted while a log is read, and stands here
as the program says it. How often stands in brackets.

What to know of each kind:

- **ROS 1 bags** (version 2.0). Those that were never closed or are cut off give what they hold.
- **ROS 2 bags**: a `.db3` or `.mcap`, or the folder of one. Older `.db3` files do not say how their
  messages lie; the extra `ros` brings the definitions of the known distributions. Pictures, sound
  and motion are read without it.
- **RealSense** (`.bag` to 2.57, `.db3` since): times are those of the frames, as the library plays
  them; the unit of depth is the file's. Gyroscope and accelerometer become one stream, `imu`.
- **Project Aria** (`.vrs`): times count from when the glasses were switched on. Pictures lie as the
  sensors do, turned by 90 degrees. The seven microphones become one channel, their mean.
"""
SUITE_ABOUT = """
## The conformance suite of MCAP

Every file with what its records hold. `index`: the end of the file could be used.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a container holds, as far as it can be told."""

    kind: str
    compression: str
    topics: int
    messages: int
    seconds: float


def main(folder: Path) -> None:
    print(ABOUT)
    print("| file | container | topics, messages, time | becomes | odd, or not read |")
    print("|---|---|---|---|---|")
    for path in _files(folder):
        if path.parent.name != SUITE:
            print(_row(f"{path.parent.name}/{path.name}", path))
    print(SUITE_ABOUT)
    print("| file | messages | metadata | attachments | index | odd |")
    print("|---|---|---|---|---|---|")
    for path in _files(folder / SUITE):
        print(_suite_row(path))


def _files(folder: Path) -> Iterator[Path]:
    known = {".bag", ".db3", ".mcap", ".vrs"}
    yield from (path for path in sorted(folder.rglob("*")) if path.suffix in known)


def _row(name: str, path: Path) -> str:
    try:
        becomes, odd = _read(path)
        found = _found(path)
        held = f"{found.topics}, {found.messages}, {found.seconds:.1f} s"
        kind = f"{found.kind}, {found.compression}" if found.compression else found.kind
    except StreamerError as error:
        said = str(error).removeprefix(f"{path}: ")
        return f"| `{name}` | | | nothing | refused: {said} |"
    return f"| `{name}` | {kind} | {held} | {becomes} | {odd} |"


def _found(path: Path) -> Found:
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
    opener = MAGICS.get(begins, McapContainer)
    container: Container = opener(path)
    try:
        told = container.topics()
        stamps = [message.log_ns for message in container.messages()]
        kind = "RealSense, " if is_realsense(told) else ""
        seconds = (max(stamps) - min(stamps)) / NS_PER_S if stamps else 0.0
        packed = _packed(path, container)
        return Found(kind + NAMES[opener], packed, len(told), len(stamps), seconds)
    finally:
        container.close()


def _packed(path: Path, container: Container) -> str:
    if isinstance(container, BagLog | VrsLog):
        return container.compression
    if isinstance(container, Db3Log):
        return "zstd messages" if container.packed else "none"
    log = McapLog(path)
    index = log.index()
    log.close()
    return ", ".join(sorted({c.compression or "none" for c in index.chunks})) if index else ""


def _read(path: Path) -> tuple[str, str]:
    log = open_log(path)
    try:
        samples: Counter[str] = Counter()
        readings: Counter[str] = Counter()
        for event in log.events():
            if isinstance(event, Arrived):
                samples[event.sample.stream] += 1
                if isinstance(event.sample.data, ImuBlock):
                    readings[event.sample.stream] += len(event.sample.data.t_ns)
        becomes = [
            f"{info.name} ({info.modality}): {samples[info.name]}"
            + (f" of {readings[info.name]}" if info.modality == "imu" else "")
            for info in log.streams
        ]
        odd = [f"{cause} ({count})" for cause, count in sorted(log.problems.items())]
        if isinstance(log, ForeignLog) and not becomes:
            whys = sorted({left.why for left in log.left.values() if not left.fault})
            others = [why.removesuffix(_OTHER) for why in whys if why.endswith(_OTHER)]
            odd += [f"none of the types {', '.join(others)} is read"] if others else []
        return _cell(becomes, "no stream"), _cell(odd, "")
    finally:
        log.close()


def _cell(parts: list[str], empty: str) -> str:
    return "; ".join(parts).replace("|", "\\|") or empty


def _suite_row(path: Path) -> str:
    counts: Counter[type] = Counter()
    messages = 0
    try:
        log = McapLog(path)
    except StreamerError as error:
        return f"| `{path.name}` | | | | | refused: {str(error).removeprefix(f'{path}: ')} |"
    for part in log.parts():
        counts[type(part)] += 1
        messages += len(part.messages) if isinstance(part, Chunk) else 0
    index = "yes" if log.index() else "no"
    odd = _cell(sorted(log.problems), "")
    log.close()
    held = f"{messages} | {counts[Metadata]} | {counts[Attachment]} | {index}"
    return f"| `{path.name}` | {held} | {odd} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
