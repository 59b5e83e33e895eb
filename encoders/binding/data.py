"""What training and evaluation read: moments, from wherever they come."""

from typing import Protocol

from streamer.types import Moment


class Moments(Protocol):
    """A data set. The same index gives the same moment every time, in any process.

    An implementation can be sent to worker processes, so it holds what it needs to find or to
    compute its moments, and not the moments.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Moment: ...
