"""How far a replay is: a bar for a terminal, a line for a log."""

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table

from streamer.cli.progress import Progress, line
from streamer.cli.times import position
from streamer.clock import ReplayClock, monotonic_ns
from streamer.fusion import FUSED
from streamer.pipeline import Pipeline
from streamer.types import NS_PER_S

_BAR_CHARACTERS = 30


class ReplayProgress:
    """The position in the log, windows per second of the host, and the table of a run below.

    `end_ns` None: the log does not say where it ends. `loop`: it begins again there.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        clock: ReplayClock,
        start_ns: int,
        end_ns: int | None,
        *,
        loop: bool,
    ) -> None:
        self._pipeline, self._clock = pipeline, clock
        self._start_ns, self._loop = start_ns, loop
        self._length_ns = None if end_ns is None else max(1, end_ns - start_ns)
        self._table = Progress(pipeline)
        self._began_ns = monotonic_ns()

    def __rich__(self) -> Group:
        row = Table.grid(padding=(0, 1))
        if self._length_ns is not None:
            bar = ProgressBar(self._length_ns, self._position_ns, width=_BAR_CHARACTERS)
            row.add_row(bar, self._said())
        else:
            row.add_row(self._said())
        return Group(row, self._table)

    def line(self) -> str:
        """The same in one line."""
        return "; ".join(filter(None, (self._said(), line(self._pipeline))))

    @property
    def _position_ns(self) -> int:
        position_ns = max(0, self._clock.now_ns() - self._start_ns)
        if self._length_ns is None:
            return position_ns
        return position_ns % self._length_ns if self._loop else min(position_ns, self._length_ns)

    def _said(self) -> str:
        elapsed_s = max(1, monotonic_ns() - self._began_ns) / NS_PER_S
        windows = sum(n for name, n in self._pipeline.published.items() if name != FUSED)
        position_ns = self._clock.now_ns() - self._start_ns
        of = "" if self._length_ns is None else f" of {position(self._length_ns)}"
        at = f"{position(self._position_ns)}{of}"
        if self._loop and self._length_ns is not None:
            at += f", pass {position_ns // self._length_ns + 1}"
        times = position_ns / NS_PER_S / elapsed_s
        return f"{at}, {windows / elapsed_s:.0f} windows/s, {times:.1f} times real time"
