"""Pictures in shared memory: one file of equal slots, made by the program, mapped by both."""

import fcntl
import mmap
import os
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLOTS = 4
"""Pictures under way at once. The program takes them as they come; more would only be older."""


class Slots:
    """`SLOTS` slots of `slot_bytes` each. The memory goes when the last process has closed it."""

    def __init__(self, fd: int, slot_bytes: int) -> None:
        self.slot_bytes = slot_bytes
        self._map = mmap.mmap(fd, SLOTS * slot_bytes)

    def view(self, slot: int, shape: Sequence[int], dtype: str) -> NDArray[Any]:
        """The array that lies in a slot. Raises ValueError if it does not fit there."""
        size = prod(shape) * np.dtype(dtype).itemsize
        if not 0 <= slot < SLOTS or not 0 < size <= self.slot_bytes:
            raise ValueError(
                f"expected one of {SLOTS} slots of {self.slot_bytes} bytes, "
                f"got {size} bytes in slot {slot}"
            )
        array = np.frombuffer(self._map, dtype, prod(shape), slot * self.slot_bytes)
        return array.reshape(shape)

    def close(self) -> None:
        """Unmap. Views must be gone by now; one that is not keeps the memory until it goes."""
        try:
            self._map.close()
        except BufferError:
            return


def shared_memory(slot_bytes: int) -> int:
    """The descriptor of a new file in memory, as large as `Slots` needs. The caller closes it.

    Nobody can change its size any more: a process that shortened it would end who reads it.
    """
    fd = os.memfd_create("pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(fd, SLOTS * slot_bytes)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd
