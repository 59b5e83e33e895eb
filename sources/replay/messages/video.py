"""Video in messages: `foxglove.CompressedVideo`, and what others put into compressed images."""

from sources.recording.video import DECODERS, VideoFrame, VideoStream
from sources.replay.messages.bytes_of import bytes_of
from sources.replay.messages.ros import Fields


def codec(fields: Fields) -> str | None:
    """None for what is no video, or none that is read."""
    told = str(fields.get("format", "")).lower()[:20]
    told = {"hevc": "h265", "avc": "h264"}.get(told, told)
    return told if told in DECODERS else None


class Film:
    """The frames of one topic, in the order of the log."""

    def __init__(self) -> None:
        self._stream: VideoStream | None = None

    def frame(self, fields: Fields) -> VideoFrame:
        """Raises ValueError for what is no picture."""
        told = codec(fields)
        if told is None:
            raise ValueError(f"video as {str(fields.get('format'))[:20]!r} is not read")
        if self._stream is None or self._stream.codec != told:
            self._stream = VideoStream(told)
        frame = self._stream.frame(bytes(bytes_of(fields.get("data"))))
        if frame is None:
            raise ValueError("video before a key frame, or no frame at all")
        return frame
