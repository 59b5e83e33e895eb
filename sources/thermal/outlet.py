"""Where 16-bit pictures leave the process of their camera: judged, levelled, counted."""

import numpy as np
from numpy.typing import NDArray

from sources.isolated.port import Port
from sources.thermal.levels import FixedLevel, Level, LevelConfig, SlowLevel, follow, wanted
from sources.thermal.units import Linear, Unit, implausible, linear
from streamer.errors import SourceLost
from streamer.types import NS_PER_S

_DOUBT_NS = NS_PER_S // 2
"""Nothing but wrong pictures for so long is a wrong unit; less is a camera that is starting up."""
_NEWS = 0.1
"""Of its span the level has moved when it is told again."""
_LEAST_SPAN_C, _LEAST_SPAN_COUNTS = 5.0, 100.0


class Outlet:
    """Pictures of one stream, with what makes degrees or brightness of their 16 bits."""

    def __init__(self, port: Port, stream: str, unit: Unit, level: LevelConfig | None) -> None:
        self._port, self._stream = port, stream
        self._unit: Unit = unit
        self._config = level
        calibration = linear(unit)
        self._symbol = "counts" if calibration is None else "degrees Celsius"
        self._least_span = _LEAST_SPAN_COUNTS if calibration is None else _LEAST_SPAN_C
        self._values = calibration or Linear(scale=1, offset=0)
        self._level: Level | None = None
        self._told: Level | None = None
        self._last_ns = 0
        self._doubted_ns: int | None = None

    def put(self, raw: NDArray[np.uint16], t_ns: int, duration_ns: int) -> None:
        """Hand over one picture (H, W). Raises `SourceLost` if they are not of the unit."""
        if why := implausible(raw, self._unit):
            if self._doubted_ns is None:
                self._doubted_ns = t_ns
            if t_ns - self._doubted_ns >= _DOUBT_NS:
                raise SourceLost(f"{self._stream}: {why}")
            self._port.lost(self._stream, "implausible")
            return
        self._doubted_ns = None
        scale, offset = self._values.scale, self._values.offset
        level = None
        if self._config is not None:
            level = self._level = self._next(self._config, raw, t_ns)
            # Out of the values' scale, then black to 0 and white to 255.
            scale, offset = (k * 255 / level.span for k in (scale, offset - level.black))
        room = self._port.room(self._stream, raw.shape, "uint16")
        if room is None:
            return
        room.array[:] = raw
        self._port.picture(
            self._stream,
            room,
            t_ns,
            duration_ns,
            scale=scale,
            offset=offset,
            grey=level is not None,
        )
        if level is not None:
            self._tell(level)

    def _next(self, config: FixedLevel | SlowLevel, raw: NDArray[np.uint16], t_ns: int) -> Level:
        if isinstance(config, FixedLevel):
            return Level(config.black, config.white)
        values = raw * np.float64(self._values.scale) + self._values.offset
        target = wanted(values, config.least_span or self._least_span)
        elapsed_s = (t_ns - self._last_ns) / NS_PER_S
        self._last_ns = t_ns
        if self._level is None:
            return target
        return follow(self._level, target, elapsed_s, config.settle_s)

    def _tell(self, level: Level) -> None:
        told = self._told
        if told is not None:
            moved = max(abs(level.black - told.black), abs(level.white - told.white))
            if moved < _NEWS * told.span:
                return
        said = f"black {level.black:.5g}, white {level.white:.5g} {self._symbol}"
        if self._port.note(self._stream, said):
            self._told = level
