"""What a log says of the run it is of: its first metadata."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sources.recording.format import VERSION
from streamer.plan import Plan
from streamer.types import MODALITIES, NS_PER_S, Modality, StreamInfo
from streamer.version import __version__


@dataclass(frozen=True, slots=True)
class About:
    """`plan`: how windows were cut while recording. `config`: YAML, "" where there was none."""

    live: bool
    streams: tuple[StreamInfo, ...]
    plan: Plan
    started_ns: int = 0
    clock_error_ns: int = 0
    config: str = ""
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    def session(self) -> dict[str, str]:
        """Texts, as MCAP's metadata are; what is not text is JSON."""
        return {
            "format": str(VERSION),
            "version": __version__,
            "live": json.dumps(self.live),
            "started_ns": str(self.started_ns),
            "clock_error_ns": str(self.clock_error_ns),
            "streams": json.dumps({info.name: info.modality for info in self.streams}),
            "plan": json.dumps(plan_told(self.plan)),
            **self.more,
        }


_SHORTEST_NS = 1_000_000
_LONGEST_NS = 24 * 3600 * NS_PER_S
_LATEST_NS = (1 << 62) - 1
_MOST_STREAMS = 1000

_KNOWN = {"format", "version", "live", "started_ns", "clock_error_ns", "streams", "plan"}


def parse(session: Mapping[str, str], config: str = "") -> About:
    """Undoes `session`. Raises ValueError for a format that this program does not know."""
    try:
        if int(session["format"]) != VERSION:
            raise ValueError(f"expected format {VERSION}, got {session['format'][:20]}")
        streams = tuple(_streams(json.loads(session["streams"]).items()))
        plan = plan_of(json.loads(session["plan"]))
        for info in streams:
            if info.modality not in plan.lengths_ns:
                raise ValueError(f"no length of windows for {info.modality}")
        return About(
            live=bool(json.loads(session["live"])),
            streams=streams,
            plan=plan,
            started_ns=_within(int(session["started_ns"]), most=_LATEST_NS),
            clock_error_ns=_within(int(session["clock_error_ns"]), most=_LATEST_NS),
            config=config,
            more={name: text for name, text in session.items() if name not in _KNOWN},
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no metadata of a recorded run: {str(error)[:80]}") from None


def plan_told(plan: Plan) -> dict[str, Any]:
    """How windows are cut: what a replay needs to cut the same."""
    return {
        "hop_ns": plan.hop_ns,
        "lengths_ns": dict(plan.lengths_ns),
        "lateness_ns": plan.lateness_ns,
        "idle_ns": plan.idle_ns,
        "min_coverage": plan.min_coverage,
    }


def plan_of(told: Any) -> Plan:
    """Undoes `plan_told`. Raises ValueError."""
    try:
        return Plan(
            hop_ns=_within(told["hop_ns"], _SHORTEST_NS),
            lengths_ns={
                str(m): _within(n, _SHORTEST_NS)
                for m, n in told["lengths_ns"].items()
                if m in MODALITIES
            },
            lateness_ns=_within(told["lateness_ns"]),
            idle_ns=_within(told["idle_ns"]),
            min_coverage=float(told["min_coverage"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"no numbers of windows: {error!r}") from None


def _streams(pairs: Iterable[tuple[str, Modality]]) -> Iterable[StreamInfo]:
    for number, (name, modality) in enumerate(pairs):
        if modality not in MODALITIES:
            raise ValueError(f"stream {name[:40]}: unknown modality {str(modality)[:40]!r}")
        # Streams become levels of topics.
        if not 0 < len(name) <= 128 or not name.isprintable() or set(name) & set("+#/"):
            raise ValueError(f"not the name of a stream: {name[:40]!r}")
        if number >= _MOST_STREAMS:
            raise ValueError(f"more than {_MOST_STREAMS} streams")
        yield StreamInfo(name, modality)


def _within(number: object, least: int = 0, most: int = _LONGEST_NS) -> int:
    """A hop of one nanosecond would make a thousand million windows a second."""
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"expected {least} to {most} nanoseconds, got {str(number)[:40]}")
    return number
