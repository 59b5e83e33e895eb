"""Who hears how far a long piece of work is."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], object]
"""Hears how many bytes are done, and of how many."""

Heard: TypeAlias = Callable[[str, int, int], object]
"""Hears what is being done, how many bytes of it are, and of how many."""
