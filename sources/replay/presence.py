"""When a stream was there, in a bounded number of slots: what a timeline is drawn from. Pure."""

MOST_SLOTS = 2048


class Presence:
    """How much there was in each slot of time, from the first on.

    Slots become twice as long whenever they would be too many: one picture of a minute or a day.
    """

    def __init__(self, slot_ns: int = 20_000_000) -> None:
        self.slot_ns = slot_ns
        self.counts: dict[int, int] = {}
        """By the number of the slot since the epoch."""

    def add(self, t_ns: int, count: int = 1) -> None:
        slot = t_ns // self.slot_ns
        self.counts[slot] = self.counts.get(slot, 0) + count
        while len(self.counts) > MOST_SLOTS:
            self._coarser()

    def coarser(self, slot_ns: int) -> None:
        """Slots of this length at the least, so that streams can be drawn side by side."""
        while self.slot_ns < slot_ns:
            self._coarser()

    def _coarser(self) -> None:
        self.slot_ns *= 2
        counts: dict[int, int] = {}
        for slot, count in self.counts.items():
            counts[slot // 2] = counts.get(slot // 2, 0) + count
        self.counts = counts
