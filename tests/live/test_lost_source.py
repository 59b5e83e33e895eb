"""A run whose device is lost and comes back: what is shown meanwhile, and told at the end."""

import asyncio
import io

from rich.console import Console

from streamer.cli.progress import Progress, line
from streamer.cli.run import summary
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.types import Message, SourceStatus
from tests.collector import eventually
from tests.doubles import MS, Collector, GatedEncoder
from tests.puppet import Puppet

SOON_S = 30.0
"""Long enough for a machine that is busy with other things."""

PLAN = Plan(
    hop_ns=100 * MS,
    lengths_ns={"vision": 400 * MS},
    lateness_ns=20 * MS,
    idle_ns=100 * MS,
    min_coverage=0.25,
)


class Onlooker(Collector):
    """Looks at the table and the line whenever a stream changes its state."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[SourceStatus, str, str]] = []
        self.run: Pipeline | None = None

    async def publish(self, message: Message) -> None:
        await super().publish(message)
        if isinstance(message, SourceStatus) and self.run is not None:
            page = Console(width=140, file=io.StringIO(), record=True)
            page.print(Progress(self.run))
            self.seen.append((message, page.export_text(), line(self.run)))

    def of(self, stream: str, state: str, why: str) -> list[tuple[str, str]]:
        return [
            (table, told)
            for status, table, told in self.seen
            if (status.stream, status.state, status.why) == (stream, state, why)
        ]


async def test_a_camera_that_is_unplugged_is_seen_and_counted() -> None:
    looks = Onlooker()
    front = Puppet(stream="front", rate_hz=100, after=50, then="lose")
    run = Pipeline(PLAN, [front, Puppet(stream="rear")], GatedEncoder(), [looks])
    looks.run = run
    stop = asyncio.Event()
    running = asyncio.create_task(run.run(stop))
    await eventually(
        lambda: len(looks.of("front", "online", "")) >= 2 and looks.of("rear", "online", "") != [],
        SOON_S,
    )
    stop.set()
    await running

    for table, told in looks.of("front", "offline", "front: unplugged"):
        assert "offline: unplugged" in table
        assert "offline: front" in told
    for table, told in looks.of("front", "online", ""):
        assert "offline: front" not in table + told
    assert not any("offline: rear" in table + told for _, table, told in looks.seen)

    report = run.report()
    lost = len(looks.of("front", "offline", "front: unplugged"))
    assert lost >= 1
    assert report["sources"]["front"]["outages"] == lost
    assert report["sources"]["front"]["restarts"] >= 1
    rear = {"state": "online", "why": "", "outages": 0, "restarts": 0}
    assert report["sources"]["rear"] == rear, "to be stopped is no outage"
    told = summary(report | {"wall_s": 1.0, "peak_memory_mb": 1.0}).splitlines()[1:]
    assert len(told) == 1
    assert told[0].startswith(f"stream front: {lost} outage")
