"""Records of an MCAP file in bytes: where they begin, and what a chunk unpacks to. Pure."""

import struct
from collections.abc import Iterator

import lz4.frame
import zstandard
from mcap import records as r

from streamer.logfile import ChannelSpec, Schema

LARGEST_CHUNK = 1 << 28
"""Uncompressed. Chunks of other programs are megabytes."""
LARGEST_TEXTS = 1 << 24
"""Of a record that is made of names and texts, and of all channels and schemas together."""

HEAD = struct.Struct("<BQ")


def records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcode, where the content begins, its length. Raises ValueError where one is cut off."""
    at, end = 0, len(data)
    while at + HEAD.size <= end:
        opcode, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if length > end - at:
            raise ValueError(f"a record of {length} bytes where {end - at} are left")
        yield opcode, at, length
        at += length


def unpacked(compression: str, packed: memoryview, size: int) -> bytes:
    """`size` bytes at the most, whatever the packed ones claim."""
    if compression == "":
        return bytes(packed)
    if compression == "lz4":
        # What `LZ4FrameDecompressor` calls, which copies all of it before.
        context = lz4.frame.create_decompression_context()
        return lz4.frame.decompress_chunk(context, packed, max_length=size)[0]
    if compression == "zstd":
        # What the frame claims is what the library would make room for.
        claimed = zstandard.frame_content_size(bytes(packed[:32]))
        if claimed > size:
            raise ValueError(f"a chunk of {size} bytes claims {claimed}")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(1, size))
    raise ValueError(f"unknown compression {compression[:20]!r}")


def bounded(body: bytes) -> None:
    """Of many small texts a record makes twenty times its size in memory."""
    if len(body) > LARGEST_TEXTS:
        raise ValueError(f"{len(body)} bytes of texts")


def spec_of(channel: r.Channel, schemas: dict[int, Schema]) -> ChannelSpec:
    return ChannelSpec(
        channel.topic,
        channel.message_encoding,
        schemas.get(channel.schema_id),
        tuple(channel.metadata.items()),
    )


def short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:80]
