"""Records of IIO buffers as the kernel lays them out, and what their integers say."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.imu.frames import Frame, parse_matrix
from sources.imu.scan import Element, numbers, parse_type, record

LAWS = settings(deadline=None)  # a busy machine is no error of the code


def elements(*types: str) -> list[Element]:
    return [parse_type(f"c{index}", index, text) for index, text in enumerate(types)]


def test_six_axes_and_a_stamp_are_padded_as_the_kernel_does() -> None:
    """
    byte   0  2  4  6  8  10   12..15   16        24
           ax ay az gx gy gz   (pad)    stamp
    """
    layout = elements(*["le:s16/16>>0"] * 6, "le:s64/64>>0")
    dtype = record(layout)
    assert dtype.itemsize == 24
    assert dtype.fields is not None
    assert [place[1] for place in dtype.fields.values()] == [0, 2, 4, 6, 8, 10, 16]

    body = struct.pack("<6h4xq", 1, -2, 3, -32768, 32767, 0, 1_750_000_000_123_456_789)
    records = np.frombuffer(body, dtype)
    said = [int(numbers(records, element)[0]) for element in layout]
    assert said == [1, -2, 3, -32768, 32767, 0, 1_750_000_000_123_456_789]


def test_without_a_stamp_the_record_ends_at_its_largest() -> None:
    assert record(elements("le:s16/16>>0", "le:s16/16>>0", "le:s16/16>>0")).itemsize == 6
    assert record(elements("le:s32/32>>0", "le:s16/16>>0", "le:u8/8>>0")).itemsize == 8


def test_channels_lie_by_index_not_by_name() -> None:
    layout = [parse_type("z", 0, "le:s16/16>>0"), parse_type("a", 7, "be:s16/16>>0")]
    records = np.frombuffer(struct.pack("<h", 5) + struct.pack(">h", -6), record(layout[::-1]))
    assert [int(numbers(records, element)[0]) for element in layout] == [5, -6]


def test_a_repeated_channel_is_aligned_to_its_whole() -> None:
    """A quaternion of four 32-bit numbers that somebody else has switched on."""
    dtype = record(elements("le:s16/16>>0", "le:s32/32X4>>0"))
    assert dtype.fields is not None
    assert dtype.fields["c1"][1] == 16
    assert dtype.itemsize == 32


@LAWS
@given(st.sampled_from(["le", "be"]), st.booleans(), st.sampled_from([8, 16, 32, 64]), st.data())
def test_each_number_comes_back(end: str, signed: bool, stored: int, data: st.DataObject) -> None:
    bits = data.draw(st.integers(2, stored))
    shift = data.draw(st.integers(0, stored - bits))
    top = bits - 1 if signed or bits == 64 else bits
    value = data.draw(st.integers(-(1 << top) if signed else 0, (1 << top) - 1))
    noise = data.draw(st.integers(0, (1 << shift) - 1))
    word = ((value & ((1 << bits) - 1)) << shift) | noise  # below the value lies anything
    body = word.to_bytes(stored // 8, "little" if end == "le" else "big")

    element = parse_type("c", 0, f"{end}:{'s' if signed else 'u'}{bits}/{stored}>>{shift}")
    assert int(numbers(np.frombuffer(body, record([element])), element)[0]) == value


def test_twelve_bits_in_sixteen_big_endian() -> None:
    element = parse_type("c", 0, "be:s12/16>>4")
    records = np.frombuffer(bytes([0xFF, 0xF0, 0x7F, 0xFF, 0x80, 0x00]), record([element]))
    assert list(numbers(records, element)) == [-1, 2047, -2048]


@pytest.mark.parametrize(
    "text",
    ["", "le:s16", "le:f32/32>>0", "le:s16/24>>0", "le:s17/16>>0", "le:s16/16>>1", "le:s0/16>>0"],
)
def test_a_type_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"c: expected"):
        parse_type("c", 0, text)


def test_two_channels_of_one_index_are_refused() -> None:
    twice = [parse_type(name, 0, "le:s16/16>>0") for name in "ab"]
    with pytest.raises(ValueError, match="different index"):
        record(twice)


def test_offset_before_scale_before_mounting() -> None:
    """Turned by 90 degrees about z: what the chip calls x, the machine calls y."""
    matrix = parse_matrix("0, -1, 0; 1, 0, 0; 0, 0, 1")
    frame = Frame(np.array([0.5, 1, 1]), np.array([10.0, 0, 0]), matrix)
    np.testing.assert_array_equal(frame.values(np.array([[2, 0, 7]])), [[0, 6, 7]])


@pytest.mark.parametrize(
    "text", ["", "1,0,0;0,1,0", "1,0;0,1", "1,0,0;0,1,0;0,0,2", "a,b,c;d,e,f;g,h,i"]
)
def test_a_matrix_that_is_no_rotation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rotation"):
        parse_matrix(text)
