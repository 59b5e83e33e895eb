"""A second reader of GoPro telemetry, to hold the first against.

Written from the format's description alone, with the ffmpeg programs and struct. It shares no code
with the package, no library with it, and as few ideas as the format allows: ffprobe says when each
payload begins and how long it is, ffmpeg copies the raw track, and the sensors are searched for by
their four letters instead of walking the tree. Good for cameras that store Z, X, Y (HERO5).
"""

import json
import struct
import subprocess
from bisect import bisect_right
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

Vector = tuple[float, float, float]


class Track(NamedTuple):
    """One sensor: stamps in seconds since the start of the file, and x, y, z in SI units."""

    seconds: list[Fraction]
    values: list[Vector]


def dump(path: Path, ffmpeg: str, ffprobe: str) -> tuple[Track, Track]:
    """Accelerometer in m/s^2 and gyroscope in rad/s, every reading with its own stamp."""
    entries = "stream=index,codec_tag_string,time_base:packet=stream_index,pts,size"
    probed = _output(ffprobe, "-select_streams", "d", "-show_entries", entries, "-of", "json", path)
    listing = json.loads(probed)
    stream = next(s for s in listing["streams"] if s["codec_tag_string"] == "gpmd")
    packets = [p for p in listing["packets"] if p["stream_index"] == stream["index"]]
    begins = [int(p["pts"]) * Fraction(stream["time_base"]) for p in packets]
    raw = _output(ffmpeg, "-i", path, "-map", f"0:{stream['index']}", "-c", "copy",
                  "-f", "rawvideo", "-")  # fmt: skip

    tracks = Track([], []), Track([], [])
    at = 0
    for number, packet in enumerate(packets):
        payload = raw[at : at + int(packet["size"])]
        at += len(payload)
        for letters, track in zip((b"ACCL", b"GYRO"), tracks, strict=True):
            readings = _readings(payload, letters)
            if number + 1 < len(packets):
                step = (begins[number + 1] - begins[number]) / len(readings)
            else:  # nothing follows the last payload: it goes on at the pace of the one before
                before = [t for t in track.seconds if t >= begins[number - 1]]
                step = (begins[number] - begins[number - 1]) / len(before)
            track.seconds.extend(begins[number] + step * i for i in range(len(readings)))
            track.values.extend(readings)
    assert at == len(raw)
    return tracks


def _readings(payload: bytes, letters: bytes) -> list[Vector]:
    found = payload.index(letters + b"s\x06")
    (count,) = struct.unpack(">H", payload[found + 6 : found + 8])
    divisor_at = payload.rindex(b"SCALs\x02\x00\x01", 0, found) + 8
    (divisor,) = struct.unpack(">h", payload[divisor_at : divisor_at + 2])
    numbers = struct.unpack(f">{3 * count}h", payload[found + 8 : found + 8 + 6 * count])
    triples = zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    return [(x / divisor, y / divisor, z / divisor) for z, x, y in triples]


def six_axes(accl: Track, gyro: Track) -> tuple[list[Fraction], list[tuple[float, ...]]]:
    """At every stamp of the gyroscope: acceleration, interpolated linearly, then angular rate."""
    rows: list[tuple[float, ...]] = []
    for t, rate in zip(gyro.seconds, gyro.values, strict=True):
        right = bisect_right(accl.seconds, t)
        if right == len(accl.seconds):
            rows.append((*accl.values[-1], *rate))
            continue
        t0, t1 = accl.seconds[right - 1], accl.seconds[right]
        w = float((t - t0) / (t1 - t0))
        pairs = zip(accl.values[right - 1], accl.values[right], strict=True)
        rows.append((*(a + (b - a) * w for a, b in pairs), *rate))
    return gyro.seconds, rows


def _output(program: str, *arguments: str | Path) -> bytes:
    command = [program, "-v", "error", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout
