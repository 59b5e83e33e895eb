"""Readings leave as blocks, whatever the clock of the device does. The port is a list."""

from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sources.clockmap import ClockMap
from sources.imu.dejitter import Dejitter
from sources.imu.outlet import Outlet
from sources.isolated.port import Port
from streamer.types import NS_PER_S, ClockCard

MS = NS_PER_S // 1000
PERIOD_NS = 5 * MS
READING = (0.0, 0.0, 9.81, 0.0, 0.0, 0.0)


@dataclass
class Heard:
    """In the place of a port: what was handed over and noted."""

    blocks: list[tuple[NDArray[np.int64], ClockCard]] = field(
        default_factory=list[tuple[NDArray[np.int64], ClockCard]]
    )
    notes: list[str] = field(default_factory=list[str])

    def motion(
        self,
        stream: str,
        t_ns: NDArray[np.int64],
        values: NDArray[np.float32],
        period_ns: int,
        *,
        clock: ClockCard,
    ) -> None:
        assert stream == "imu"
        assert len(t_ns) == len(values) > 0
        self.blocks.append((t_ns.copy(), clock))

    def note(self, stream: str, what: str) -> bool:
        assert stream == "imu"
        self.notes.append(what)
        return True


def outlet(clock: ClockMap | None) -> tuple[Outlet, Heard]:
    heard = Heard()
    return Outlet(cast(Port, heard), "imu", Dejitter(PERIOD_NS, 0, clocked=True), clock), heard


def test_a_stamp_that_lies_ahead_holds_nobody_back() -> None:
    out, heard = outlet(None)
    for n in range(200):
        arrival_ns = n * PERIOD_NS
        ahead_ns = 3600 * NS_PER_S if n == 20 else 0
        out.push(out.to_host(arrival_ns + ahead_ns, arrival_ns), READING)
    out.flush()
    stamps = np.concatenate([t_ns for t_ns, _ in heard.blocks])
    assert len(stamps) == 200
    assert stamps.max() <= 199 * PERIOD_NS


def test_what_was_before_a_step_goes_out_with_the_clock_of_before() -> None:
    clock = ClockMap("imu")
    out, heard = outlet(clock)
    for n in range(6):
        arrival_ns = NS_PER_S + n * PERIOD_NS
        device_ns = n * PERIOD_NS + (100 * NS_PER_S if n >= 3 else 0)
        out.push(out.to_host(device_ns, arrival_ns), READING)
    out.flush()
    assert [(len(t_ns), card.offset_ns) for t_ns, card in heard.blocks] == [
        (3, NS_PER_S),
        (3, NS_PER_S - 100 * NS_PER_S),
    ]
    assert heard.notes == ["the device's clock was set, 1 times so far"]


def test_a_column_that_is_no_clock_is_noted_now_and_then() -> None:
    clock = ClockMap("imu")
    out, heard = outlet(clock)
    for n in range(2000):
        device_ns = (n * 7919 % 1000) * NS_PER_S
        out.push(out.to_host(device_ns, n * PERIOD_NS), READING)
    assert clock.steps > 100
    assert len(heard.notes) == 2, "in ten seconds"
