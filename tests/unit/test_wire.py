"""The bytes of an embedding: they come back as they went, and nothing else passes."""

from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.wire.bounds import MAX_PAYLOAD, WireError
from sinks.wire.embedding import decode_embedding, encode_embedding
from sinks.wire.vectors import MAX_DIM, Dtype
from streamer.types import ClockCard, Embedding, Ledger, Quality, Span
from tests.messages import embedding, unit_vector

T = st.integers(0, 2**63 - 1)
COUNT = st.integers(0, 2**53 - 1)
AGE = st.integers(-(2**63) + 1, 2**63 - 1)
NAME = st.text(min_size=1, max_size=20)
SHARE = st.floats(0, 1)


@st.composite
def embeddings(draw: st.DrawFn) -> Embedding:
    start, end = sorted((draw(T), draw(T)))
    quality = Quality(
        coverage=draw(SHARE),
        gaps=draw(COUNT),
        oldest_age_ns=draw(AGE),
        newest_age_ns=draw(AGE),
        late=draw(COUNT),
        dropped=draw(st.dictionaries(NAME, COUNT, max_size=3)),
        clock=ClockCard(draw(NAME), draw(T)),
        contributors=tuple(draw(st.lists(NAME, max_size=3))),
        absent=draw(st.dictionaries(NAME, NAME, max_size=3)),
        agreement=draw(st.none() | SHARE),
    )
    return Embedding(
        stream=draw(NAME),
        modality=draw(st.sampled_from(["vision", "audio", "depth", "thermal", "imu", "fused"])),
        span=Span(start, end),
        vector=unit_vector(draw(st.integers(0, 99)), draw(st.integers(1, 64))),
        model=draw(NAME),
        quality=quality,
        labels=None,
        ledger=Ledger(draw(T), draw(T), draw(T), draw(T)),
    )


@given(embeddings(), NAME, COUNT, T)
@settings(max_examples=60)
def test_an_embedding_comes_back_as_it_went(
    sent: Embedding, sid: str, seq: int, published_ns: int
) -> None:
    body = encode_embedding(sent, sid=sid, seq=seq, dtype="float32")
    received = decode_embedding(body.stamped(published_ns))
    got = received.embedding
    assert (received.sid, received.seq) == (sid, seq)
    assert got.ledger.published_ns == published_ns
    for name in ("stream", "modality", "span", "model", "quality"):
        assert getattr(got, name) == getattr(sent, name), name
    for name in ("capture_ns", "closed_ns", "encode_started_ns", "encoded_ns"):
        assert getattr(got.ledger, name) == getattr(sent.ledger, name), name
    assert got.vector.dtype == np.float32
    np.testing.assert_array_equal(got.vector, sent.vector)


@pytest.mark.parametrize("dim", [1, 512, 1024, MAX_DIM])
def test_float16_keeps_the_direction_and_the_length_is_restored(dim: int) -> None:
    sent = embedding(3, dim=dim)
    body = encode_embedding(sent, sid="s", seq=0, dtype="float16")
    got = decode_embedding(body.stamped(1)).embedding.vector.astype(np.float64)
    assert abs(np.linalg.norm(got) - 1) < 1e-6
    assert got @ sent.vector.astype(np.float64) > 1 - 1e-6


@pytest.mark.parametrize(("dtype", "tag", "kind"), [("float16", 84, "<f2"), ("float32", 85, "<f4")])
def test_any_cbor_reader_finds_the_documented_keys(dtype: Dtype, tag: int, kind: str) -> None:
    sent = embedding(1)
    found: dict[str, Any] = cbor2.loads(
        encode_embedding(sent, sid="5e55", seq=7, dtype=dtype).stamped(42)
    )
    assert list(found) == ["v", "sid", "seq", "t0", "t1", "m", "s", "model", "q", "l", "e", "tp"]
    assert found["v"] == 1
    assert found["seq"] == 7
    assert found["t1"] == sent.span.end_ns
    assert found["tp"] == 42
    assert found["e"].tag == tag
    assert len(found["e"].value) == 1024 * np.dtype(kind).itemsize
    vector = np.frombuffer(found["e"].value, kind).astype(np.float64)
    assert vector @ sent.vector / np.linalg.norm(vector) > 0.999999
    assert found["q"] == {
        "coverage": 0.96875,
        "gaps": 1,
        "oldest": 1_990_000_000,
        "newest": 10_000_000,
        "late": 2,
        "clock": "device",
        "error": 1000,
        "dropped": {"overload": 3},
    }
    t = sent.span.end_ns
    assert found["l"] == {
        "capture": t - 10,
        "closed": t + 100,
        "started": t + 200,
        "encoded": t + 300,
    }


