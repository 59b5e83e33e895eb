"""What is searched, as columns: of a vector its cosine and its place are kept, and not itself."""

from array import array
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from encoders.search import Found, Moments, best, scores
from streamer.cli.embed.vectors import KINDS, Record
from streamer.fusion import FUSED

Sense: TypeAlias = Literal["vision", "audio", "depth", "thermal", "imu", "text", "fused"]
SENSES: tuple[Sense, ...] = (*KINDS, FUSED)


class Place(NamedTuple):
    """Of what a vector is. Times are seconds of a time line: of the file, or of the run of a log.

    Places of one `line` tell of the same time, in several streams. `stream` is "" where the
    modality says it all, and the place of a line of text is its number, twice.
    """

    file: str
    sense: Sense
    start_s: float
    end_s: float
    line: Hashable
    stream: str = ""
    text: str | None = None


def place(record: Record) -> Place:
    """Of a file every modality is told by itself."""
    line = (record.file, record.modality)
    if record.line is not None and record.modality == "text":
        at = float(record.line)
        return Place(record.file, "text", at, at, line, text=record.text)
    return Place(record.file, record.modality, record.t0_s or 0, record.t1_s or 0, line)


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment that was found: a span of a file in seconds, or a line of a text.

    `t0_s` to `t1_s` is its best window, `from_s` to `to_s` all that is about as good around it. Of
    a log also the stream, the other streams that show it too, and when it was (`utc`, of `t0_s`).
    """

    rank: int
    score: float
    cosine: float
    modality: Sense
    file: str
    t0_s: float | None = None
    t1_s: float | None = None
    from_s: float | None = None
    to_s: float | None = None
    line: int | None = None
    text: str | None = None
    stream: str | None = None
    also: tuple[str, ...] | None = None
    utc: str | None = None

    def plain(self) -> dict[str, Any]:
        """JSON-ready; what does not apply is missing."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in fields.items() if value is not None}


class Gallery:
    """Some 40 bytes a record, whatever the size of its vector; texts are kept as they are.

    `began_s`: of each log, where on its time line it begins. The time of the others begins at 0.
    """

    def __init__(self, began_s: Mapping[str, float]) -> None:
        self._began_s = began_s
        self._files: dict[str, int] = {}
        self._lines: dict[Hashable, int] = {}
        self._streams: dict[tuple[int, int, str], int] = {}
        self._texts: dict[int, str] = {}
        self._sense = array("b")
        self._file, self._line, self._stream = array("i"), array("i"), array("i")
        self._start, self._end, self._cosine = array("d"), array("d"), array("d")

    @property
    def count(self) -> int:
        return len(self._cosine)

    def add(self, places: Sequence[Place], cosines: NDArray[np.float64]) -> None:
        """Places with their cosines (n,)."""
        for each, cosine in zip(places, cosines.tolist(), strict=True):
            if each.text is not None:
                self._texts[self.count] = each.text
            sense = SENSES.index(each.sense)
            line = self._lines.setdefault(each.line, len(self._lines))
            stream = (line, sense, each.stream)
            self._sense.append(sense)
            self._file.append(self._files.setdefault(each.file, len(self._files)))
            self._line.append(line)
            self._stream.append(self._streams.setdefault(stream, len(self._streams)))
            self._start.append(each.start_s)
            self._end.append(each.end_s)
            self._cosine.append(cosine)

    def by_sense(self) -> dict[str, int]:
        """How many records of each modality there are."""
        counts = np.bincount(np.array(self._sense, np.intp), minlength=len(SENSES))
        return {sense: int(n) for sense, n in zip(SENSES, counts, strict=True) if n}

    def best(self, top: int) -> list[Hit]:
        """At most `top` different moments, best score first."""
        senses = np.array(self._sense, np.intp)
        moments = Moments(
            np.array(self._stream, np.intp),
            np.array(self._line, np.intp),
            np.array(self._start),
            np.array(self._end),
        )
        values = scores(np.array(self._cosine), senses)
        found = best(values, moments, top)
        return [self._hit(n, float(values[each.index]), each) for n, each in enumerate(found, 1)]

    def _hit(self, rank: int, score: float, found: Found) -> Hit:
        at = found.index
        sense, start_s = SENSES[self._sense[at]], self._start[at]
        file = list(self._files)[self._file[at]]
        hit = Hit(rank, score, self._cosine[at], sense, file)
        if sense == "text":
            return replace(hit, line=int(start_s), text=self._texts[at])
        began_s = self._began_s.get(file)
        since_s = began_s or 0.0
        times = (start_s, self._end[at], found.start_s, found.end_s)
        t0_s, t1_s, from_s, to_s = (round(each - since_s, 6) for each in times)
        hit = replace(hit, t0_s=t0_s, t1_s=t1_s, from_s=from_s, to_s=to_s)
        if began_s is None:
            return hit
        stream, *also = (self._stream_of(each) for each in (at, *found.beside))
        return replace(hit, stream=stream, also=tuple(also), utc=utc(start_s))

    def _stream_of(self, at: int) -> str:
        return list(self._streams)[self._stream[at]][2]


def utc(t_s: float) -> str:
    """2026-11-21T21:46:47.500Z."""
    when = datetime.fromtimestamp(0, UTC) + timedelta(seconds=t_s)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
