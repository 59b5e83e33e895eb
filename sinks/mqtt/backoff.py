"""How long to wait before calling a broker again."""

import random
from typing import Literal, TypeAlias

Trouble: TypeAlias = Literal["absent", "refused", "thrown out"]

# Nobody there: a restarted broker should be found at once, and knocking costs nothing. Said no, or
# let in and thrown out: knocking harder does not help, and fills the broker's log.
_CAPS_S: dict[Trouble, float] = {"absent": 0.5, "refused": 5.0, "thrown out": 5.0}
_FIRST_S = 0.05


class Backoff:
    """Pauses that double while the trouble is of one kind, with jitter, so that a fleet does not
    come back all at once."""

    def __init__(self) -> None:
        self._trouble: Trouble | None = None
        self._count = 0

    def pause_s(self, trouble: Trouble) -> float:
        self._count = self._count + 1 if trouble == self._trouble else 0
        self._trouble = trouble
        longest_s = min(_FIRST_S * 2 ** min(self._count, 10), _CAPS_S[trouble])
        return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
