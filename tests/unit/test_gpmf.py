"""The telemetry parser against payloads put together by hand from the format's description."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.media.gpmf import Damaged, parse


def klv(key: bytes, kind: bytes, size: int, repeat: int, value: bytes) -> bytes:
    return key + kind + struct.pack(">BH", size, repeat) + value + b"\0" * (-len(value) % 4)


def nest(key: bytes, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return klv(key, b"\0", 1, len(value), value)


def text(key: bytes, value: bytes) -> bytes:
    return klv(key, b"c", 1, len(value), value)


def shorts(key: bytes, rows: list[tuple[int, ...]]) -> bytes:
    flat = [number for row in rows for number in row]
    return klv(key, b"s", 2 * len(rows[0]), len(rows), struct.pack(f">{len(flat)}h", *flat))


def total(count: int) -> bytes:
    return klv(b"TSMP", b"L", 4, 1, struct.pack(">L", count))


ACCL = [(4418, -628, -571), (4400, -600, -500)]
GYRO = [(172, 70, 125), (-61, 9, -285), (3, 2, 1)]


def camera(*properties: bytes, name: bytes = b"Camera") -> bytes:
    """A device with both sensors; `properties` stand before the readings of both."""
    return nest(
        b"DEVC",
        text(b"DVNM", name),
        nest(b"STRM", total(2), *properties, shorts(b"SCAL", [(418,)]), shorts(b"ACCL", ACCL)),
        nest(b"STRM", total(3), *properties, shorts(b"SCAL", [(3755,)]), shorts(b"GYRO", GYRO)),
    )


@pytest.mark.parametrize(
    ("name", "orin", "xyz"),
    [
        # Channel 0 is up, 1 to the side, 2 along the lens (HERO5, which states no order).
        (b"Camera", b"", "+1 +2 +0"),
        (b"HERO11 Black", b"ZXY", "+1 +2 +0"),
        (b"HERO7 Black", b"YxZ", "-1 +0 +2"),
        (b"GoPro Max", b"XzY", "+0 +2 -1"),
        (b"Hero6 Black", b"", "-1 +0 +2"),
        (b"Fusion", b"", "+1 -0 +2"),
    ],
)
def test_axes_come_out_as_x_y_z(name: bytes, orin: bytes, xyz: str) -> None:
    payload = parse(camera(*([text(b"ORIN", orin)] if orin else []), name=name))

    assert payload.accl is not None
    assert payload.gyro is not None
    for axis, (sign, channel) in enumerate(xyz.split()):
        for readings, raw, scale in ((payload.accl, ACCL, 418), (payload.gyro, GYRO, 3755)):
            expected = [float(f"{sign}1") * row[int(channel)] / scale for row in raw]
            np.testing.assert_allclose(readings.values[:, axis], expected)


def test_running_totals_units_and_other_devices() -> None:
    drone = nest(b"DEVC", text(b"DVNM", b"Karma"), nest(b"STRM", shorts(b"SIMU", [(1, 2, 3)])))
    payload = parse(drone + camera() + b"\0" * 8)

    assert payload.accl is not None
    assert payload.gyro is not None
    assert (payload.accl.total, payload.gyro.total) == (2, 3)
    assert payload.keys == ("SIMU", "ACCL", "GYRO")


def test_a_scale_for_each_channel_and_floats() -> None:
    rows = struct.pack(">6f", 1, 2, 3, 4, 5, 6)
    stream = nest(b"STRM", shorts(b"SCAL", [(1,), (2,), (4,)]), klv(b"GYRO", b"f", 12, 2, rows))
    payload = parse(nest(b"DEVC", stream))

    assert payload.accl is None
    assert payload.gyro is not None
    np.testing.assert_array_equal(payload.gyro.values, [[1, 0.75, 1], [2.5, 1.5, 4]])


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"abcdefgh" * 2, "claims"),
        (text(b"STRM", b"x"), "DEVC"),
        (camera()[:-4], "claims"),
        (camera(text(b"ORIN", b"ZXX")), "ORIN"),
        (camera(text(b"SIUN", b"deg/s")), "was expected"),
        (nest(b"DEVC", nest(b"STRM", shorts(b"SCAL", [(0,)]), shorts(b"ACCL", ACCL))), "scale"),
        (nest(b"DEVC", nest(b"STRM", shorts(b"ACCL", [(1, 2)]))), "2 channels"),
        (nest(b"DEVC", nest(b"STRM", klv(b"ACCL", b"?", 6, 1, b"......"))), "type"),
        (nest(b"DEVC", nest(b"STRM", klv(b"ACCL", b"s", 0, 9, b""))), "0 bytes"),
        (nest(b"DEVC", nest(b"STRM", klv(b"ACCL", b"f", 12, 1, b"\x7f\xc0\0\0" * 3))), "finite"),
    ],
)
def test_damage_is_named(payload: bytes, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        parse(payload)


@given(st.binary(max_size=400))
def test_any_bytes_give_readings_or_damage(data: bytes) -> None:
    try:
        parse(data)
    except Damaged as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


@given(st.data())
@settings(max_examples=300)
def test_a_damaged_payload_yields_no_more_than_it_holds(
    data: st.DataObject,
) -> None:
    """Bytes changed anywhere, cut anywhere: what a broken file or an attacker would send."""
    whole = bytearray(camera(text(b"ORIN", b"YxZ")))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        payload = parse(cut)
    except Damaged:
        return
    for sensor in (payload.accl, payload.gyro):
        assert sensor is None or sensor.values.size <= len(cut)
        assert sensor is None or np.isfinite(sensor.values).all()
