"""What is searched, as columns: of a vector its cosine and its place are kept, and not itself."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.search import Moments, best, scores
from streamer.cli.embed.vectors import KINDS, Kind, Record


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment that was found: a span of a file in seconds, or a line of a text."""

    rank: int
    score: float
    cosine: float
    modality: Kind
    file: str
    t0_s: float | None = None
    t1_s: float | None = None
    line: int | None = None
    text: str | None = None

    def plain(self) -> dict[str, Any]:
        """JSON-ready; what does not apply is missing."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in fields.items() if value is not None}


class Gallery:
    """Some 30 bytes a record, whatever the size of its vector; texts are kept as they are."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._kind, self._file = array("b"), array("i")
        self._start, self._end, self._cosine = array("d"), array("d"), array("d")

    @property
    def count(self) -> int:
        return len(self._cosine)

    def add(
        self, records: Sequence[Record], cosines: NDArray[np.float64], only: Collection[Kind]
    ) -> None:
        """Records with their cosines (n,); other kinds than `only` are passed over."""
        for record, cosine in zip(records, cosines.tolist(), strict=True):
            if record.modality not in only:
                continue
            if record.text is not None:
                self._texts[self.count] = record.text
            # The place of a line is its number: two lines never touch.
            start, end = (
                (record.line, record.line)
                if record.modality == "text"
                else (record.t0_s, record.t1_s)
            )
            self._kind.append(KINDS.index(record.modality))
            self._file.append(self._files.setdefault(record.file, len(self._files)))
            self._start.append(start or 0)
            self._end.append(end or 0)
            self._cosine.append(cosine)

    def by_kind(self) -> dict[str, int]:
        """How many records of each kind there are."""
        counts = np.bincount(np.array(self._kind, np.intp), minlength=len(KINDS))
        return {kind: int(n) for kind, n in zip(KINDS, counts, strict=True) if n}

    def best(self, top: int) -> list[Hit]:
        """At most `top` different moments, best score first."""
        kinds, cosines = np.array(self._kind, np.intp), np.array(self._cosine)
        moments = Moments(
            kinds, np.array(self._file, np.intp), np.array(self._start), np.array(self._end)
        )
        values = scores(cosines, kinds)
        names = list(self._files)
        hits: list[Hit] = []
        for rank, index in enumerate(best(values, moments, top), 1):
            kind, file = KINDS[self._kind[index]], names[self._file[index]]
            start, end = self._start[index], self._end[index]
            score, cosine = float(values[index]), self._cosine[index]
            if kind == "text":
                line, text = int(start), self._texts[index]
                hits.append(Hit(rank, score, cosine, kind, file, line=line, text=text))
            else:
                hits.append(Hit(rank, score, cosine, kind, file, start, end))
        return hits
