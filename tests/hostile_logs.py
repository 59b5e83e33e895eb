"""Ways to ruin a log: bytes that flip, and files that claim what they are not."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator

import cbor2
import lz4.frame
import zstandard
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
from mcap.opcode import Opcode

from sources.replay.container import MAGIC

HEAD = struct.Struct("<BQ")
ENDS = (0, 1, 7, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
BOMB = 1 << 27

_TOO_RUINED = (
    *(struct.error, ValueError, IndexError, RuntimeError),
    *(zstandard.ZstdError, cbor2.CBORError),
)

Record = tuple[int, bytes]
Ruin = Callable[[random.Random, bytes], bytes]


def records(data: bytes) -> Iterator[Record]:
    """Those of a part of a sound file."""
    at = 0
    while at + HEAD.size <= len(data):
        opcode, length = HEAD.unpack_from(data, at)
        yield opcode, data[at + HEAD.size : at + HEAD.size + length]
        at += HEAD.size + length


def joined(parts: list[Record]) -> bytes:
    return b"".join(HEAD.pack(opcode, len(body)) + body for opcode, body in parts)


def ruined(chance: random.Random, data: bytes) -> bytes:
    """One to three things wrong with it."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        ways = (*BYTES, *STRUCTURE) if data.startswith(MAGIC) else BYTES
        try:
            data = chance.choice(ways)(chance, data)
        except _TOO_RUINED:
            continue  # it is too ruined already for that
    return data


# -- bytes -------------------------------------------------------------------------------------


def _flip(chance: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 64))):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _drop(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 4, 100, 5000)) :]


def _twice(chance: random.Random, data: bytes) -> bytes:
    at, size = chance.randrange(len(data)), chance.choice((1, 9, 100, 5000))
    return data[: at + size] + data[at : at + size] + data[at + size :]


def _number(chance: random.Random, data: bytes) -> bytes:
    """Somewhere, a number that no length and no stamp should be."""
    size = chance.choice((2, 4, 8))
    at = chance.randrange(max(1, len(data) - size))
    told = (chance.choice(ENDS) & (256**size - 1)).to_bytes(size, chance.choice(("little", "big")))
    return data[:at] + told + data[at + size :]


BYTES: tuple[Ruin, ...] = (_flip, _cut, _drop, _twice, _number)


# -- records -----------------------------------------------------------------------------------


def _split(data: bytes) -> list[Record]:
    return list(records(data[len(MAGIC) :]))


def _whole(parts: list[Record]) -> bytes:
    """Without a checksum of the data, which would tell."""
    unsealed = [(o, b"\0\0\0\0") if o == Opcode.DATA_END else (o, body) for o, body in parts]
    return MAGIC + joined(unsealed) + MAGIC


def _shuffled(chance: random.Random, data: bytes) -> bytes:
    parts = _split(data)
    one, two = chance.randrange(len(parts)), chance.randrange(len(parts))
    how = chance.randrange(4)
    if how == 0:
        parts[one], parts[two] = parts[two], parts[one]
    elif how == 1:
        parts.insert(one, parts[two])
    elif how == 2:
        del parts[one]
    else:
        parts[one] = chance.randrange(256), parts[one][1]
    return _whole(parts)


def _lengths(chance: random.Random, data: bytes) -> bytes:
    """A record that claims another length than it has."""
    parts = _split(data)
    at = chance.randrange(len(parts))
    before = MAGIC + joined(parts[:at])
    opcode, body = parts[at]
    told = chance.choice((*ENDS, len(body) + 1, max(0, len(body) - 1)))
    return before + HEAD.pack(opcode, told) + body + joined(parts[at + 1 :]) + MAGIC


def _inside(chance: random.Random, data: bytes) -> bytes:
    """A chunk that is sound, with records in it that are not."""
    parts = _split(data)
    at = chance.choice([n for n, (opcode, _) in enumerate(parts) if opcode == Opcode.CHUNK])
    inner = list(records(_unpacked(parts[at][1])))
    for _ in range(chance.choice((1, 3, 10))):
        one = chance.randrange(len(inner))
        opcode, body = inner[one]
        if opcode == Opcode.MESSAGE and chance.random() < 0.6:
            inner[one] = opcode, body[:22] + _hostile_payload(chance)
        elif opcode == Opcode.MESSAGE and chance.random() < 0.3:
            inner[one] = opcode, body[:6] + struct.pack("<Q", chance.choice(ENDS)) + body[14:]
        else:
            inner[one] = opcode, chance.choice(BYTES)(chance, body + b"\0")
    parts[at] = Opcode.CHUNK, packed(joined(inner), chance.choice(("", "lz4", "zstd")))
    return _whole(parts)


def _journals(chance: random.Random, data: bytes) -> bytes:
    """The journal of a chunk is another: the way to everything behind it."""
    parts = _split(data)
    at = chance.choice([n for n, (opcode, _) in enumerate(parts) if opcode == Opcode.CHUNK])
    inner = list(records(_unpacked(parts[at][1])))
    last = max(n for n, (opcode, _) in enumerate(inner) if opcode == Opcode.MESSAGE)
    opcode, body = inner[last]
    inner[last] = opcode, body[:22] + _journal(chance, body[22:])
    parts[at] = Opcode.CHUNK, packed(joined(inner), "lz4")
    return _whole(parts)


