"""Several logs as one: of different streams side by side, or the parts of one run in a row."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

from sources.recording.about import About
from sources.replay.own import OwnLog
from sources.rewriting.rewrite import Item, everything
from streamer.errors import ConfigError
from streamer.events import Ended
from streamer.plan import Plan
from streamer.types import StreamInfo, Truth


@dataclass(frozen=True, slots=True)
class Piece:
    """An open log of ours, and the times of its first and its last event."""

    path: Path
    log: OwnLog
    first_ns: int
    last_ns: int


def piece(path: Path, log: OwnLog) -> Piece:
    """Reads all of it. Raises `ConfigError` for a log in which nothing happened."""
    first_ns: int | None = None
    last_ns = 0
    for event in log.events():
        if isinstance(event, Truth):
            continue
        first_ns = event.now_ns if first_ns is None else first_ns
        last_ns = event.now_ns
    if first_ns is None:
        raise ConfigError(f"{path}: nothing happened in it")
    return Piece(path, log, first_ns, last_ns)


def about(pieces: Sequence[Piece]) -> About:
    """Of all of them. Raises `ConfigError` where they do not belong together.

    The configuration is that of the first: a replay takes its encoder and labels from it.
    """
    first = pieces[0].log.about
    streams: dict[str, StreamInfo] = {}
    for each in pieces:
        mine = each.log.about
        differs = _difference(first.plan, mine.plan)
        if differs:
            raise ConfigError(
                f"{each.path}: its windows are not those of {pieces[0].path}: {differs}"
            )
        if mine.live != first.live:
            raise ConfigError(
                f"{each.path}: expected both live or both from files, as {pieces[0].path}"
            )
        for info in mine.streams:
            if streams.setdefault(info.name, info) != info:
                raise ConfigError(f"{each.path}: {info.name} is of another kind than before")
    _check_shared(pieces)
    return replace(first, streams=tuple(streams.values()))


def items(pieces: Sequence[Piece]) -> Iterator[tuple[int, Item]]:
    """Everything in the order in which it came; of two at one instant, the earlier log's first."""
    rows = sorted(pieces, key=lambda piece: piece.first_ns)
    timed = [_timed(each, rows[number + 1 :]) for number, each in enumerate(rows)]
    return heapq.merge(*timed, key=itemgetter(0))


def _timed(mine: Piece, later: Sequence[Piece]) -> Iterator[tuple[int, Item]]:
    go_on = {name for each in later for name in _names(each)}
    for now_ns, item in everything(mine.path, mine.log):
        if isinstance(item, Ended):
            # A part ends where the next begins; its streams do not.
            ended = tuple(stream for stream in item.streams if stream not in go_on)
            if ended:
                yield now_ns, replace(item, streams=ended)
        else:
            yield now_ns, item


def _check_shared(pieces: Sequence[Piece]) -> None:
    rows = sorted(pieces, key=lambda piece: piece.first_ns)
    for number, later in enumerate(rows):
        for before in rows[:number]:
            shared = _names(before) & _names(later)
            if shared and later.first_ns < before.last_ns:
                raise ConfigError(
                    f"{before.path} and {later.path}: both have {', '.join(sorted(shared))} "
                    "at the same time"
                )


def _names(piece: Piece) -> set[str]:
    return {info.name for info in piece.log.about.streams}


def _difference(one: Plan, two: Plan) -> str:
    """The first number of windows that differs; "" if none does."""
    for name in ("hop_ns", "lengths_ns", "lateness_ns", "idle_ns", "min_coverage"):
        mine, other = getattr(one, name), getattr(two, name)
        if mine != other:
            return f"{name} {mine} and {other}"
    return ""
