"""Media files as libav sees them: opened safely, tracks named and chosen, times exact."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import av
from av.error import FFmpegError
from av.stream import Disposition

from sources.epoch import to_ns
from streamer.errors import SourceLost
from streamer.types import NS_PER_S

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Far beyond any recording, and safely inside int64 after additions.
_MAX_NS = 1 << 62
# Lengths are declared to about a frame.
_SHORT_NS = NS_PER_S
# 8K and a little: a header may claim any size, and memory is allocated before anything is decoded.
_MAX_PIXELS = "67108864"
# libav takes any text file for terminal art.
_NOT_MEDIA = {"tty"}


@contextmanager
def opened(path: Path) -> "Generator[InputContainer, None, None]":
    """The file, open. Raises `SourceLost` when it is missing, a folder or no media file."""
    if path.is_dir():
        raise SourceLost(f"{path}: a media file was expected, this is a folder")
    try:
        # "file:" keeps libav from reading a protocol into the name; the whitelist keeps a playlist
        # from making it open anything else.
        container = av.open(
            f"file:{path}",
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (FFmpegError, OSError) as error:
        raise SourceLost(f"{path}: {_why(path, error)}") from error
    with container:
        if container.format.name in _NOT_MEDIA:
            raise SourceLost(f"{path}: not a media file")
        yield container


def _why(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.stat().st_size == 0:
        return "a media file was expected, this is empty"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    return f"not a media file, or damaged ({_message(error)})"


def _message(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


@contextmanager
def reporting_damage(path: Path, what: str) -> Generator[None, None, None]:
    """Turn an error of libav inside the block into one line about the file."""
    try:
        yield
    except FFmpegError as error:
        raise SourceLost(f"{path}: {what} is damaged ({_message(error)})") from error


def video_tracks(container: "InputContainer") -> "list[VideoStream]":
    """Moving pictures; the cover of an album is none."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def video_track(container: "InputContainer", path: Path, index: int | None) -> "VideoStream":
    """The track asked for, counted among the video tracks; None = libav's best."""
    tracks = video_tracks(container)
    number = _number(container, path, "video", index, [s.index for s in tracks])
    stream = tracks[number]
    _check_decoder(path, f"video track {number}", stream)
    stream.codec_context.options = {"max_pixels": _MAX_PIXELS}
    stream.thread_type = "AUTO"
    return stream


def audio_track(container: "InputContainer", path: Path, index: int | None) -> "AudioStream":
    """The track asked for, counted among the audio tracks; None = libav's best."""
    tracks = container.streams.audio
    number = _number(container, path, "audio", index, [s.index for s in tracks])
    stream = tracks[number]
    _check_decoder(path, f"audio track {number}", stream)
    return stream


def _number(
    container: "InputContainer",
    path: Path,
    kind: Literal["video", "audio"],
    index: int | None,
    present: list[int],
) -> int:
    if index is None and present:
        best = container.streams.best(kind)
        return present.index(best.index) if best and best.index in present else 0
    if index is None or index >= len(present):
        wanted = f"{kind} track" if index is None else f"{kind} track {index}"
        raise SourceLost(f"{path}: no {wanted}; the file has {describe(container)}")
    return index


def _check_decoder(path: Path, what: str, stream: "VideoStream | AudioStream") -> None:
    # The type says there always is one; for an unknown codec there is none.
    if cast(object, stream.codec_context) is None:
        raise SourceLost(f"{path}: no decoder for {what}")


def describe(container: "InputContainer") -> str:
    """The tracks of a file in one line, numbered as they are chosen."""
    parts = [
        f"video {i} ({s.codec_context.name} {s.codec_context.width}x{s.codec_context.height})"
        for i, s in enumerate(video_tracks(container))
        if s.codec_context
    ]
    parts += [
        f"audio {i} ({s.codec_context.name} {s.codec_context.sample_rate} Hz)"
        for i, s in enumerate(container.streams.audio)
        if s.codec_context
    ]
    others = [s.type or "unknown" for s in container.streams if s.type not in ("video", "audio")]
    parts += [f"{others.count(kind)} {kind}" for kind in dict.fromkeys(others)]
    return ", ".join(parts) or "no tracks"


class Timeline:
    """Maps the time stamps of a container to nanoseconds since the Unix epoch, in integers.

    The earliest stamp of all tracks falls on the start of the recording, as in ffmpeg's output, so
    that a broadcast recording whose stamps count from yesterday starts where it is told to, and
    tracks keep their distance from each other.
    """

    def __init__(self, container: "InputContainer", path: Path, start: datetime | int | None):
        """`start` None = the date in the file. Raises `SourceLost` when there is none."""
        self._path = path
        self._container = container
        self.start_ns = to_ns(_date(container, path) if start is None else start)
        first = [
            Fraction(s.start_time) * s.time_base
            for s in container.streams
            if s.start_time is not None and s.time_base and s.type in ("video", "audio", "data")
        ]
        self._origin_ns = _floor_ns(min(first, default=Fraction(0)))

    def ns(self, pts: int, time_base: Fraction) -> int:
        t_ns = _floor_ns(pts * time_base) - self._origin_ns
        if abs(t_ns) > _MAX_NS - self.start_ns:
            raise SourceLost(f"{self._path}: damaged, a time stamp is {t_ns // NS_PER_S} s")
        return self.start_ns + t_ns

    def check_end(self, stream: "VideoStream | AudioStream", end_ns: int, what: str) -> None:
        """Raise `SourceLost` when a track ends much earlier than the file says: it is cut short.

        Only for formats that declare lengths; others are estimated from the size.
        """
        declared_ns = None
        form = self._container.format.name
        if "mov" in form and stream.duration is not None and stream.time_base is not None:
            declared_ns = _floor_ns(((stream.start_time or 0) + stream.duration) * stream.time_base)
        elif "matroska" in form and len(self._container.streams) == 1:
            declared_ns = (self._container.duration or 0) * 1000
        reached_ns = end_ns - self.start_ns + self._origin_ns
        if declared_ns is not None and reached_ns < declared_ns - _SHORT_NS:
            raise SourceLost(
                f"{self._path}: {what} ends at {reached_ns / NS_PER_S:.2f} s of the declared "
                f"{declared_ns / NS_PER_S:.2f} s: the file is cut short"
            )


def _floor_ns(seconds: Fraction) -> int:
    return seconds.numerator * NS_PER_S // seconds.denominator


def _date(container: "InputContainer", path: Path) -> datetime:
    stated = container.metadata.get("creation_time", "")
    try:
        date = datetime.fromisoformat(stated)
    except ValueError:
        date = None
    if date is None or date.tzinfo is None:
        raise SourceLost(f"{path}: the file carries no date; give its start instead of 'file'")
    return date
