"""What the numbers of a picture mean: metres, degrees Celsius, or brightness."""

import math
from collections.abc import Mapping

import numpy as np

from sources.recording.encode import METRES
from sources.recording.pictures import AS_STORED, Encoded, Look
from sources.replay.choose import Choice
from sources.replay.messages.pictures import Picture
from sources.thermal.levels import Level, SlowLevel, follow, wanted
from streamer.types import NS_PER_S

_LEAST_COUNTS = 100.0


class Looker:
    """Gives the pictures of one stream what they need to become samples.

    Heat without a calibration is brightness, on a level that follows slowly, as of a thermal camera
    without one.
    """

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._level: Level | None = None
        self._last_ns = 0

    def encoded(self, picture: Picture, t_ns: int) -> Encoded:
        """Raises ValueError for a picture that is not of the stream's modality."""
        modality = self._choice.modality
        if modality == "depth" and picture.kind == "colours":
            raise ValueError("a picture of 8 bits among depth")
        if modality == "vision" and picture.codec == "32FC1":
            raise ValueError("numbers among pictures")
        look = self._look(picture, t_ns)
        return Encoded(picture.payload, picture.codec, picture.shape, look, modality)

    def _look(self, picture: Picture, t_ns: int) -> Look:
        how, modality = self._choice.how, self._choice.modality
        if modality == "vision" or picture.kind == "colours":
            return AS_STORED
        told = _told(self._choice.metadata)
        if modality == "depth":
            if how.metres_per_unit is not None:
                return Look(how.metres_per_unit)
            return told or (AS_STORED if picture.codec == "32FC1" else METRES)
        if how.celsius is not None:
            return Look(how.celsius.scale, how.celsius.offset)
        return told or self._grey(picture, t_ns)

    def _grey(self, picture: Picture, t_ns: int) -> Look:
        values = Encoded(picture.payload, picture.codec, picture.shape).array()
        if values.ndim != 2 or not np.isfinite(values).all():
            raise ValueError("heat that is not numbers")
        target = wanted(values, _LEAST_COUNTS)
        elapsed_s = max(0.0, (t_ns - self._last_ns) / NS_PER_S)
        settle_s = SlowLevel().settle_s
        level = self._level
        self._level = target if level is None else follow(level, target, elapsed_s, settle_s)
        self._last_ns = t_ns
        scale = 255 / self._level.span
        return Look(scale, -self._level.black * scale, grey=True)


def _told(metadata: Mapping[str, str]) -> Look | None:
    """What the channel says, in the words of our own logs."""
    try:
        scale, offset = float(metadata["scale"]), float(metadata.get("offset", "0"))
    except (KeyError, ValueError):
        return None
    return Look(scale, offset) if math.isfinite(scale) and math.isfinite(offset) else None
