"""Several logs as one: of different streams side by side, or the parts of one run in a row."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
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
    # What is of several parts is none of them.
    more = {name: told for name, told in first.more.items() if name != "part"}
    return replace(first, streams=tuple(streams.values()), more=more)


def items(pieces: Sequence[Piece]) -> Iterator[tuple[int, Item]]:
    """Everything in the order in which it came; of two at one instant, the earlier log's first."""
    rows = _rows(pieces)
    timed = [_in_a_row(row, list(chain(*rows[number + 1 :]))) for number, row in enumerate(rows)]
    return heapq.merge(*timed, key=itemgetter(0))


def _rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """By their beginnings. The parts of one run from files are one row, whatever their stamps: its
    clock says nothing, and a picture that ends a part may lie behind the sound of the next."""
    rows: dict[object, list[Piece]] = {}
    for each in sorted(pieces, key=lambda piece: piece.first_ns):
        rows.setdefault(_run(each) or id(each), []).append(each)
    found: list[list[Piece]] = []
    for row in rows.values():
        if len({_part(each) for each in row}) == len(row):
            found.append(sorted(row, key=_part))
        else:  # the same part twice
            found += [[each] for each in row]
    return sorted(found, key=lambda row: min(each.first_ns for each in row))


def _run(piece: Piece) -> tuple[str, frozenset[str]] | None:
    """Which run from files it is a part of; None for what is none."""
    told = piece.log.about
    if told.live or "recording" not in told.more or _part(piece) < 0:
        return None
    return told.more["recording"], frozenset(_names(piece))


def _part(piece: Piece) -> int:
    number = piece.log.about.more.get("part", "")
    return int(number) if number.isdecimal() and len(number) < 10 else -1


def _in_a_row(row: Sequence[Piece], later: Sequence[Piece]) -> Iterator[tuple[int, Item]]:
    reached_ns = 0
    for number, each in enumerate(row):
        for now_ns, item in _timed(each, [*row[number + 1 :], *later]):
            reached_ns = max(reached_ns, now_ns)
            yield reached_ns, item


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
    row_of = {id(each): number for number, row in enumerate(_rows(pieces)) for each in row}
    found = sorted(pieces, key=lambda piece: piece.first_ns)
    for number, later in enumerate(found):
        for before in found[:number]:
            shared = _names(before) & _names(later)
            if row_of[id(before)] == row_of[id(later)]:
                continue
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
