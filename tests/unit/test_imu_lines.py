"""Lines of serial sensors: cut, checked, read; damage told apart and counted."""

from collections import Counter
from functools import reduce
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.imu.lines import (
    FRUITLESS_LINES,
    FRUITLESS_NS,
    LINE_BYTES,
    Damaged,
    Fruitless,
    Layout,
    Reading,
    Splitter,
)

PLAIN = Layout((0, 1, 2, 3, 4, 5))
NMEA = Layout((2, 3, 4, 5, 6, 7), time=1, time_unit="us", prefix="$IMU", checksum=True)

LAWS = settings(deadline=None)  # a busy machine is no error of the code


def signed(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode(), 0):02X}".encode()


def test_a_line_of_columns() -> None:
    assert PLAIN.parse(b"1,-2.5, 3e-2 ,4,5,6") == Reading(None, (1, -2.5, 0.03, 4, 5, 6))


def test_columns_in_any_order_and_more_of_them() -> None:
    layout = Layout((6, 5, 4, 3, 2, 1), time=0, time_unit="ms", delimiter=" ")
    assert layout.parse(b"12.5  1 2 3\t4 5 6 7 8") == Reading(12_500_000, (6, 5, 4, 3, 2, 1))


def test_a_time_of_this_century_is_exact() -> None:
    layout = Layout((1, 2, 3, 4, 5, 6), time=0, time_unit="s")
    reading = layout.parse(b"1750000000.123456789,1,2,3,4,5,6")
    assert reading == Reading(1_750_000_000_123_456_789, (1, 2, 3, 4, 5, 6))


def test_a_sentence_with_its_checksum() -> None:
    assert NMEA.parse(b"$IMU,7,1,2,3,4,5,6*4D") == Reading(7000, (1, 2, 3, 4, 5, 6))
    assert NMEA.parse(b"$IMU,7,1,2,3,4,5,6*4d") is not None


def test_a_checksum_nobody_asked_about_is_left_out() -> None:
    assert PLAIN.parse(b"1,2,3,4,5,6*00") == Reading(None, (1, 2, 3, 4, 5, 6))


def test_another_sentence_is_no_damage() -> None:
    # The checksum is that of a widely printed example of NMEA 0183.
    assert NMEA.parse(b"$GPGLL,5057.970,N,00146.110,E,142451,A*27") is None


@pytest.mark.parametrize(
    ("layout", "line", "cause"),
    [
        (NMEA, b"$IMU,7,1,2,3,4,5,7*4D", "checksum"),
        (NMEA, b"$IMU,7,1,2,3", "half_line"),
        (NMEA, b"\xff\xfe\x00,1", "garbage"),
        (NMEA, signed("IMU,7,1,2,3,4,5"), "garbage"),  # a column is missing
        (NMEA, signed("IMU,x,1,2,3,4,5,6"), "garbage"),
        (NMEA, signed("IMU,1e999999999,1,2,3,4,5,6"), "garbage"),
        (PLAIN, b"1,2,3,4,5", "garbage"),
        (PLAIN, b"1,2,3,4,5,nan", "garbage"),
        (PLAIN, b"1,2,3,4,5,1e30", "garbage"),
        (PLAIN, b"ax,ay,az,gx,gy,gz", "garbage"),
        (PLAIN, b"1,2,3,4,5,\xb2", "garbage"),
        (Layout((1, 2, 3, 4, 5, 6), prefix="A"), b"B,1,2,3,4,5,6", "garbage"),
    ],
)
def test_damage_is_told_apart(layout: Layout, line: bytes, cause: str) -> None:
    with pytest.raises(Damaged, match=cause):
        layout.parse(line)


@LAWS
@given(st.binary(max_size=LINE_BYTES), st.sampled_from([PLAIN, NMEA]))
def test_any_bytes_are_a_reading_or_damage(line: bytes, layout: Layout) -> None:
    try:
        reading = layout.parse(line)
    except Damaged:
        return
    assert reading is None or len(reading.values) == 6


@LAWS
@given(st.integers(0, 200), st.integers(1, 255))
def test_no_changed_byte_passes_the_checksum(at: int, change: int) -> None:
    line = bytearray(signed("IMU,7,1.25,2.25,3.25,4.25,5.25,6.25"))
    at %= len(line) - 3  # the digits themselves may change their case
    line[at] ^= change
    try:
        reading = NMEA.parse(bytes(line).strip())
    except Damaged:
        return
    # A byte that is not summed up: the $ before.
    assert reading is None
    assert at == 0


