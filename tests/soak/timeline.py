"""What was done to the devices of a run and what an observer saw of it. Times are UTC ns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`at_ns` when it began, `back_ns` when the device was whole again: the same instant for one
    that was never away, as when its process is killed."""

    stream: str
    kind: str
    at_ns: int
    back_ns: int


@dataclass(frozen=True, slots=True)
class Heard:
    """An embedding: the end of its window, and when it arrived."""

    stream: str
    seq: int
    end_ns: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Said:
    """A state of a stream, and when it arrived."""

    stream: str
    state: str
    why: str
    restarts: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Memory:
    mb: float
    at_ns: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of a run in the order of arrival. `ended_ns`: when it was asked to stop."""

    heard: Sequence[Heard]
    said: Sequence[Said]
    memory: Sequence[Memory]
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How the program ended: its exit status, and which of its processes outlived it."""

    status: int
    left: Sequence[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the run promised. `lengths_ns` by stream; `seconds`: how long it was to be harmed.

    `allowance_ns` is for the machine: how late a process may wake up, and the broker's part.
    """

    hop_ns: int
    lateness_ns: int
    lengths_ns: Mapping[str, int]
    allowance_ns: int
    seconds: float