def test_an_embedding_of_1024_numbers_takes_less_than_2400_bytes() -> None:
    payload = encode_embedding(embedding(), sid="0123456789abcdef", seq=10**6, dtype="float16")
    assert len(payload.stamped(10**18)) < 2400


# -- what is not an embedding ----------------------------------------------------------------


def good() -> dict[str, Any]:
    return cbor2.loads(
        encode_embedding(embedding(dim=8), sid="s", seq=1, dtype="float32").stamped(5)
    )


def rejected(pairs: object) -> str:
    with pytest.raises(WireError) as caught:
        decode_embedding(cbor2.dumps(pairs))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_keys_of_a_later_version_are_passed_over() -> None:
    later = good()
    later |= {"new": {"deep": [1]}}
    later["q"] |= {"new": 1}
    assert decode_embedding(cbor2.dumps(later)).seq == 1


@pytest.mark.parametrize("key", ["v", "sid", "seq", "t0", "t1", "tp", "m", "s", "model", "q", "l"])
def test_a_missing_key_is_named(key: str) -> None:
    pairs = good()
    del pairs[key]
    assert f"embedding: {key}: " in rejected(pairs)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("v", 2),
        ("v", True),
        ("sid", 5),
        ("sid", "x" * 1000),
        ("seq", -1),
        ("seq", 1.0),
        ("seq", True),
        ("t0", 2**63),
        ("t1", "now"),
        ("m", "smell"),
        ("q", []),
        ("l", 5),
        ("e", b"\0\0"),
        ("e", cbor2.CBORTag(86, b"\0" * 16)),
        ("e", cbor2.CBORTag(85, "text")),
        ("e", cbor2.CBORTag(85, b"")),
        ("e", cbor2.CBORTag(85, b"\0" * 15)),
        ("e", cbor2.CBORTag(85, b"\0" * 16)),
        ("e", cbor2.CBORTag(85, np.full(4, np.nan, "<f4").tobytes())),
        ("e", cbor2.CBORTag(85, np.full(4, np.inf, "<f4").tobytes())),
        ("e", cbor2.CBORTag(85, np.full(4, 0.51, "<f4").tobytes())),
        ("e", cbor2.CBORTag(84, unit_vector(0, MAX_DIM + 1).astype("<f2").tobytes())),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    assert f"embedding: {key}: " in rejected(good() | {key: value})


def test_a_window_that_ends_before_it_starts_is_rejected() -> None:
    assert "t1" in rejected(good() | {"t0": 10, "t1": 9})


def test_a_wrong_value_inside_a_map_is_named_with_its_path() -> None:
    pairs = good()
    pairs["q"]["coverage"] = float("nan")
    assert "embedding: q.coverage: " in rejected(pairs)


def test_what_is_no_map_or_has_more_after_it_is_rejected() -> None:
    assert "expected a CBOR map" in rejected([1])
    with pytest.raises(WireError, match="1 bytes after its end"):
        decode_embedding(cbor2.dumps(good()) + b"\0")


def test_a_payload_beyond_the_limit_is_not_even_parsed() -> None:
    with pytest.raises(WireError, match="at most"):
        decode_embedding(b"\x5a\x7f\xff\xff\xff" + bytes(MAX_PAYLOAD))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff",  # an array of 2^40
        b"\xbb\x00\x00\x00\xff\xff\xff\xff\xff",  # a map of 2^40
        b"\x5b\x00\x00\x00\xff\xff\xff\xff\xff",  # a byte string of 2^40
        b"\x81" * 10_000 + b"\0",  # nested ten thousand deep
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that contains itself
        b"\xd8\x23\x61(",  # a broken regular expression
        b"",
    ],
)
def test_hostile_lengths_and_nesting_are_rejected(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode_embedding(payload)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_random_bytes_raise_the_declared_error_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode_embedding(payload)


@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=300)
def test_a_damaged_embedding_decodes_or_raises_the_declared_error(at: int, byte: int) -> None:
    payload = bytearray(cbor2.dumps(good()))
    payload[at % len(payload)] = byte
    try:
        vector = decode_embedding(bytes(payload)).embedding.vector
    except WireError:
        return
    assert abs(float(np.linalg.norm(vector)) - 1) < 0.011


def test_no_embedding_is_made_of_a_vector_that_is_not_of_unit_length() -> None:
    for vector in (np.zeros(4), np.full(4, np.nan), np.ones(4), np.ones((2, 2)) / 2):
        sent = embedding()
        broken = Embedding(
            sent.stream,
            sent.modality,
            sent.span,
            vector.astype(np.float32),
            sent.model,
            sent.quality,
            None,
            sent.ledger,
        )
        with pytest.raises(ValueError, match="expected a"):
            encode_embedding(broken, sid="s", seq=0, dtype="float16")
