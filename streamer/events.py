"""What the windows of a run are made of, in the order in which it happened.

A live run is a sequence of these; a recording keeps the sequence, and replay goes through it again.
"""

from dataclasses import dataclass
from typing import TypeAlias

from streamer.types import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A sample came when the run's clock stood at `now_ns`.

    `live`: the clock is that of the sensors, and a stamp beyond it is a lie. Files have no now.
    """

    now_ns: int
    sample: Sample
    live: bool = True


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing came, and the clock of a live run went on: it stands in for silent streams."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class Ended:
    """These streams give no more: their last windows close."""

    now_ns: int
    streams: tuple[str, ...]


Event: TypeAlias = Arrived | Passed | Ended
