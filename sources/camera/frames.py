"""What a camera is to the rest: pictures, one after the other."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Grab:
    """A picture that has come. `position_ms` is what the library says of its time."""

    at_ns: int
    position_ms: float = 0.0


class Frames(Protocol):
    """An open camera. One thread calls `grab` and `picture`.

    `what` tells a person what was agreed on; `rate_hz` is what the camera says, true or not.
    """

    what: str
    rate_hz: float
    order: Literal["RGB", "BGR"]

    def grab(self) -> Grab | None:
        """Wait for the next picture; None if there was none for a while. Raises `SourceLost`."""
        ...

    def picture(self) -> NDArray[Any]:
        """The one grabbed last, uint8 (H, W, 3) in `order`. Raises `SourceLost`."""
        ...

    def close(self) -> None:
        """Nobody may be in `grab`."""
        ...
