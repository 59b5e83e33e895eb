"""What happened during one chunk of a log, in order: which makes replay exact. Pure.

The samples themselves are in the channels; the journal says in which order they came, what the
run's clock was at each, how many messages each is made of, and when time passed without any.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cbor2

from sources.recording.pictures import AS_STORED, Look
from streamer.events import Ended, Passed
from streamer.types import HOST_CLOCK, ClockCard

LARGEST_JOURNAL = 1 << 22
"""A row has some ten bytes, and in memory some hundred. A chunk of ours has a few hundred rows."""
_MOST_MESSAGES = 1 << 20
_LONGEST_NAME = 1000
_MOST_NS = (1 << 62) - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Took:
    """A sample without its data, which is in the next `messages` messages of its stream."""

    now_ns: int
    stream: str
    t_ns: int
    duration_ns: int
    messages: int
    clock: ClockCard = HOST_CLOCK
    look: Look = AS_STORED


Entry = Took | Passed | Ended


@dataclass(frozen=True, slots=True)
class Left:
    """What the recorder had to leave out of the file."""

    stream: str
    cause: str
    count: int


@dataclass(slots=True)
class Journal:
    """One chunk's. `lost`: what the recorder had to leave out, by stream and cause."""

    live: bool
    entries: list[Entry] = field(default_factory=list[Entry])
    lost: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])

    def encode(self) -> bytes:
        streams, cards, looks = _Table[str](), _Table[ClockCard](), _Table[Look]()
        rows: list[list[Any]] = []
        before = 0
        for entry in self.entries:
            row: list[Any] = [entry.now_ns - before]
            before = entry.now_ns
            if isinstance(entry, Took):
                row += [
                    streams.place(entry.stream),
                    entry.t_ns - entry.now_ns,
                    entry.duration_ns,
                    entry.messages,
                    cards.place(entry.clock),
                    looks.place(entry.look),
                ]
            elif isinstance(entry, Ended):
                row.append([streams.place(stream) for stream in entry.streams])
            rows.append(row)
        return cbor2.dumps(
            {
                "v": 1,
                "live": self.live,
                "streams": list(streams),
                "clocks": [[c.domain, c.error_ns, c.offset_ns] for c in cards],
                "looks": [[look.scale, look.offset, look.grey] for look in looks],
                "entries": rows,
                "lost": self.lost,
            }
        )


def decode(payload: bytes) -> Journal:
    """Raises ValueError for anything that `Journal.encode` would not have written."""
    if len(payload) > LARGEST_JOURNAL:
        raise ValueError(f"a journal of {len(payload)} bytes")
    try:
        told: Any = cbor2.loads(payload)
        cards = [ClockCard(_text(d), _whole(e), _whole(o)) for d, e, o in told["clocks"]]
        looks = [Look(_finite(s), _finite(o), g is True) for s, o, g in told["looks"]]
        streams = [_text(stream) for stream in told["streams"]]
        lost = {
            _text(stream): {_text(cause): _whole(n, 0) for cause, n in by.items()}
            for stream, by in told["lost"].items()
        }
        journal = Journal(told["live"] is True, list(_entries(told, streams, cards, looks)), lost)
    except (cbor2.CBORDecodeError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a journal: {str(error)[:80]}") from None
    return journal


def _entries(
    told: Mapping[str, Any], streams: list[str], cards: list[ClockCard], looks: list[Look]
) -> Iterator[Entry]:
    now_ns = 0
    for row in told["entries"]:
        now_ns = _whole(now_ns + _whole(row[0]))
        if len(row) == 1:
            yield Passed(now_ns)
        elif len(row) == 2:
            yield Ended(now_ns, tuple(streams[_at(n)] for n in row[1]))
        else:
            _, stream, since_ns, duration_ns, messages, card, look = row
            t_ns = _whole(now_ns + _whole(since_ns))
            yield Took(
                now_ns,
                streams[_at(stream)],
                t_ns,
                _whole(duration_ns, 0, _MOST_NS - max(0, t_ns)),
                _whole(messages, 0, _MOST_MESSAGES),
                cards[_at(card)],
                looks[_at(look)],
            )


def _at(number: Any) -> int:
    """An index that does not count from the end."""
    return _whole(number, 0)


def _whole(number: Any, least: int = -_MOST_NS, most: int = _MOST_NS) -> int:
    """As it is: to make a whole number of a decimal one may take all the memory there is."""
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"not a journal: expected a whole number, got {_said(number)}")
    return number


def _finite(number: Any) -> float:
    if type(number) not in (int, float) or not -1e300 < number < 1e300:
        raise ValueError(f"not a journal: expected a number, got {_said(number)}")
    return float(number)


def _text(text: Any) -> str:
    if not isinstance(text, str) or len(text) > _LONGEST_NAME:
        raise ValueError(f"not a journal: expected a name, got {_said(text)}")
    return text


def _said(thing: Any) -> str:
    small = isinstance(thing, int | float | str) and not (
        isinstance(thing, int) and abs(thing) > 1 << 64
    )
    return repr(thing)[:40] if small else type(thing).__name__


class _Table(dict[T, int]):
    """Different things in the order in which they first came."""

    def place(self, thing: T) -> int:
        return self.setdefault(thing, len(self))
