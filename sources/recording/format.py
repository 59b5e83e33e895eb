"""Names in our logs: an MCAP file that other tools open, with a journal for exact replay.

/<stream>            the samples, in schemas that ROS and Foxglove know
/streamer/journal    at the end of every chunk: what happened during it, in order, CBOR
/streamer/windows    the digests of the windows that closed, CBOR
/streamer/...        what the run published, in the bytes that went on the wire
    embedding/..., label/...    in chunks of their own, each behind that of its sensors
"""

from dataclasses import dataclass
from typing import Final

VERSION: Final = 1

OWN_TOPICS: Final = "/streamer/"
JOURNAL: Final = "/streamer/journal"
WINDOWS: Final = "/streamer/windows"
TRUTH: Final = "/streamer/truth/"
EMBEDDING: Final = "/streamer/embedding/"
LABEL: Final = "/streamer/label/"
META: Final = "/streamer/meta"
MADE: Final = (EMBEDDING, LABEL)
"""Roots of the topics of what was made of the sensors. It lies in chunks of its own."""

SESSION: Final = "streamer.session"
"""Metadata, first in the file: format, version, clock, and `plan`, the numbers of the windows."""
CONFIG: Final = "streamer.config"
"""Metadata, behind it: `yaml`, the configuration of the run."""
DIGEST: Final = "streamer.digest"
"""Metadata, last in a file that was closed: the digest of all windows and what was lost."""

RECOVERED: Final = "streamer.recovered"
"""Metadata, in the place of that one, in what was recovered of a file: what of it is lost."""
TRIGGER: Final = "streamer.trigger"
"""Metadata of a flight recording, one a trigger: cause, time, and how far the first looks back."""

AUDIO_FORMAT: Final = "pcm-s16"


@dataclass(frozen=True, slots=True)
class Message:
    """`log_ns`: when it was captured, on the host clock. `sensor_ns`: on the sensor's own."""

    log_ns: int
    sensor_ns: int
    payload: bytes
