"""What a table for `streamer eval --data` is made of."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """`counts_as`: the class that the label is one of the names of; "" = the label itself."""

    file: Path
    label: str
    counts_as: str = ""
