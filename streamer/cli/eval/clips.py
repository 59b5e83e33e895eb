"""Windows spread evenly over a file, as the published figures were taken: 3 of a sound, 5 of a
video, and their mean."""

from dataclasses import dataclass, replace

from sources.epoch import DEFAULT_START, to_ns
from sources.media.probe import probe
from sources.media.source import Media, MediaStreams
from streamer.errors import ConfigError
from streamer.plan import Plan
from streamer.protocols import Source
from streamer.types import NS_PER_S, Modality


@dataclass(frozen=True, slots=True)
class Spread:
    """Where a file has to start, and the grid, for its windows to fall evenly on it."""

    start_ns: int
    hop_ns: int
    min_coverage: float | None
    """What tells the windows that were meant from those that hang over an edge of the file; None:
    there is but one window, as full as the file can make it."""


def spread(duration_ns: int, length_ns: int, count: int, after_ns: int) -> Spread:
    """`count` windows of `length_ns`, the first at the file's start, the last at its end.

    A file no longer than a window has one. `start_ns` is at or after `after_ns`, so that the first
    window ends on the grid of the hop.
    """
    spare_ns = duration_ns - length_ns
    hop_ns = spare_ns // (count - 1) if count > 1 else 0
    if spare_ns <= 0 or hop_ns == 0:
        hop_ns, least = max(duration_ns, length_ns), None
    else:
        # Half way between a full window and its neighbour, a hop beyond the edge.
        least = 1 - min(hop_ns, length_ns) / (2 * length_ns)
    first_end_ns = -(-(after_ns + length_ns) // hop_ns) * hop_ns
    return Spread(first_end_ns - length_ns, hop_ns, least)


def spread_over(source: Source, plan: Plan, count: int) -> tuple[Source, Plan]:
    """The source and the plan with which a file gives `count` windows; pictures as they are.

    Raises `SourceLost`, and `ConfigError` where the file does not say how long it is.
    """
    if not isinstance(source, Media):
        return source, plan
    taken = {info.modality for info in source.streams}
    durations_s = [s for m, s in probe(source.path).durations_s.items() if m in taken]
    known_s = [s for s in durations_s if s is not None]
    if not known_s:
        raise ConfigError(f"{source.path}: --clips: expected a file that says how long it is")
    length_ns = max(plan.lengths_ns[modality] for modality in taken)
    found = spread(round(max(known_s) * NS_PER_S), length_ns, count, to_ns(DEFAULT_START))
    least = plan.min_coverage if found.min_coverage is None else found.min_coverage
    return (
        source.model_copy(update={"start": found.start_ns}),
        replace(plan, hop_ns=found.hop_ns, min_coverage=least),
    )


def narrowed(source: Source, only: Modality | None) -> Source:
    """The source with no other stream than `only`, where it has that one."""
    if not isinstance(source, Media) or only not in {info.modality for info in source.streams}:
        return source
    return source.model_copy(update={"names": MediaStreams.model_validate({only: only})})
