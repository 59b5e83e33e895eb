"""What goes wrong between a sensor and this machine: pure functions of a seed and the schedule.

Faults change what arrives and when, never what was captured: the samples of a faulty world are
some of those of the same world without faults, with the same stamps.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sources.world.live import Capture
from streamer.types import NS_PER_S

Loss: TypeAlias = Literal["lost", "outage"]

_PPB = 1_000_000_000


class Outage(BaseModel):
    """Nothing comes from a stream: what is taken from `at_s` on, for `for_s` seconds, is lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: str
    at_s: float = Field(ge=0, le=1e9)
    for_s: float = Field(gt=0, le=1e9)


class Faults(BaseModel):
    """None by default.

    `jitter_ms`: every sample comes up to this much late, evenly drawn; one never overtakes
    another of its stream, and the capture stamps stay exact. `drop`: this share of the samples
    (whole frames and whole blocks) never comes. `skew_ppm`: the robot's clock runs so much too
    fast, and the robot with it: its stamps, which claim to be the host's, run ahead of the host's
    time by a second in 1e6 / skew_ppm.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    jitter_ms: Annotated[float, Field(ge=0, le=60_000)] = 0.0
    drop: Annotated[float, Field(ge=0, le=1)] = 0.0
    skew_ppm: Annotated[float, Field(ge=-100_000, le=100_000)] = 0.0
    outages: tuple[Outage, ...] = ()

    def host_ns(self, robot_ns: int) -> int:
        """How long the host waits until the robot's clock has gone this far."""
        return robot_ns * _PPB // (_PPB + round(self.skew_ppm * 1000))


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a capture comes, in host nanoseconds since the start, or why it never does."""

    capture: Capture
    due_ns: int
    lost: Loss | None


def arrivals(
    stream: str, captures: Iterable[Capture], faults: Faults, seed: int
) -> Iterator[Arrival]:
    """What becomes of each capture of a stream, in their order, `due_ns` never decreasing."""
    # Two draws a capture whatever the faults, so that one fault does not move another.
    rng = np.random.default_rng([seed, zlib.crc32(stream.encode()), 0xFA17])
    out = [
        (outage.at_s * NS_PER_S, (outage.at_s + outage.for_s) * NS_PER_S)
        for outage in faults.outages
        if outage.stream == stream
    ]
    due_ns = 0
    for capture in captures:
        chance, delay = rng.random(2).tolist()
        delay_ns = int(delay * faults.jitter_ms * 1e6)
        due_ns = max(due_ns, faults.host_ns(capture.ready_ns) + delay_ns)
        lost: Loss | None = None
        if any(start_ns <= capture.t_ns < end_ns for start_ns, end_ns in out):
            lost = "outage"
        elif chance < faults.drop:
            lost = "lost"
        yield Arrival(capture, due_ns, lost)
