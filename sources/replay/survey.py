"""What is in a log, stream by stream, from one reading of it. Pure; memory does not grow with it.

Nothing is decoded: sizes of pictures are what their headers say.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sources.recording.journal import Left
from sources.recording.note import Note
from sources.recording.pictures import Encoded, packed_size
from sources.replay.presence import Presence
from sources.replay.steps import Steps
from streamer.events import Arrived, Event
from streamer.types import NS_PER_S, AudioBlock, Data, ImuBlock, Modality, Sample, StreamInfo
from streamer.windows import FUTURE_NS

MOST_GAPS = 500
_MOST_FORMS = 8
LATENESS_NS = NS_PER_S // 10


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Nothing was captured from `start_ns` on."""

    length_ns: int
    start_ns: int


@dataclass(slots=True)
class StreamSurvey:
    """`forms`: codecs, sizes, rates of sound, by how many samples have them.

    `readings`: sound samples or inertial readings in the blocks. `backward`: stamped before the one
    before; `late`: so far that windows miss it; `repeated`: the stamp of the one before; `future`:
    beyond the clock of the run.
    """

    modality: Modality
    samples: int = 0
    readings: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    backward: int = 0
    late: int = 0
    repeated: int = 0
    future: int = 0
    forms: Counter[str] = field(default_factory=Counter[str])
    gaps: list[Gap] = field(default_factory=list[Gap])
    """The longest, in no order."""
    steps: Steps = field(default_factory=Steps)
    presence: Presence = field(default_factory=Presence)
    newest_ns: int | None = None
    """The stamp of the newest sample."""
    lost: Counter[str] = field(default_factory=Counter[str])
    """What the recorder left out, by cause."""

    @property
    def rate_hz(self) -> float:
        """Readings a second of sound and motion, else samples a second; 0 for less than two."""
        span_ns = self.last_ns - self.first_ns
        count = self.readings if self.modality in ("audio", "imu") else self.samples
        return count * NS_PER_S / span_ns if span_ns > 0 and self.samples > 1 else 0.0


@dataclass(slots=True)
class Survey:
    """Of a whole log. Times are those at which things came, on the run's clock."""

    streams: dict[str, StreamSurvey]
    first_ns: int | None = None
    last_ns: int = 0
    lost: list[tuple[int, Left]] = field(default_factory=list[tuple[int, Left]])
    """The first times at which the recorder left something out."""


def survey(
    items: Iterable[tuple[int, Event | Note | Left]],
    streams: Iterable[StreamInfo],
    lateness_ns: int = LATENESS_NS,
    hear: Callable[[int], object] = lambda now_ns: None,
) -> Survey:
    """`items` with the time that had been reached, never decreasing; `hear` is told it too."""
    found = Survey({info.name: StreamSurvey(info.modality) for info in streams})
    for now_ns, item in items:
        hear(now_ns)
        if isinstance(item, Left):
            if item.stream in found.streams:
                found.streams[item.stream].lost[item.cause] += item.count
            if len(found.lost) < MOST_GAPS:
                found.lost.append((now_ns, item))
        elif not isinstance(item, Note):
            found.first_ns = now_ns if found.first_ns is None else found.first_ns
            found.last_ns = now_ns
            if isinstance(item, Arrived) and item.sample.stream in found.streams:
                _add(found.streams[item.sample.stream], item, lateness_ns)
    return found


def _add(stream: StreamSurvey, event: Arrived, lateness_ns: int) -> None:
    sample = event.sample
    form, size, readings = _form(sample.data)
    if form in stream.forms or len(stream.forms) < _MOST_FORMS:
        stream.forms[form] += 1
    stream.bytes += size
    stream.readings += readings
    stream.samples += 1
    if event.live and sample.t_ns > event.now_ns + FUTURE_NS:
        stream.future += 1  # windows do not believe it, and nothing here is measured by it
        return
    stream.presence.add(sample.t_ns)
    if event.live:
        stream.steps.add(sample.t_ns, event.now_ns)
    newest_ns = stream.newest_ns
    if newest_ns is None:
        stream.first_ns, stream.last_ns = sample.t_ns, sample.end_ns
    elif sample.t_ns < newest_ns:
        stream.backward += 1
        stream.late += sample.end_ns <= newest_ns - lateness_ns
    elif sample.t_ns == newest_ns:
        stream.repeated += 1
    else:
        _gap(stream, sample)
    stream.newest_ns = sample.t_ns if newest_ns is None else max(newest_ns, sample.t_ns)
    stream.first_ns = min(stream.first_ns, sample.t_ns)
    stream.last_ns = max(stream.last_ns, sample.end_ns)


def _gap(stream: StreamSurvey, sample: Sample) -> None:
    """What is missing since the sample before. One period late is no gap."""
    missing_ns = sample.t_ns - stream.last_ns
    usual_ns = (stream.last_ns - stream.first_ns) // stream.samples
    if missing_ns <= max(sample.duration_ns, usual_ns, 1_000_000):
        return
    gap = Gap(missing_ns, stream.last_ns)
    heapq.heappush(stream.gaps, gap)
    if len(stream.gaps) > MOST_GAPS:
        heapq.heappop(stream.gaps)


def _form(data: Data) -> tuple[str, int, int]:
    """What it is kept as, how many bytes of it, how many readings."""
    if isinstance(data, AudioBlock):
        return f"{data.rate_hz} Hz", 2 * data.samples.size, data.samples.size
    if isinstance(data, ImuBlock):
        return "6 axes", 8 * data.t_ns.size + data.values.nbytes, data.t_ns.size
    if isinstance(data, Encoded):
        shape = data.shape or packed_size(data.payload)
        size = f" {shape[1]}x{shape[0]}" if shape else ""
        return f"{data.codec}{size}", data.nbytes, 0
    nbytes = int(getattr(data, "nbytes", 0))
    codec = str(getattr(data, "codec", "raw"))[:20]
    return codec, nbytes, 0