@LAWS
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.data())
def test_lines_are_the_same_however_the_bytes_come(numbers: list[int], data: st.DataObject) -> None:
    text = b"tail of one\r\n" + b"".join(b"%d\r\n" % number for number in numbers)
    splitter, lines = Splitter(), list[bytes]()
    while text:
        size = data.draw(st.integers(1, len(text)))
        lines += splitter.push(text[:size])
        text = text[size:]
    assert lines == [b"%d" % number for number in numbers]
    assert splitter.lost == Counter(half_line=1)


def test_a_line_joined_at_its_start_counts_as_half_since_nobody_can_know() -> None:
    splitter = Splitter()
    assert list(splitter.push(b"1,2,3\n4,5,6\n")) == [b"4,5,6"]
    assert splitter.lost == Counter(half_line=1)


def test_a_line_without_an_end_holds_no_memory() -> None:
    splitter = Splitter()
    assert list(splitter.push(b"x\n")) == []
    for _ in range(1000):
        assert list(splitter.push(b"y" * 4096)) == []
    assert list(splitter.push(b"y\nz\n")) == [b"z"]
    assert list(splitter.push(b"w" * (LINE_BYTES + 1) + b"\nv\n")) == [b"v"]
    assert splitter.lost == Counter(half_line=1, long_line=2)


def test_noise_without_an_end_before_the_first_line_is_one_loss() -> None:
    splitter = Splitter()
    assert list(splitter.push(b"\x00" * 5000)) == []
    assert list(splitter.push(b"\na\n")) == [b"a"]
    assert splitter.lost == Counter(half_line=1)


def judged(layout: Layout, lines: list[bytes]) -> str:
    """What is said after so many lines in so long a time, all told at its start."""
    fruitless = Fruitless(layout)
    for line in lines:
        try:
            reading = layout.parse(line)
        except Damaged as damage:
            fruitless.line(line, damage.why, 0)
            continue
        if reading is None:
            fruitless.line(line, "of another name", 0)
        else:
            fruitless.reading()
    return fruitless.verdict(FRUITLESS_NS)


FAR = Layout((2, 3, 4, 5, 6, 17), prefix="$IMU", checksum=True)
OTHER = signed("GPGLL,5057.970,N")


@pytest.mark.parametrize(
    ("layout", "line", "why"),
    [
        (FAR, signed("IMU,7,1,2,3,4,5,6"), "column 17 of 8 is missing"),
        (Layout((0, 1, 2, 3, 4, 5), time=7), b"1,2,3,4,5,6", "column 7 of 6 is missing"),
        (PLAIN, b"1,2,3,four,5,6", "column 3 is no number"),
        (Layout((1, 2, 3, 4, 5, 6), time=0), b"x,1,2,3,4,5,6", "column 0 is no number"),
        (Layout((1, 2, 3, 4, 5, 6), prefix="IMU"), b"$IMU,1,2", "no line begins with IMU"),
        (NMEA, OTHER, "no line begins with $IMU"),
        (NMEA, b"$IMU,7,1,2,3,4,5,6", "no checksum at its end"),
        (NMEA, b"$IMU,7,1,2,3,4,5,6*00", "its checksum is another"),
    ],
)
def test_lines_of_which_none_is_a_reading_have_one_reason(
    layout: Layout, line: bytes, why: str
) -> None:
    said = f"60 lines came and none is a reading: {why}; the last was '{line.decode()}'"
    assert judged(layout, [line] * 60) == said


def test_a_line_of_the_name_tells_more_than_the_others_around_it() -> None:
    line = signed("IMU,7,1,2,3,4,5,6")
    assert judged(FAR, [line, *[OTHER] * 99]) == (
        "100 lines came and none is a reading: column 17 of 8 is missing; "
        f"the last was '{line.decode()}'"
    )


def test_one_reading_few_lines_or_a_short_time_are_no_reason() -> None:
    good, bad = b"1,2,3,4,5,6", b"1,2,3"
    few = [bad] * (FRUITLESS_LINES - 1)
    assert judged(PLAIN, few) == ""
    assert judged(PLAIN, [bad, *few]) != ""
    assert judged(PLAIN, [bad, good, *few]) == ""
    fruitless = Fruitless(PLAIN)
    for _ in range(1000):
        fruitless.line(bad, "why", 5)
    assert fruitless.verdict(4 + FRUITLESS_NS) == ""
    assert fruitless.verdict(5 + FRUITLESS_NS) != ""


@LAWS
@given(st.binary(max_size=LINE_BYTES), st.sampled_from([PLAIN, NMEA, Layout(FAR.columns, 1)]))
def test_whatever_came_the_reason_is_one_short_line_of_printable_characters(
    line: bytes, layout: Layout
) -> None:
    said = judged(layout, [line] * FRUITLESS_LINES)
    assert not said or said.isprintable()
    assert len(said) < 240
    assert len(said.partition("; the last was ")[2]) <= 82
