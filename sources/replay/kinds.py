"""Which container reads a log, told by how it begins: those of other programs that are no MCAP."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sources.replay.bag import BagLog
from sources.replay.bagfolder import Joined, files_of
from sources.replay.containers import Container
from sources.replay.db3 import Db3Log
from sources.replay.realsense import RealSenseLog, is_realsense
from sources.replay.vrs import VrsLog

MAGICS = {b"#ROSBAG ": BagLog, b"SQLite f": Db3Log, b"VisionRe": VrsLog}
"""The first eight bytes."""


def container_of(path: Path, begins: bytes, mcap: Callable[[Path], Container]) -> Container | None:
    """None for a file that begins otherwise. `mcap` opens the files of a folder that are MCAP.

    Raises `SourceLost`.
    """
    if path.is_dir():
        return _seen(_joined(path, mcap))
    kind = MAGICS.get(begins[:8])
    return None if kind is None else _seen(kind(path))


def _joined(folder: Path, mcap: Callable[[Path], Container]) -> Container:
    with ExitStack() as opened:
        parts: list[Container] = []
        for file in files_of(folder):
            part: Container = Db3Log(file) if file.suffix == ".db3" else mcap(file)
            opened.callback(part.close)
            parts.append(part)
        opened.pop_all()
        return Joined(parts)


def _seen(container: Container) -> Container:
    """RealSense's times are its own."""
    if not is_realsense(container.topics()):
        return container
    try:
        return RealSenseLog(container)
    except BaseException:
        container.close()
        raise
