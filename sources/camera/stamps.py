"""When a picture was taken, from when it was grabbed and what the library says of it. Pure.

The library says one number per picture, and its meaning depends on where it comes from:

- RTSP: the camera's RTP clock, which `ClockMap` maps to the host's. What the network and the
  camera itself always take cannot be known from here; how much more it takes at times is taken out.
- V4L2: the driver's stamp, on a clock that OpenCV does not name. It is used where it lies shortly
  before the grab on CLOCK_MONOTONIC, which no other clock does by chance.
- HTTP: counted up by a guessed rate. Not used.

The error is one period at least: the exposure and the way to the host lie in it.
"""

from typing import Protocol

from sources.clockmap import ClockMap
from streamer.types import NS_PER_S, ClockCard

_BEFORE_NS = NS_PER_S // 2
_STEP_NS = 10_000_000


class Stamps(Protocol):
    def stamp(self, position_ms: float, grabbed_ns: int, period_ns: int) -> tuple[int, ClockCard]:
        """When it was taken, on CLOCK_MONOTONIC, and how far off that may be."""
        ...


class Grabbed:
    """By the grab alone."""

    def stamp(self, position_ms: float, grabbed_ns: int, period_ns: int) -> tuple[int, ClockCard]:
        del position_ms
        return grabbed_ns, ClockCard("host", _coarse(period_ns))


class DriverClock:
    """V4L2."""

    def stamp(self, position_ms: float, grabbed_ns: int, period_ns: int) -> tuple[int, ClockCard]:
        error_ns = _coarse(period_ns)
        stamp_ns = _ns(position_ms)
        if 0 <= grabbed_ns - stamp_ns < _BEFORE_NS:
            return stamp_ns, ClockCard("v4l2", error_ns)
        return grabbed_ns, ClockCard("host", error_ns)


class RtpClock:
    """RTSP. A camera whose stamps do not rise is stamped by the grab."""

    def __init__(self) -> None:
        self._map = ClockMap("rtp")
        self._last_ns = -1

    def stamp(self, position_ms: float, grabbed_ns: int, period_ns: int) -> tuple[int, ClockCard]:
        stamp_ns = _ns(position_ms)
        rises = stamp_ns > self._last_ns
        self._last_ns = stamp_ns
        if not rises:
            return grabbed_ns, ClockCard("host", _coarse(period_ns))
        t_ns = self._map.to_host(stamp_ns, grabbed_ns)
        card = self._map.card
        return t_ns, ClockCard(card.domain, _coarse(card.error_ns + period_ns), card.offset_ns)


def _ns(milliseconds: float) -> int:
    # Not a number and infinity are none of a clock's.
    return round(milliseconds * 1e6) if abs(milliseconds) < 1e15 else -1


def _coarse(error_ns: int) -> int:
    """Up to whole 10 ms: one that differs with each picture says no more."""
    return -(-error_ns // _STEP_NS) * _STEP_NS
