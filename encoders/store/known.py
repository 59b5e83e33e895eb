"""The checkpoints that have a name."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A published file. Nobody publishes its hash, so none is given here."""

    file: str
    url: str
    licence: str
    """What must be accepted before it is fetched."""


KNOWN: Mapping[str, Known] = {
    "imagebind_huge": Known(
        file="imagebind_huge.pth",
        url="https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
        licence=(
            "The weights of imagebind_huge (Meta Platforms, Inc.) are under CC BY-NC-SA 4.0, not"
            " under the licence of this program: NON-COMMERCIAL use only, with attribution, and"
            " what you make from them under the same licence."
            " https://creativecommons.org/licenses/by-nc-sa/4.0/"
        ),
    ),
}
