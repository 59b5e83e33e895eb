"""Depth frames through the library's filters, and aligned to the colour camera."""

from typing import Any


class DepthFinish:
    """Filters first, as their makers advise, then alignment; each only if it is asked for.

    spatial: smooths areas and keeps edges; temporal: averages over frames; hole filling: pixels
    without a return take a neighbour's distance. Keeps what the temporal filter has seen.
    """

    def __init__(
        self, rs: Any, *, spatial: bool, temporal: bool, hole_filling: bool, align: bool
    ) -> None:
        filters: list[Any] = []
        if spatial or temporal:
            # Their noise is even in disparity, the inverse of depth. Where there are no two
            # cameras, as in a LiDAR, the library passes frames on as they are.
            filters.append(rs.disparity_transform(True))
            filters += [rs.spatial_filter()] if spatial else []
            filters += [rs.temporal_filter()] if temporal else []
            filters.append(rs.disparity_transform(False))
        filters += [rs.hole_filling_filter()] if hole_filling else []
        self._filters = filters
        self._align = _Align(rs) if align else None

    @property
    def aligned(self) -> bool:
        return self._align is not None

    def __call__(self, depth: Any, colour: Any) -> Any:
        """A depth frame of uint16. `colour`: any frame of that camera; only used to align."""
        for each in self._filters:
            depth = each.process(depth)
        return depth if self._align is None else self._align(depth, colour)


class _Align:
    """The library aligns sets of frames, and makes them by their stamps: depth would have to wait
    for colour. Here any colour frame makes a set, since only its lens and place matter."""

    def __init__(self, rs: Any) -> None:
        self._align = rs.align(rs.stream.color)
        self._colour: Any = None
        self._sets = rs.frame_queue(1)
        self._joining = rs.processing_block(self._join)
        self._joining.start(self._sets)

    def __call__(self, depth: Any, colour: Any) -> Any:
        self._colour = colour
        self._joining.invoke(depth)
        return self._align.process(self._sets.poll_for_frame().as_frameset()).get_depth_frame()

    def _join(self, depth: Any, source: Any) -> None:
        source.frame_ready(source.allocate_composite_frame([depth, self._colour]))
