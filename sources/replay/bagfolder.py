"""A ROS 2 bag is a folder: a description, and one file after the other."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

import yaml

from sources.replay.container import Message
from sources.replay.containers import Container
from streamer.errors import SourceLost
from streamer.logfile import ChannelSpec

DESCRIPTION = "metadata.yaml"
LARGEST_DESCRIPTION = 1 << 22
"""Bytes. Some versions repeat it with every topic's settings; tens of kilobytes are many."""
SUFFIXES = (".db3", ".mcap")


def files_of(folder: Path) -> list[Path]:
    """The files of a bag in the order of its description; without one, those that look like it.

    Raises `SourceLost` where there are none, or one is missing.
    """
    described = folder / DESCRIPTION
    try:
        if described.is_file():
            if described.stat().st_size > LARGEST_DESCRIPTION:
                raise SourceLost(f"{described}: larger than {LARGEST_DESCRIPTION} bytes")
            files = [folder / name for name in _named(described)]
        else:
            files = sorted(f for f in folder.iterdir() if f.suffix in SUFFIXES)
    except OSError as error:
        raise SourceLost(f"{folder}: cannot be read: {error.strerror}") from None
    for file in files:
        if file.suffix not in SUFFIXES:
            raise SourceLost(f"{file}: expected .db3 or .mcap; unpack it with `zstd -d` first")
        if not file.is_file():
            raise SourceLost(f"{folder}: its {DESCRIPTION} names {file.name}, which is not there")
    if not files:
        raise SourceLost(f"{folder}: expected a bag, it holds no .db3 and no .mcap")
    return files


def _named(described: Path) -> list[str]:
    try:
        told: Any = yaml.safe_load(described.read_text(errors="replace"))
        names = told["rosbag2_bagfile_information"]["relative_file_paths"]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError):
        names = None
    if not isinstance(names, list):
        raise SourceLost(f"{described}: expected the description of a bag with its files")
    # Nothing outside of the folder, whatever it says.
    return [PurePosixPath(str(name)).name for name in cast(list[object], names)]


class Joined:
    """Containers as one, their messages in the order of time. It closes them."""

    def __init__(self, parts: Sequence[Container]) -> None:
        self._parts = tuple(parts)

    @property
    def problems(self) -> Counter[str]:
        return sum((part.problems for part in self._parts), Counter[str]())

    @property
    def start_ns(self) -> int | None:
        return min((p.start_ns for p in self._parts if p.start_ns is not None), default=None)

    @property
    def end_ns(self) -> int | None:
        return max((p.end_ns for p in self._parts if p.end_ns is not None), default=None)

    def topics(self) -> Mapping[ChannelSpec, int]:
        found: Counter[ChannelSpec] = Counter()
        for part in self._parts:
            for channel, count in part.topics().items():
                found[channel] += count
        return found

    def messages(self, from_ns: int | None = None) -> Iterator[Message]:
        return heapq.merge(*(p.messages(from_ns) for p in self._parts), key=_log_ns)

    def close(self) -> None:
        for part in self._parts:
            part.close()


def _log_ns(message: Message) -> int:
    return message.log_ns
