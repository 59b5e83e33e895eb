"""What of a log could not be read, by cause. Pure."""

from collections import Counter

MOST_CAUSES = 100
"""Names in a file are no bound: whoever wrote it chose them."""


class Causes:
    """Counts by kind; each is told with the first place where it was met.

    A file of a million damaged records has one cause, not a million.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said: dict[str, str] = {}

    def add(self, kind: str, first: str = "") -> None:
        """`kind` has no numbers in it; what is particular to this one goes into `first`."""
        said = self._said.get(kind)
        if said is None:
            if len(self._said) >= MOST_CAUSES:
                kind, first = "other problems", ""
            said = self._said.setdefault(kind, f"{kind}, first {first}" if first else kind)
        self.counts[said] += 1

    def clear(self) -> None:
        self.counts.clear()
        self._said.clear()