def _bomb(chance: random.Random, data: bytes) -> bytes:
    """A chunk that unpacks to other than it claims."""
    parts = _split(data)
    claim = chance.choice((0, 1000, BOMB, 10_000_000_000, 2**64 - 1))
    held = chance.choice((b"", bytes(1000), bytes(BOMB), _messages(BOMB // 256)))
    chunk = packed(held, chance.choice(("lz4", "zstd")), claim)
    parts.insert(chance.randrange(len(parts)), (Opcode.CHUNK, chunk))
    return _whole(parts)


def _metadata(chance: random.Random, data: bytes) -> bytes:
    """The session tells something else, or far too much."""
    parts = _split(data)
    found = [n for n, (opcode, _) in enumerate(parts) if opcode == Opcode.METADATA]
    if found and chance.random() < 0.7:
        at = chance.choice(found)
        body = parts[at][1]
        for old, new in chance.sample(_SESSIONS, 2):
            body = body.replace(old, new.ljust(len(old))[: len(old)])
        parts[at] = Opcode.METADATA, body
    else:
        pair = struct.pack("<I6sI", 6, b"%06d" % 0, 0)
        pairs = b"".join(pair[:4] + b"%06d" % n + pair[10:] for n in range(100_000))
        name = b"streamer.session"
        told = struct.pack("<I", len(name)) + name + struct.pack("<I", len(pairs)) + pairs
        parts.insert(chance.randrange(len(parts)), (Opcode.METADATA, told))
    return _whole(parts)


STRUCTURE: tuple[Ruin, ...] = (
    *(_shuffled, _lengths, _inside, _inside),
    *(_journals, _journals, _bomb, _metadata),
)

_SESSIONS = [
    (b'"hop_ns": 500000000', b'"hop_ns": 1'),
    (b'"hop_ns": 500000000', b'"hop_ns":1e999'),
    (b'"lateness_ns": 100000000', b'"lateness_ns": -1'),
    (b'"min_coverage": 0.5', b'"min_coverage": NaN'),
    (b'"a_vision": "vision"', b'"a/vision": "vision"'),
    (b'"a_vision": "vision"', b'"a_vision": "audio"'),
    (b"started_ns", b"started_\xff\xff"),
    (b"true", b"[[[["),
]


def packed(data: bytes, compression: str, claim: int | None = None) -> bytes:
    """A chunk record without a checksum. `claim`: the size it says that it has."""
    held = data
    if compression == "lz4":
        held = lz4.frame.compress(data)
    elif compression == "zstd":
        held = zstandard.ZstdCompressor(level=1).compress(data)
    size = len(data) if claim is None else claim
    name = compression.encode()
    head = struct.pack("<QQQII", 0, 2**63 - 1, size, 0, len(name)) + name
    return head + struct.pack("<Q", len(held)) + held


def _unpacked(body: bytes) -> bytes:
    size, _, length = struct.unpack_from("<QII", body, 16)
    name, held = body[32 : 32 + length], body[32 + length + 8 :]
    if name == b"lz4":
        return lz4.frame.decompress(held)
    return zstandard.decompress(held, max_output_size=size) if name == b"zstd" else held


def _messages(count: int) -> bytes:
    """As many empty messages, all of the first channel."""
    one = HEAD.pack(Opcode.MESSAGE, 22) + struct.pack("<HIQQ", 1, 0, 1, 1)
    return one * count


def _hostile_payload(chance: random.Random) -> bytes:
    shape = chance.choice(((60000, 60000), (0, 0), (1, 2**31), (2**32 - 1, 2**32 - 1)))
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", *shape, 8, 2, 0, 0, 0)
    png += struct.pack(">I", zlib.crc32(png[12:])) + struct.pack(">I4s", 100, b"IDAT") + bytes(100)
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 60000, 60000) + bytes(100)
    codec = chance.choice(("jpeg", "png", "h264", "16UC1; compressedDepth png", "", "\0"))
    height, width = shape
    return chance.choice(
        (
            CompressedImage(data=png, format=codec).SerializeToString(),
            CompressedImage(data=jpeg, format=codec).SerializeToString(),
            RawImage(data=bytes(64), width=width, height=height, step=1, encoding="16UC1")
            .SerializeToString(),
            RawImage(data=bytes(64), width=4, height=2, encoding="32FC1").SerializeToString(),
            RawAudio(data=bytes(63), sample_rate=chance.choice((0, 1, 2**32 - 1)), format="pcm-s16",
                     number_of_channels=1).SerializeToString(),
            b"\x81" * 5000,
            bytes(chance.randrange(400)),
            chance.randbytes(324),
            b"",
        )
    )  # fmt: skip


def _journal(chance: random.Random, payload: bytes) -> bytes:
    """One number of a journal at the ends of its range, or no journal at all."""
    if chance.random() < 0.2:
        huge, decimal = b"\x9b" + b"\xff" * 8, b"\xc4\x82\x1b" + b"\x7f" * 8
        return chance.choice((huge, b"\x81" * 100_000, b"\xbf", decimal + b"\x01"))
    told = cbor2.loads(payload)
    if not isinstance(told, dict) or "entries" not in told:
        raise ValueError("no journal")
    end = chance.choice(
        (-1, 0, 2**31, 2**62 - 1, 2**62, -(2**62), 2**63 - 1, -(2**63), 2**64, 10**50, 0.5, None)
    )
    rows = told["entries"]
    if chance.random() < 0.8 and rows:
        for row in chance.sample(rows, min(len(rows), chance.choice((1, 5)))):
            row[chance.randrange(len(row))] = end
    else:
        told[chance.choice(list(told))] = chance.choice(([], {}, [[]], end, "x", [["x", end, end]]))
    if chance.random() < 0.05:
        told["entries"] = [[1]] * 300_000
    return cbor2.dumps(told)
