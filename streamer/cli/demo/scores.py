"""Keeps the score of a run: a sink beside the others that judges what subscribers get."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from streamer.channels import Account
from streamer.cli.demo.judge import JUDGED, Judgement, Verdict, judge
from streamer.fusion import FUSED
from streamer.types import NS_PER_S, Counts, Embedding, Message, Truth

KEEP_NS = 30 * NS_PER_S
"""Truth older than this is forgotten, and a window that still waits for its truth is given up."""
# Against sources that tell more than they should: thirty seconds of a hundred truths a second.
_MOST_TRUTHS = 3000
RECENT = 12

ENOUGH = 5
"""The least number of judged windows from which a sense is held to anything."""
LEAST_OF_EACH, LEAST_OF_ALL = 0.5, 0.6


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one stream. Frozen, so that a view in another thread sees it whole.

    `judged` belongs to `latest`, or to the window before it as long as its truth is to come.
    `recent` are the newest verdicts, newest last.
    """

    embeddings: int = 0
    first_end_ns: int = 0
    latest: Embedding | None = None
    judged: tuple[Embedding, Judgement] | None = None
    verdicts: Counts = field(default_factory=lambda: MappingProxyType({}))
    recent: tuple[Verdict, ...] = ()

    @property
    def hits(self) -> int:
        return self.verdicts.get("hit", 0)

    @property
    def total(self) -> int:
        """How many were judged."""
        return sum(self.verdicts.get(verdict, 0) for verdict in JUDGED)

    @property
    def rate_hz(self) -> float:
        """Embeddings a second of their own time."""
        span_ns = self.latest.span.end_ns - self.first_end_ns if self.latest else 0
        return (self.embeddings - 1) * NS_PER_S / span_ns if span_ns > 0 else 0.0

    def report(self) -> dict[str, Any]:
        """`rate` is None where nothing was judged."""
        return {
            "embeddings": self.embeddings,
            "judged": self.total,
            "hits": self.hits,
            "rate": round(self.hits / self.total, 4) if self.total else None,
            "not_judged": {why: n for why, n in self.verdicts.items() if why not in JUDGED},
        }


class Scores:
    """An open sink that judges embeddings as the truth comes in. Bounded in memory.

    The truth of a window may come before its embedding or after it.
    """

    def __init__(self, streams: Iterable[str]) -> None:
        self.rows = {stream: Row() for stream in streams}
        self.began_ns: int | None = None
        """When the first truth begins, which is when the world does."""
        self._truths: deque[Truth] = deque(maxlen=_MOST_TRUTHS)
        self._waiting: deque[Embedding] = deque()
        self._account = Account()

    async def publish(self, message: Message) -> None:
        self._account.produced += 1
        self._account.delivered += 1
        if isinstance(message, Truth):
            if self.began_ns is None:
                self.began_ns = message.span.start_ns
            self._truths.append(message)
            self._forget(message.span.end_ns)
            self._settle(message.span.end_ns)
        elif isinstance(message, Embedding):
            row = self.rows[message.stream]
            self.rows[message.stream] = replace(
                row,
                embeddings=row.embeddings + 1,
                first_end_ns=row.first_end_ns or message.span.end_ns,
                latest=message,
            )
            self._waiting.append(message)
            known_ns = self._truths[-1].span.end_ns if self._truths else 0
            self._settle(max(known_ns, message.span.end_ns - KEEP_NS))

    def report(self) -> Mapping[str, Any]:
        return self._account.report()

    def finish(self) -> None:
        """Judge what still waits by what is known: no more truth will come."""
        while self._waiting:
            self._judge(self._waiting.popleft())

    def _settle(self, known_ns: int) -> None:
        while self._waiting and self._waiting[0].span.end_ns <= known_ns:
            self._judge(self._waiting.popleft())

    def _forget(self, now_ns: int) -> None:
        while self._truths[0].span.end_ns < now_ns - KEEP_NS:
            self._truths.popleft()

    def _judge(self, embedding: Embedding) -> None:
        judgement = judge(embedding, self._truths)
        row, verdict = self.rows[embedding.stream], judgement.verdict
        self.rows[embedding.stream] = replace(
            row,
            judged=(embedding, judgement),
            verdicts=MappingProxyType({**row.verdicts, verdict: row.verdicts.get(verdict, 0) + 1}),
            recent=(*row.recent, verdict)[-RECENT:],
        )


def overall(rows: Mapping[str, Row]) -> tuple[int, int]:
    """Hits and judged windows of all senses together; the fused row has no sense of its own."""
    senses = [row for stream, row in rows.items() if stream != FUSED]
    return sum(row.hits for row in senses), sum(row.total for row in senses)


def wrong(rows: Mapping[str, Row]) -> list[str]:
    """Why a run does not count as mostly right: one line each, empty when it does.

    Chance is one in twenty-four to three in twenty-four, and a trained sense is right nine times in
    ten. Over a few scenes the windows of one sense hang together: a single thing that is taken for
    another in one of three scenes costs a third of them. So each sense is held to half, which
    chance does not reach and one bad scene does not undo, and all together to three in five. Fewer
    than five windows say nothing of a sense, but something must have been judged.
    """
    lines = [f"{stream}: no embedding came" for stream, row in rows.items() if not row.embeddings]
    hits, total = overall(rows)
    if not total:
        return [*lines, "nothing could be judged: no truth came, or the run was too short"]
    for stream, row in rows.items():
        if row.total >= ENOUGH and row.hits < LEAST_OF_EACH * row.total:
            lines.append(f"{stream}: {row.hits} of {row.total} right, expected at least half")
    if hits < LEAST_OF_ALL * total:
        lines.append(f"all senses: {hits} of {total} right, expected at least {LEAST_OF_ALL:.0%}")
    return lines
