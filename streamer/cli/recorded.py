"""How a recording goes, and what became of it: a table, a line, a summary, losses."""

from collections import deque
from typing import Any

from rich.table import Table

from sources.recording.recorder import RUN, Recorder
from streamer.protocols import Clock
from streamer.types import NS_PER_S

RATE_OVER_NS = 3 * NS_PER_S


class RecordProgress:
    """The table that rich asks for again and again, and the same in one line."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder, self._clock = recorder, clock
        self._began_ns = clock.now_ns()
        self._past: deque[tuple[int, int, dict[str, int]]] = deque()

    def __rich__(self) -> Table:
        recorder, now_ns = self._recorder, self._clock.now_ns()
        seconds, bytes_since, since = self._since(now_ns)
        table = Table(title=self._title(now_ns, bytes_since / seconds), title_justify="left")
        table.add_column("stream", no_wrap=True)
        for name in ("samples", "rate", "newest", "lost"):
            table.add_column(name, justify="right", no_wrap=True)
        for stream, account in _streams(recorder).items():
            newest_ns = recorder.newest_ns.get(stream)
            dropped = sum(account.dropped.values())
            table.add_row(
                stream,
                str(account.produced),
                f"{(account.produced - since.get(stream, 0)) / seconds:.1f} Hz",
                "nothing yet" if newest_ns is None else _age(now_ns - newest_ns),
                str(dropped) if dropped else "",
            )
        return table

    def line(self) -> str:
        now_ns = self._clock.now_ns()
        seconds, bytes_since, _ = self._since(now_ns)
        streams = _streams(self._recorder)
        counts = ", ".join(f"{name} {account.produced}" for name, account in streams.items())
        return f"{self._title(now_ns, bytes_since / seconds)}; samples: {counts}"

    def _title(self, now_ns: int, bytes_per_s: float) -> str:
        status = self._recorder.status()
        lost = sum(status.dropped.values())
        said = [
            f"{status.state} {status.path}",
            f"{(now_ns - self._began_ns) / NS_PER_S:.0f} s",
            f"{status.bytes / 1e6:.1f} MB",
            f"{bytes_per_s / 1e6:.1f} MB/s",
            *([f"{lost} lost"] if lost else []),
        ]
        return ", ".join(said) + (f": {status.why}" if status.why else "")

    def _since(self, now_ns: int) -> tuple[float, int, dict[str, int]]:
        """Over the last seconds: how many, the bytes in them, the counts before them."""
        size = self._recorder.status().bytes
        counts = {name: account.produced for name, account in _streams(self._recorder).items()}
        self._past.append((now_ns, size, counts))
        while len(self._past) > 2 and now_ns - self._past[1][0] >= RATE_OVER_NS:
            self._past.popleft()
        then_ns, before, counted = self._past[0]
        if then_ns == now_ns:
            then_ns, before, counted = self._began_ns, 0, {}
        return max(1e-3, (now_ns - then_ns) / NS_PER_S), size - before, counted


def summary(record: dict[str, Any]) -> str:
    """Of the report of a recorder: a line for the whole, one for each file where there are more."""
    samples = {name: account for name, account in record["streams"].items() if name != RUN}
    kept = sum(account["delivered"] for account in samples.values())
    files = record["files"]
    if "flight" in record:
        lines = [f"flight recorder: triggers {record['flight']['triggers']}, files {len(files)}"]
        lines += [f"  {file['path']}, {file['bytes'] / 1e6:.1f} MB" for file in files]
        return "\n".join(lines)
    if not files:
        return f"recording: nothing was recorded: {record['why']}"
    name = files[0]["path"] if len(files) == 1 else f"{files[0]['path']} and {len(files) - 1} more"
    lines = [
        f"recorded {name}: {len(samples)} streams, {kept} samples, {record['bytes'] / 1e6:.1f} MB"
    ]
    for file in files:
        alone = len(files) == 1
        about = "" if alone else f"{file['path']}, {file['bytes'] / 1e6:.1f} MB: "
        digest = f"windows {file['windows'][:16]} ({file['ticks']} ticks)"
        lines.append(f"  {about}{digest if file['windows'] else 'not closed'}")
    return "\n".join(lines)


def losses(record: dict[str, Any]) -> list[str]:
    """What the files should hold and do not: one line each."""
    failed = [f"recording stopped: {record['why']}"] if record["state"] == "failed" else []
    if flight := record.get("flight"):
        failed += [f"recording: {why}" for why in flight["failed"]]
    return failed + [
        f"recording: {count} {'messages and times' if stream == RUN else f'samples of {stream}'}"
        f" ({_CAUSES.get(cause, cause)})"
        for stream, causes in record["lost"].items()
        for cause, count in causes.items()
    ]


_CAUSES = {
    "queue": "the disk was too slow",
    "failed": "after it stopped, or not yet in a closed chunk",
}


def _streams(recorder: Recorder) -> dict[str, Any]:
    return {name: account for name, account in recorder.accounts.items() if name != RUN}


def _age(age_ns: int) -> str:
    # Files were taken long ago, and their clock is not this one.
    return f"{age_ns / 1e6:.0f} ms" if abs(age_ns) < 3600 * NS_PER_S else ""
