"""The tracks of a media file as samples: video, sound, GoPro telemetry. Blocking generators.

Each opens the file for itself. So a track is read at the pace it is used, whatever the interleaving
in the file, and memory stays bounded when tracks are merged in order of time.
"""

import logging
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sources.inertial import Joiner, to_samples
from sources.media.container import (
    Timeline,
    audio_track,
    describe,
    opened,
    reporting_damage,
    video_track,
)
from sources.media.gpmf import Damaged, parse
from streamer.errors import SourceLost
from streamer.types import FILE_CLOCK, NS_PER_S, AudioBlock, ImuBlock, Sample

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

# Containers that count milliseconds round every stamp; only a larger step is a hole in the sound.
JUMP_NS = 5_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """A media file; `start` None = the date in the file."""

    path: Path
    start: datetime | int | None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A decoded picture, still in the colours of its codec: half the size of RGB."""

    frame: "VideoFrame"

    @property
    def nbytes(self) -> int:
        return sum(plane.buffer_size for plane in self.frame.planes)

    def array(self) -> NDArray[np.uint8]:
        """uint8 (H, W, 3) RGB, upright: as `ffmpeg -pix_fmt rgb24` gives it, to the bit."""
        pixels = cast(NDArray[np.uint8], self.frame.to_ndarray(format="rgb24"))
        return _upright(pixels, self._display_matrix())

    def _display_matrix(self) -> bytes | None:
        matrix = self.frame.side_data.get("DISPLAYMATRIX")
        return None if matrix is None else bytes(matrix)


def _upright(pixels: NDArray[np.uint8], matrix: bytes | None) -> NDArray[np.uint8]:
    """Apply the quarter turns and flips of a display matrix (nine int32, see ISO 14496-12)."""
    if matrix is None:
        return pixels
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    # Shown x = a x + c y, shown y = b x + d y.
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    turned = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(turned)


def video(recording: Recording, stream: str, index: int | None) -> Generator[Sample, None, None]:
    """Every picture of a video track, decoded, at its own time stamp."""
    with opened(recording.path) as container:
        track = video_track(container, recording.path, index)
        times = Timeline(container, recording.path, recording.start)
        rate = track.average_rate or track.guessed_rate
        period_ns = NS_PER_S * rate.denominator // rate.numerator if rate else NS_PER_S // 30
        end_ns: int | None = None
        with reporting_damage(recording.path, "the video track"):
            for frame in container.decode(track):
                stamp = frame.pts if frame.pts is not None else frame.dts
                base = frame.time_base
                # Some old containers state no time for a picture; it follows the one before.
                t_ns = times.start_ns if end_ns is None else end_ns
                duration_ns = period_ns
                if stamp is not None and base is not None:
                    t_ns = times.ns(stamp, base)
                    if frame.duration:
                        duration_ns = times.ns(stamp + frame.duration, base) - t_ns
                end_ns = t_ns + duration_ns
                yield Sample(stream, "vision", t_ns, duration_ns, DecodedFrame(frame), FILE_CLOCK)
        if end_ns is None:
            raise SourceLost(f"{recording.path}: the video track holds no picture")
        times.check_end(track, end_ns, "the video track")


def audio(recording: Recording, stream: str, index: int | None) -> Generator[Sample, None, None]:
    """The first channel of a sound track at its own rate, in blocks as the codec makes them.

    Times count samples from the first stamp, so blocks tile to the nanosecond; they are set anew
    where the container's stamps really jump.
    """
    with opened(recording.path) as container:
        track = audio_track(container, recording.path, index)
        times = Timeline(container, recording.path, recording.start)
        end_ns = anchor_ns = times.start_ns
        count = rate = 0
        with reporting_damage(recording.path, "the sound track"):
            for frame in container.decode(track):
                if not frame.samples:
                    continue
                stamp_ns = end_ns
                if frame.pts is not None and frame.time_base is not None:
                    stamp_ns = times.ns(frame.pts, frame.time_base)
                if frame.sample_rate != rate or abs(stamp_ns - end_ns) > JUMP_NS:
                    anchor_ns, count, rate = stamp_ns, 0, frame.sample_rate
                t_ns = _after(anchor_ns, count, rate)
                count += frame.samples
                end_ns = _after(anchor_ns, count, rate)
                block = AudioBlock(_first_channel(frame), rate)
                yield Sample(stream, "audio", t_ns, end_ns - t_ns, block, FILE_CLOCK)
        if not rate:
            raise SourceLost(f"{recording.path}: the sound track holds no sound")
        times.check_end(track, end_ns, "the sound track")


def _after(anchor_ns: int, count: int, rate: int) -> int:
    """When the sample `count` after the anchor was taken, to the nearest nanosecond."""
    return anchor_ns + (count * NS_PER_S + rate // 2) // rate


def _first_channel(frame: "AudioFrame") -> NDArray[np.float32]:
    """float32 (n,), -1..1, whatever the codec's sample format; numbers as ffmpeg converts them."""
    raw: NDArray[Any] = frame.to_ndarray()
    first = raw[0] if frame.format.is_planar else raw[0, :: frame.layout.nb_channels]
    if first.dtype.kind == "f":
        return first.astype(np.float32)
    if first.dtype.kind == "u":
        return (first.astype(np.float32) - np.float32(128)) / np.float32(128)
    return first.astype(np.float32) / np.float32(2 ** (8 * first.dtype.itemsize - 1))


def telemetry(recording: Recording, stream: str) -> Generator[Sample, None, None]:
    """Accelerometer and gyroscope of a GoPro file's telemetry track, in blocks."""
    yield from to_samples(stream, _readings(recording))


def _readings(recording: Recording) -> Iterator[ImuBlock]:
    path = recording.path
    index = telemetry_index(path)
    joiner = Joiner()
    empty = True
    with opened(path) as container, reporting_damage(path, "the telemetry track"):
        if index is None:
            raise SourceLost(
                f"{path}: no GoPro telemetry (GPMF) track; the file has {describe(container)}"
            )
        times = Timeline(container, path, recording.start)
        for packet in container.demux(container.streams[index]):
            if packet.pts is None or not packet.size:
                continue
            try:
                payload = parse(bytes(packet))
            except Damaged as error:
                at = float(packet.pts * packet.time_base)
                raise SourceLost(f"{path}: telemetry at {at:.3f} s is damaged: {error}") from error
            start_ns = times.ns(packet.pts, packet.time_base)
            end_ns = times.ns(packet.pts + (packet.duration or 0), packet.time_base)
            for block in joiner.push(payload, start_ns, end_ns):
                empty = False
                yield block
        yield from joiner.flush()
    if joiner.lost:
        _log.warning("%s: the telemetry track lacks %d readings", path, joiner.lost)
    if empty:
        raise SourceLost(f"{path}: the telemetry track holds no accelerometer with gyroscope")


def telemetry_index(path: Path) -> int | None:
    """The data track whose payloads are GPMF: they start with a device (DEVC)."""
    with opened(path) as container, reporting_damage(path, "a data track"):
        waiting = {s.index for s in container.streams if s.type == "data"}
        tracks = [container.streams[index] for index in sorted(waiting)]
        for packet in container.demux(tracks) if tracks else ():
            if packet.stream_index in waiting and packet.size:
                if bytes(packet)[:4] == b"DEVC":
                    return packet.stream_index
                waiting.discard(packet.stream_index)
            if not waiting:
                break
    return None
