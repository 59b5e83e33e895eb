"""What `streamer log info` tells, ready for JSON. Pure."""

from collections.abc import Mapping
from typing import Any

from sources.replay.outside import McapFacts
from sources.replay.survey import StreamSurvey
from streamer.logfile import ChannelSpec
from streamer.types import NS_PER_S

GAPS_TOLD = 5
_MOST_CHANNELS = 1000


def stream_report(stream: StreamSurvey, own: bool) -> dict[str, Any]:
    """`own`: times of arrival are those of a recorder, and say something about clocks."""
    longest = sorted(stream.gaps, reverse=True)[:GAPS_TOLD]
    report: dict[str, Any] = {
        "modality": stream.modality,
        "forms": dict(stream.forms),
        "samples": stream.samples,
        "bytes": stream.bytes,
        "rate_hz": round(stream.rate_hz, 3),
        "start_ns": stream.first_ns,
        "seconds": round((stream.last_ns - stream.first_ns) / NS_PER_S, 3),
        "gaps": [
            {"start_ns": gap.start_ns, "seconds": round(gap.length_ns / NS_PER_S, 3)}
            for gap in longest
        ],
        "backward": stream.backward,
        "late": stream.late,
        "repeated": stream.repeated,
        "future": stream.future,
        "lost": dict(stream.lost),
    }
    if own:
        report["clock_steps"] = [
            {"at_ns": step.at_ns, "by_s": round(step.by_ns / NS_PER_S, 3)}
            for step in stream.steps.found
        ]
    return report


def topic_report(topics: Mapping[ChannelSpec, int]) -> list[dict[str, Any]]:
    """Of a log whose channels say how many messages they have, and no more."""
    fullest = sorted(topics.items(), key=lambda pair: -pair[1])[:_MOST_CHANNELS]
    return [_channel(spec, messages, None) for spec, messages in fullest]


def channel_report(facts: McapFacts) -> list[dict[str, Any]]:
    """The fullest first."""
    fullest = sorted(facts.channels.items(), key=lambda pair: -pair[1].bytes)[:_MOST_CHANNELS]
    return [_channel(spec, count.messages, count.bytes) for spec, count in fullest]


def _channel(spec: ChannelSpec, messages: int, size: int | None) -> dict[str, Any]:
    return {
        "topic": spec.topic[:200],
        "encoding": spec.encoding[:40],
        "schema": spec.schema.name[:100] if spec.schema else None,
        "messages": messages,
        "bytes": size,
    }
