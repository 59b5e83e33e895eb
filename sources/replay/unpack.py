"""Compressed bytes of an untrusted file, never more of them than agreed."""

import bz2
from io import BytesIO

import lz4.frame
import zstandard

STEP = 1 << 20
"""Bytes unpacked at once where the size is not known before."""


def unpacked(compression: str, packed: bytes, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether that is all of it: a cut-off part gives what it holds.

    Raises ValueError for bytes that are not of this kind of compression, and for an unknown kind.
    """
    try:
        if compression in {"", "none"}:
            return packed[:limit], len(packed) <= limit
        if compression == "bz2":
            return _stepwise(bz2.BZ2Decompressor(), packed, limit)
        if compression == "lz4":
            return _stepwise(lz4.frame.LZ4FrameDecompressor(), packed, limit)
        if compression == "zstd":
            return _zstd(packed, limit)
    except (OSError, RuntimeError, EOFError, zstandard.ZstdError) as error:
        # lz4 raises RuntimeError.
        raise ValueError(f"{compression}: {error}") from None
    raise ValueError(f"unknown compression {compression[:20]!r}")


def _stepwise(
    machine: bz2.BZ2Decompressor | lz4.frame.LZ4FrameDecompressor, packed: bytes, limit: int
) -> tuple[bytes, bool]:
    """In steps, so that damage in the middle leaves what is before it."""
    parts: list[bytes] = []
    size, given = 0, packed
    # One more than agreed: the last byte alone does not tell that the end has been seen.
    while not machine.eof and size <= limit:
        try:
            part = machine.decompress(given, min(STEP, limit + 1 - size))
        except (OSError, RuntimeError):
            if not size:
                raise
            break
        given = b""
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)[:limit], bool(machine.eof) and size <= limit


def _zstd(packed: bytes, limit: int) -> tuple[bytes, bool]:
    told = zstandard.frame_content_size(packed)
    if told > limit:
        raise ValueError(f"{told} bytes, more than {limit}")
    parts: list[bytes] = []
    size = 0
    with zstandard.ZstdDecompressor().stream_reader(BytesIO(packed)) as reader:
        while size <= limit:
            part = reader.read(min(STEP, limit + 1 - size))
            if not part:
                break
            parts.append(part)
            size += len(part)
    return b"".join(parts)[:limit], size <= limit and (told < 0 or size == told)
