"""Readings one by one, handed over as blocks with stamps on the beat of the device."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sources.clockmap import ClockMap
from sources.imu.dejitter import Dejitter
from sources.isolated.port import Port
from streamer.types import HOST_CLOCK, NS_PER_S, ClockCard

BLOCK_NS = NS_PER_S // 25
"""A block is handed over when it is so long, or nothing follows for so long."""

MAX_READINGS = 2048
"""In one block, however fast they come: they must fit a datagram."""

_UNKNOWN_NS = NS_PER_S // 200
"""The period of a device that has not yet shown it."""


_NOTE_NS = 5 * NS_PER_S


class Outlet:
    """Collects the readings of one stream. `dejitter` has the bound that the card tells.

    `clock` maps the stamps of the device, for `to_host`; None where they are the host's.
    """

    def __init__(
        self, port: Port, stream: str, dejitter: Dejitter, clock: ClockMap | None = None
    ) -> None:
        self._port, self._stream, self._dejitter, self._clock = port, stream, dejitter, clock
        self._t_ns: list[int] = []
        self._values: list[NDArray[np.float64] | Sequence[float]] = []
        self._last_ns = 0
        self._noted_ns: int | None = None

    def to_host(self, stamp_ns: int, arrival_ns: int) -> int:
        """The stamp of the device on the host's clock; what was before is handed over where the
        device's clock was set."""
        if self._clock is None:
            # One that lies ahead would hold all that follow back.
            return min(stamp_ns, arrival_ns)
        before, card = self._clock.steps, self._card
        t_ns = self._clock.to_host(stamp_ns, arrival_ns)
        if self._clock.steps != before:
            self._hand_over(card)
            self._note(self._clock.steps, arrival_ns)
        return t_ns

    def push(self, t_ns: int, values: NDArray[np.float64] | Sequence[float]) -> None:
        """One reading: (6,) in m/s^2 and rad/s. One from before the last is taken with it."""
        t_ns = self._dejitter.smooth(max(t_ns, self._last_ns))
        self._last_ns = t_ns
        if self._ends_before(t_ns):
            self.flush()
        self._t_ns.append(t_ns)
        self._values.append(values)

    def flush(self) -> None:
        """Hand over what there is."""
        self._hand_over(self._card)

    def _hand_over(self, card: ClockCard) -> None:
        if not self._t_ns:
            return
        block = np.array(self._t_ns, np.int64), np.array(self._values, np.float32)
        period_ns = self._dejitter.period_ns or _UNKNOWN_NS
        self._port.motion(self._stream, *block, period_ns, clock=card)
        self._t_ns.clear()
        self._values.clear()

    def _note(self, steps: int, now_ns: int) -> None:
        """Now and then: a column that is no clock would be set with every line."""
        if self._noted_ns is None or now_ns - self._noted_ns >= _NOTE_NS:
            self._noted_ns = now_ns
            self._port.note(self._stream, f"the device's clock was set, {steps} times so far")

    def _ends_before(self, t_ns: int) -> bool:
        if not self._t_ns:
            return False
        period_ns = self._dejitter.period_ns or _UNKNOWN_NS
        # What stands for time that no reading covers would hide a gap.
        gap = t_ns - self._t_ns[-1] > max(1.5 * period_ns, period_ns + self._dejitter.bound_ns)
        return gap or t_ns - self._t_ns[0] >= BLOCK_NS or len(self._t_ns) == MAX_READINGS

    @property
    def _card(self) -> ClockCard:
        card = HOST_CLOCK if self._clock is None else self._clock.card
        return ClockCard(card.domain, card.error_ns + self._dejitter.bound_ns, card.offset_ns)
