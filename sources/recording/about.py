"""What a log says of the run it is of: its first metadata."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sources.recording.format import VERSION
from streamer.plan import Plan
from streamer.types import Modality, StreamInfo
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
        plan = self.plan
        return {
            "format": str(VERSION),
            "version": __version__,
            "live": json.dumps(self.live),
            "started_ns": str(self.started_ns),
            "clock_error_ns": str(self.clock_error_ns),
            "streams": json.dumps({info.name: info.modality for info in self.streams}),
            "plan": json.dumps(
                {
                    "hop_ns": plan.hop_ns,
                    "lengths_ns": dict(plan.lengths_ns),
                    "lateness_ns": plan.lateness_ns,
                    "idle_ns": plan.idle_ns,
                    "min_coverage": plan.min_coverage,
                }
            ),
            **self.more,
        }


_KNOWN = {"format", "version", "live", "started_ns", "clock_error_ns", "streams", "plan"}


def parse(session: Mapping[str, str], config: str = "") -> About:
    """Undoes `session`. Raises ValueError for a format that this program does not know."""
    try:
        if int(session["format"]) != VERSION:
            raise ValueError(f"expected format {VERSION}, got {session['format'][:20]}")
        plan = json.loads(session["plan"])
        return About(
            live=bool(json.loads(session["live"])),
            streams=tuple(_streams(json.loads(session["streams"]).items())),
            plan=Plan(
                hop_ns=_positive(plan["hop_ns"]),
                lengths_ns={str(m): _positive(n) for m, n in plan["lengths_ns"].items()},
                lateness_ns=max(0, int(plan["lateness_ns"])),
                idle_ns=max(0, int(plan["idle_ns"])),
                min_coverage=float(plan["min_coverage"]),
            ),
            started_ns=int(session["started_ns"]),
            clock_error_ns=int(session["clock_error_ns"]),
            config=config,
            more={name: text for name, text in session.items() if name not in _KNOWN},
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"no metadata of a recorded run: {error!r}") from None


def _streams(pairs: Iterable[tuple[str, Modality]]) -> Iterable[StreamInfo]:
    for name, modality in pairs:
        if modality not in ("vision", "audio", "depth", "thermal", "imu"):
            raise ValueError(f"stream {name}: unknown modality {modality!r}")
        yield StreamInfo(name, modality)


def _positive(number: object) -> int:
    if not isinstance(number, int) or number <= 0:
        raise ValueError(f"expected nanoseconds above 0, got {number!r}")
    return number
