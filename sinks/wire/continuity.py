"""Whether a sequence arrives whole: the check that every subscriber can make."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["next", "gap", "late", "duplicate"]

# A gap wider than this is counted but not remembered number by number.
REMEMBERED = 10_000


@dataclass(slots=True)
class Continuity:
    """One topic. `missing` is how many of the numbers since the first have not come (yet).

    A new session id starts afresh: the publisher was restarted. Numbers before the first one heard
    are not missed, since the subscriber may have come later.
    """

    received: int = 0
    duplicates: int = 0
    sessions: int = 0
    missing: int = 0
    _sid: str | None = None
    _newest: int = -1
    _first: int = 0
    _holes: set[int] = field(default_factory=set[int])

    def see(self, sid: str, seq: int) -> Verdict:
        """`late` fills a gap; `duplicate` has come before (QoS 1 delivers at least once)."""
        if sid != self._sid:
            self._sid, self._newest, self._first = sid, seq - 1, seq
            self._holes.clear()
            self.sessions += 1
        if seq <= self._newest:
            return self._again(seq)
        holes = range(self._newest + 1, seq)
        self.missing += len(holes)
        self._holes.update(holes[-REMEMBERED:])
        while len(self._holes) > REMEMBERED:
            self._holes.remove(min(self._holes))
        self._newest = seq
        self.received += 1
        return "gap" if holes else "next"

    def _again(self, seq: int) -> Verdict:
        if seq in self._holes:
            self._holes.remove(seq)
            self.missing -= 1
            self.received += 1
            return "late"
        self.duplicates += 1
        return "duplicate"
