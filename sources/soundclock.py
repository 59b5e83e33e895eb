"""When sound was taken: a count of samples on the host's clock. Pure.

Samples come at an even rate, so their number is the best clock there is between two of them; the
host's clock only says where it starts and how far the crystal is off. Two things are known of each
block: when it arrived, which is never before its last sample was taken, and how old the device
claims its first sample was then. Sound servers claim nonsense while a stream starts or its source
is suspended, so claims count only near what the arrivals allow, and while they agree.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceLost
from streamer.types import NS_PER_S, ClockCard

SLEW = 500
"""Parts in a million by which stamps run faster or slower than their samples, at the most: sound
cards are off by less than 200."""

TOLERANCE_NS = 10_000_000
"""Nothing is moved for an error up to this: stamps go by the samples alone."""

LATE_NS = 100_000_000
"""A block that comes so much later than its samples say was held up, or samples are missing."""

HOLD_NS = NS_PER_S // 4
"""How long it is kept until it is known which: what was held up is caught up with by then."""

TRUST_NS, AGREE_NS = NS_PER_S // 5, 30_000_000
"""A device may claim that sound was under way for so long, if its claims agree to within this."""

AHEAD_NS = NS_PER_S // 2
"""Stamps that are so far ahead of what arrives come from a device of another rate."""

DOMAIN = "samples"
"""The clock on quality cards."""

_WINDOW_NS = 5 * NS_PER_S
# Sound is kept for this long at the most, whatever the clocks say.
_MOST_S = 10


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What a device delivers at once.

    `samples` (n,) or (n, channels), `arrival_ns` when that was, `delay_ns` how long before its
    arrival the first was taken, as the device claims; `overflow`: it lost some before this.
    """

    samples: NDArray[np.float32]
    arrival_ns: int
    delay_ns: int
    overflow: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Sound with its place in time.

    Sample n of a stretch without a gap was taken at `origin_ns + n / rate`. `lost` is given where
    a stretch `begins`: how many blocks like its first are missing before it, and their `cause`.
    """

    samples: NDArray[np.float32]
    origin_ns: int
    begins: bool = False
    lost: int = 0
    cause: str = ""


class SoundClock:
    """Puts the blocks of one stream in their place, in the order in which they come.

    A stretch starts where the device says that it lost samples (cause `overflow`), or where
    blocks arrive late and nothing catches up (`gap`: a source that was suspended). What is missing
    is the time between the stretches, in blocks, at least one. It never starts before the one
    before has ended. Its first quarter of a second is kept until its start is known.
    `name` is for errors.
    """

    def __init__(self, name: str, rate_hz: int) -> None:
        self._name, self._rate_hz = name, rate_hz
        self._held: list[Block] = []
        self._broken = True
        self._overflow = False
        self._origin_ns: int | None = None
        self._frames = 0
        self._least: deque[tuple[int, int]] = deque()
        """(arrival, start by that arrival), starts rising: the first is the least there is."""
        self._claims: deque[tuple[int, int]] = deque()
        """(arrival, start as claimed)"""

    def push(self, block: Block) -> list[Piece]:
        """What can be placed now. Raises `SourceLost` if the rate is not what was agreed on."""
        pieces: list[Piece] = []
        if block.overflow:
            if self._held:
                # Late, but nobody said that they do not follow on those before.
                pieces.append(self._begin() if self._broken else self._go_on())
            self._broken = self._overflow = True
        self._held.append(block)
        held_ns = block.arrival_ns - self._held[0].arrival_ns
        held_frames = sum(len(held.samples) for held in self._held)
        if not self._broken and self._late_ns(held_frames, block) <= LATE_NS:
            pieces.append(self._go_on())
        elif held_ns >= HOLD_NS or held_frames >= _MOST_S * self._rate_hz:
            pieces.append(self._begin())
        return pieces

    @property
    def card(self) -> ClockCard:
        """The clock, when its sample 0 was, and how far the arrivals and claims are from that."""
        if self._origin_ns is None:
            return ClockCard(DOMAIN, HOLD_NS)
        origin_ns = self._origin_ns
        error_ns = max(abs(self._target_ns() - origin_ns), abs(self._least[0][1] - origin_ns))
        return ClockCard(DOMAIN, error_ns, origin_ns)

    def _late_ns(self, held_frames: int, block: Block) -> int:
        start_ns = block.arrival_ns - self._ns(self._frames + held_frames)
        return start_ns - self._least[0][1]

    def _go_on(self) -> Piece:
        """The blocks held follow on the one before: nothing is missing."""
        samples = self._noted()
        return Piece(samples, self._slewed_ns(len(samples)))

    def _begin(self) -> Piece:
        """The blocks held begin a stretch."""
        before_ns, end_ns = self._origin_ns, 0
        if before_ns is not None:
            end_ns = before_ns + self._ns(self._frames)
        length_ns = self._ns(len(self._held[0].samples))
        self._frames = 0
        self._least.clear()
        self._claims.clear()
        samples = self._noted()
        self._origin_ns = max(self._target_ns(), end_ns)
        lost, cause = 0, ""
        if before_ns is not None:
            lost = max(1, round((self._origin_ns - end_ns) / length_ns))
            cause = "overflow" if self._overflow else "gap"
        self._broken = self._overflow = False
        return Piece(samples, self._origin_ns, True, lost, cause)

    def _noted(self) -> NDArray[np.float32]:
        """The samples of the blocks held, which are held no longer."""
        blocks, self._held = self._held, []
        for block in blocks:
            self._note(block)
        return np.concatenate([block.samples for block in blocks])

    def _note(self, block: Block) -> None:
        arrival_ns = block.arrival_ns
        self._claims.append((arrival_ns, arrival_ns - block.delay_ns - self._ns(self._frames)))
        self._frames += len(block.samples)
        start_ns = arrival_ns - self._ns(self._frames)
        while self._least and self._least[-1][1] >= start_ns:
            self._least.pop()
        self._least.append((arrival_ns, start_ns))
        for seen in (self._least, self._claims):
            while seen[0][0] < arrival_ns - _WINDOW_NS:
                seen.popleft()

    def _target_ns(self) -> int:
        """When sample 0 was taken, by all that was seen lately."""
        latest_ns = self._least[0][1]
        claims = sorted(ns for _, ns in self._claims)
        tenth = len(claims) // 10
        inner = claims[tenth : len(claims) - tenth]
        claimed_ns = min(inner[len(inner) // 2], latest_ns)
        agree = inner[-1] - inner[0] <= AGREE_NS and latest_ns - claimed_ns <= TRUST_NS
        return claimed_ns if agree else latest_ns

    def _slewed_ns(self, frames: int) -> int:
        """Where sample 0 is now thought to be: moved towards the target by `SLEW` at the most."""
        origin_ns = self._origin_ns or 0
        error_ns = self._target_ns() - origin_ns
        if error_ns < -AHEAD_NS:
            raise SourceLost(
                f"{self._name}: expected {self._rate_hz} samples a second, got more: "
                f"{-error_ns / NS_PER_S:.1f} s too many"
            )
        most_ns = self._ns(frames) * SLEW // 1_000_000
        if error_ns > TOLERANCE_NS:
            origin_ns += min(error_ns - TOLERANCE_NS, most_ns)
        elif error_ns < -TOLERANCE_NS:
            origin_ns -= min(-error_ns - TOLERANCE_NS, most_ns)
        self._origin_ns = origin_ns
        return origin_ns

    def _ns(self, frames: int) -> int:
        return frames * NS_PER_S // self._rate_hz
