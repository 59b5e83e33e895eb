"""What a device's process says arrives as it was sent, and rubbish is refused in one line."""

import tracemalloc

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from sources.isolated.messages import (
    MAX_BYTES,
    PIXELS,
    Ended,
    Garbled,
    Head,
    Lost,
    Message,
    Motion,
    Noted,
    Opened,
    Picture,
    Sound,
    Tally,
    decode,
    encode,
)
from streamer.types import ClockCard

stamps = st.integers(-(1 << 61), 1 << 61)
counts = st.integers(0, 1 << 40)
heads = st.builds(
    Head,
    stream=st.text(max_size=30),
    t_ns=stamps,
    duration_ns=st.integers(0, 3_600_000_000_000),
    clock=st.builds(ClockCard, st.text(max_size=20), counts, stamps),
    made=counts,
    dropped=st.dictionaries(st.text(max_size=20), counts, max_size=5),
)
sides = st.integers(1, 4096)
numbers = st.floats(allow_nan=False, allow_infinity=False)
pictures = st.builds(
    Picture,
    head=heads,
    slot=st.integers(0, 3),
    shape=st.one_of(st.tuples(sides, sides), st.tuples(sides, sides, st.just(3))),
    dtype=st.sampled_from(PIXELS),
    scale=st.none() | numbers,
    offset=numbers,
    grey=st.booleans(),
)
sounds = st.builds(
    Sound,
    head=heads,
    rate_hz=st.integers(1, 192_000),
    samples=nps.arrays(np.float32, st.integers(1, 50)),
)
motions = st.integers(1, 20).flatmap(
    lambda n: st.builds(
        Motion,
        head=heads,
        t_ns=nps.arrays(np.int64, n, elements=stamps),
        values=nps.arrays(np.float32, (n, 6)),
    )
)
tallies = st.builds(
    Tally,
    st.text(max_size=30),
    counts,
    st.dictionaries(st.text(max_size=20), counts, max_size=5),
)
notes = st.builds(Noted, st.text(max_size=30), st.text(max_size=200))
words = st.builds(Opened, st.text(max_size=200)) | st.builds(Lost, st.text(max_size=200))
messages = st.one_of(pictures, sounds, motions, tallies, notes, words, st.just(Ended()))


def fields(message: Message) -> list[object]:
    """What compares: arrays as their bytes, since NaN is not itself."""
    match message:
        case Sound(head):
            return [head, message.rate_hz, message.samples.tobytes()]
        case Motion(head):
            return [head, message.t_ns.tobytes(), message.values.shape, message.values.tobytes()]
        case _:
            return [message]


@given(messages)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    said = decode(encode(message))
    assert type(said) is type(message)
    assert fields(said) == fields(message)


@given(st.binary(max_size=200))
def test_rubbish_is_refused(body: bytes) -> None:
    try:
        decode(body)
    except Garbled:
        return


@given(messages, st.data())
def test_a_damaged_message_is_refused_or_is_another_one(
    message: Message, data: st.DataObject
) -> None:
    body = bytearray(encode(message))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    try:
        said = decode(bytes(body[:cut]))
    except Garbled:
        return
    # Whatever it is now, it can be worked with.
    if isinstance(said, Picture):
        assert all(type(side) is int and side > 0 for side in said.shape)
        assert np.isfinite(said.offset)
    elif isinstance(said, Sound):
        assert len(said.samples)
        assert said.rate_hz > 0
    elif isinstance(said, Motion):
        assert len(said.t_ns) == len(said.values) > 0


HEAD = ("cam", 1, 1, ("host", 0, 0), 1, {})
NAN = float("nan")


@pytest.mark.parametrize(
    "said",
    [
        None,
        "picture",
        [],
        ["picture"],
        ["banana", 1],
        [["picture"], HEAD, 0, (2, 2), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, (2, 2), "object", None, 0.0, False],
        ["picture", HEAD, 0, (2, 2), ["uint8"], None, 0.0, False],
        ["picture", HEAD, 0, (2,), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, (2, 2, 2, 2), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, (2.0, 2), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, (-2, -2), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, (1 << 70, 2), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, 4, "uint8", None, 0.0, False],
        ["picture", HEAD, "0", (2, 2), "uint8", None, 0.0, False],
        ["picture", HEAD, -1, (2, 2), "uint8", None, 0.0, False],
        ["picture", HEAD, 0, (2, 2), "uint8", "1", 0.0, False],
        ["picture", HEAD, 0, (2, 2), "uint8", NAN, 0.0, False],
        ["picture", HEAD, 0, (2, 2), "uint8", None, None, False],
        ["picture", HEAD, 0, (2, 2), "uint8", None, 10**400, False],
        ["picture", HEAD, 0, (2, 2), "uint8", 1.0, 0.0, 1],
        ["noted", 5, "level 3"],
        ["noted", "cam"],
        ["sound", HEAD, 0, b"\0\0\0\0"],
        ["sound", HEAD, 16000, b""],
        ["sound", HEAD, 16000, b"\0\0\0"],
        ["sound", HEAD, 16000, "text"],
        ["motion", HEAD, b"", b""],
        ["motion", HEAD, bytes(8), bytes(20)],
        ["motion", HEAD, b"\xff" * 7 + b"\x7f", bytes(24)],
        ["sound", None, 16000, bytes(4)],
        ["sound", [*HEAD[:5], []], 16000, bytes(4)],
        ["sound", [*HEAD[:5], {"overload": -1}], 16000, bytes(4)],
        ["sound", [*HEAD[:5], {str(n): 1 for n in range(1000)}], 16000, bytes(4)],
        ["sound", ["cam", float("inf"), 1, ("host", 0, 0), 1, {}], 16000, bytes(4)],
        ["sound", ["cam", 1, -1, ("host", 0, 0), 1, {}], 16000, bytes(4)],
        ["sound", ["cam", 1, 1, ("host", 0), 1, {}], 16000, bytes(4)],
        ["sound", [5, 1, 1, ("host", 0, 0), 1, {}], 16000, bytes(4)],
        ["sound", ["cam", True, 1, ("host", 0, 0), 1, {}], 16000, bytes(4)],
        ["tally", "cam", -1, {}],
        ["tally", "cam", 1, None],
        ["noted", "cam", None],
        ["opened", 5],
        ["lost"],
        ["ended", 1],
    ],
)
def test_what_no_process_of_ours_says_is_refused(said: object) -> None:
    with pytest.raises(Garbled, match="expected a message of a device's process, got"):
        decode(cbor2.dumps(said))


@pytest.mark.parametrize(
    "body",
    [
        b"\x9a\x7f\xff\xff\xff",  # a list of two thousand million
        b"\x9b\x00\x00\x00\x10\x00\x00\x00\x00",
        b"\x5b\x00\x00\x00\x10\x00\x00\x00\x00",  # bytes, 64 GiB
        b"\xba\x7f\xff\xff\xff",  # a map
        b"\x81" * MAX_BYTES,  # a list in a list in a list
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
    ],
)
def test_a_length_that_was_announced_costs_nothing(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Garbled):
            decode(body)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_a_message_that_does_not_fit_is_not_sent() -> None:
    samples = np.zeros(MAX_BYTES // 4, np.float32)
    with pytest.raises(ValueError, match=f"at most {MAX_BYTES} bytes"):
        encode(Sound(Head("mic", 0, 1, ClockCard("host", 0), 1), 16000, samples))


def test_last_words_are_cut() -> None:
    said = decode(encode(Lost("x" * 10 * MAX_BYTES)))
    assert said == Lost("x" * 2000)
