"""Video as a log keeps it: one frame a message, decoded on demand from the last key frame on.

A frame alone is no picture. It knows the frames since its key frame, which stay in memory as they
are in the log, and pictures are made of them when somebody asks for one.
"""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sources.recording.keyframes import kind
from sources.recording.pictures import AS_STORED, LARGEST_PICTURE, digest_of
from streamer.errors import SourceLost

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame as Picture

DECODERS: Final = {"h264": "h264", "h265": "hevc", "vp9": "vp9", "av1": "libdav1d"}
"""What libav calls the formats of `foxglove.CompressedVideo`."""

LARGEST_GROUP = 1 << 27
"""Bytes from one key frame to the next: 25 s at 40 Mbit/s. What is beyond is not shown."""
LARGEST_PARAMETERS = 1 << 16
KEPT_BYTES = 1 << 26
"""Decoded pictures that are kept for a stream: 4 s of 640x480. A window asks for its first and its
last frame, and the next windows for those beside them."""
LATEST = 16
"""How many frames a decoder may want to see before it gives one: those that others wrote with
frames out of order. Ours come at once."""


class VideoFrame:
    """One frame of a stream, as `pictures.Encoded` is one picture. Made by a `VideoStream`.

    `number` counts from the key frame, which is 0. May be asked in any order, by any thread.
    """

    __slots__ = ("_digest", "_group", "number", "payload")

    def __init__(self, payload: bytes, group: "_Group", number: int) -> None:
        self.payload, self.number = payload, number
        self._group = group
        self._digest: bytes | None = None

    @property
    def codec(self) -> str:
        return self._group.codec

    @property
    def nbytes(self) -> int:
        return len(self.payload)

    def digest(self) -> bytes:
        if self._digest is None:
            self._digest = digest_of(self.payload, AS_STORED)
        return self._digest

    def array(self) -> NDArray[np.uint8]:
        """uint8 (H, W, 3) RGB. Raises `SourceLost` for bytes that are no such frame."""
        return self._group.picture(self.number)

    def follows(self, other: "VideoFrame | None") -> bool:
        """Whoever has decoded `other` can decode this."""
        if self.number == 0:
            return True
        return other is not None and other._group is self._group and other.number == self.number - 1


class VideoStream:
    """The frames of one stream in the order of the log. `codec`: one of `DECODERS`."""

    def __init__(self, codec: str) -> None:
        """Raises ValueError for a format that nobody here decodes."""
        if codec not in DECODERS:
            raise ValueError(f"expected video as {', '.join(DECODERS)}, got {codec[:20]!r}")
        self.codec = codec
        self._group: _Group | None = None
        self._ahead = b""
        self._pictures = _Pictures()

    def frame(self, payload: bytes) -> VideoFrame | None:
        """None for what cannot be shown: before the first key frame, or too far behind one.

        Also None for parameters alone, without a frame; the frame behind them is decoded with them.
        """
        what = kind(self.codec, payload)
        if what == "parameters":
            self._ahead = (self._ahead + payload)[-LARGEST_PARAMETERS:]
            return None
        if what == "key":
            self._group = _Group(self.codec, self._pictures)
        group, ahead = self._group, self._ahead
        self._ahead = b""
        if group is None or group.bytes + len(payload) > LARGEST_GROUP:
            self._group = None
            return None
        return VideoFrame(payload, group, group.add(ahead + payload))

    def gap(self) -> None:
        """Frames are missing: nothing can be shown up to the next key frame."""
        self._group = None


class _Pictures:
    """The pictures of a stream that were decoded last, and the lock of all its decoders."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], Picture] = OrderedDict()
        self._bytes = 0
        self.groups = 0

    def get(self, group: int, number: int) -> "Picture | None":
        return self._kept.get((group, number))

    def keep(self, group: int, number: int, picture: "Picture") -> None:
        if (group, number) in self._kept:
            return
        self._kept[group, number] = picture
        self._bytes += _nbytes(picture)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= _nbytes(self._kept.popitem(last=False)[1])


def _nbytes(picture: "Picture") -> int:
    return sum(plane.buffer_size for plane in picture.planes)


class _Group:
    """A key frame and the frames behind it. One thread adds while another decodes."""

    def __init__(self, codec: str, pictures: _Pictures) -> None:
        self.codec = codec
        self.bytes = 0
        self._pictures, self._place = pictures, pictures.groups
        pictures.groups += 1
        self._frames: list[bytes] = []
        self._decoder: VideoCodecContext | None = None
        self._fed = 0

    def add(self, payload: bytes) -> int:
        self._frames.append(payload)
        self.bytes += len(payload)
        return len(self._frames) - 1

    def picture(self, number: int) -> NDArray[np.uint8]:
        with self._pictures.lock:
            found = self._pictures.get(self._place, number) or self._decode(number)
            if found is None:
                raise SourceLost(f"a frame of the log: expected {self.codec}, cannot be decoded")
            # Under the lock too: libav keeps what converts a picture with the picture.
            return np.asarray(found.to_ndarray(format="rgb24"), np.uint8)

    def _decode(self, number: int) -> "Picture | None":
        import av
        from av.error import FFmpegError

        if self._decoder is None or number < self._fed:
            self._decoder, self._fed = _decoder(self.codec), 0
        decoder, wanted = self._decoder, None
        until = min(len(self._frames), number + 1 + LATEST)
        while wanted is None and self._fed <= until:
            packet = None
            if self._fed < until:
                packet = av.Packet(self._frames[self._fed])
                packet.pts = self._fed
            else:
                # It keeps one back: it gives that when told that there are no more.
                self._decoder = None
            self._fed += 1
            try:
                pictures = decoder.decode(packet)
            except FFmpegError:
                continue  # those around it may be whole
            for picture in pictures:
                if picture.pts is not None:
                    self._pictures.keep(self._place, picture.pts, picture)
                    wanted = picture if picture.pts == number else wanted
        return wanted


def _decoder(codec: str) -> "VideoCodecContext":
    import av
    from av.codec.context import Flags
    from av.video.codeccontext import VideoCodecContext

    decoder: Any = av.CodecContext.create(DECODERS[codec], "r")
    if not isinstance(decoder, VideoCodecContext):
        raise TypeError(f"{codec}: no decoder of video")
    # One thread: more give the same pictures later. The limit is for what a header may claim.
    decoder.thread_count = 1
    if codec == "h264":
        # Not H.265, whose decoder then leaves out what comes out of order.
        decoder.flags |= Flags.low_delay
    decoder.options = {"max_pixels": str(LARGEST_PICTURE)}
    return decoder
