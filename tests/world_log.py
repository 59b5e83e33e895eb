"""A recording of the simulated robot that no machine is too slow to make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinks.mcap.file import McapFile
from sources.recording.about import About
from sources.recording.recording import Recording
from sources.world.live import FRAME_HZ, Capture, captures, data, truth, truth_spans
from streamer.events import Arrived
from streamer.plan import Plan
from streamer.types import MODALITIES, NS_PER_S, Modality, Sample, StreamInfo, Truth

BEGAN_NS = 1_795_000_000 * NS_PER_S
"""On the run's clock; a whole second, so that windows end where scenes do."""
PICTURES_HZ = 2
STREAMS: dict[Modality, str] = {
    "vision": "camera",
    "audio": "microphone",
    "depth": "depth",
    "thermal": "heat",
    "imu": "imu",
}
PLAN = Plan(
    hop_ns=NS_PER_S,
    lengths_ns={m: (5 if m == "imu" else 2) * NS_PER_S for m in MODALITIES},
    lateness_ns=NS_PER_S // 10,
    idle_ns=NS_PER_S,
    min_coverage=0.5,
)


@dataclass(frozen=True, slots=True)
class WorldLog:
    """Scenes of 8 s of the world `seed`."""

    seed: int
    seconds: int

    def write(self, path: Path) -> None:
        """Its sensors, as `streamer record` writes them, but with a few pictures a second."""
        streams = tuple(StreamInfo(STREAMS[m], m) for m in MODALITIES)
        recording = Recording(McapFile(path), About(True, streams, PLAN, BEGAN_NS))
        closed_ns = 0
        for capture in sorted(self._captures(), key=lambda each: each.ready_ns):
            t_ns = BEGAN_NS + capture.t_ns
            what = data(self.seed, capture, BEGAN_NS, 200)
            stream, modality = STREAMS[capture.modality], capture.modality
            sample = Sample(stream, modality, t_ns, capture.duration_ns, what)
            recording.take(Arrived(BEGAN_NS + capture.ready_ns, sample))
            if capture.ready_ns - closed_ns >= NS_PER_S // 2:
                recording.close_chunk()
                closed_ns = capture.ready_ns
        recording.finish()

    def truths(self) -> list[Truth]:
        spans = truth_spans(self.seconds * NS_PER_S)
        return [truth(self.seed, span, BEGAN_NS, "truth", MODALITIES) for span in spans]

    def _captures(self) -> Iterator[Capture]:
        for modality in MODALITIES:
            each = FRAME_HZ[modality] // PICTURES_HZ if modality in FRAME_HZ else 1
            for number, capture in enumerate(captures(modality, self.seconds * NS_PER_S)):
                if number % each == 0:
                    yield Capture(modality, capture.t_ns, capture.duration_ns * each)
