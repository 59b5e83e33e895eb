"""The JSON messages: plain numbers, microseconds, no NaN; and what comes back is what went."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.wire.bounds import Wire, WireError
from sinks.wire.embedding import Body
from sinks.wire.reports import (
    HealthReport,
    LabelReport,
    MetaReport,
    RecordingReport,
    SourceReport,
    StatusReport,
    TruthReport,
    decode,
    encode_embedding_json,
    encode_health,
    encode_labels,
    encode_meta,
    encode_recording,
    encode_source,
    encode_status,
    encode_truth,
)
from streamer.types import MODALITIES, Health, Labels, Modality, Span, Truth
from tests.messages import (
    META,
    T_NS,
    embedding,
    labels,
    recording_status,
    source_status,
    truth,
)

KINDS: list[type[Wire]] = [
    RecordingReport,
    LabelReport,
    TruthReport,
    StatusReport,
    SourceReport,
    MetaReport,
    HealthReport,
]


def plain(body: Body) -> dict[str, Any]:
    """As a strict reader of JSON sees it: NaN and Infinity are not JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(body.stamped(T_NS + 5_000), parse_constant=refuse)


def test_labels_hold_the_best_first_with_probability_and_cosine() -> None:
    scores = Labels(
        set_hash="5e7",
        names=("cat", "dog", "fox"),
        probabilities=np.array([0.1, 0.6, 0.2], np.float32),
        cosines=np.array([0.11, 0.31, 0.21], np.float32),
        none=0.1,
        calibrated=False,
    )
    sent = embedding(4)
    assert plain(encode_labels(sent, scores, sid="s", seq=9, top_k=2)) == {
        "v": 1,
        "sid": "s",
        "seq": 9,
        "t0": sent.span.start_ns // 1000,
        "t1": sent.span.end_ns // 1000,
        "m": "vision",
        "s": "cam",
        "model": "imagebind_test",
        "set": "5e7",
        "size": 3,
        "calibrated": False,
        "none": 0.1,
        "top": [{"l": "dog", "p": 0.6, "cos": 0.31}, {"l": "fox", "p": 0.2, "cos": 0.21}],
        "tp": T_NS // 1000 + 5,
    }


@given(st.integers(0, 999), st.integers(1, 40), st.none() | st.integers(1, 50))
@settings(max_examples=40)
def test_labels_come_back_as_they_went(seed: int, count: int, top_k: int | None) -> None:
    scores = labels(seed, count)
    body = encode_labels(embedding(), scores, sid="s", seq=seed, top_k=top_k)
    found = decode(LabelReport, body.stamped(T_NS))
    assert len(found.top) == min(count, top_k or count)
    assert [s.p for s in found.top] == sorted((s.p for s in found.top), reverse=True)
    assert {s.l for s in found.top} <= set(scores.names)
    for score in found.top:
        i = scores.names.index(score.l)
        assert math.isclose(score.p, scores.probabilities[i], abs_tol=1e-6)
        assert math.isclose(score.cos, scores.cosines[i], abs_tol=1e-6)
    best = float(np.sort(scores.probabilities)[::-1][: len(found.top)].sum())
    assert math.isclose(sum(s.p for s in found.top), best, abs_tol=1e-4)


def test_a_truth_is_plain_json_in_microseconds() -> None:
    assert plain(encode_truth(truth(2), sid="s", seq=2)) == {
        "v": 1,
        "sid": "s",
        "seq": 2,
        "t0": T_NS // 1000 + 16_000_000,
        "t1": T_NS // 1000 + 24_000_000,
        "s": "truth",
        "present": {
            "vision": ["a dog barking", "a kettle boiling"],
            "audio": ["a dog barking"],
            "imu": [],
        },
        "tp": T_NS // 1000 + 5,
    }


@given(
    present=st.dictionaries(
        st.sampled_from(MODALITIES), st.lists(st.text(max_size=40), max_size=5).map(tuple)
    ),
    start_us=st.integers(0, 2**52),
    length_us=st.integers(0, 2**51),
)
@settings(max_examples=60)
def test_a_truth_comes_back_as_it_went(
    present: dict[Modality, tuple[str, ...]], start_us: int, length_us: int
) -> None:
    span = Span(start_us * 1000, (start_us + length_us) * 1000)
    body = encode_truth(Truth("world", span, present), sid="s", seq=3)
    found = decode(TruthReport, body.stamped(T_NS))
    assert {m: tuple(names) for m, names in found.present.items()} == present
    assert (found.t0, found.t1, found.s) == (start_us, start_us + length_us, "world")


@pytest.mark.parametrize(
    "present",
    [
        '{"smell":["smoke"]}',
        '{"vision":"a dog"}',
        '{"vision":[3]}',
        '["a dog"]',
        "null",
        '{"vision":["%s"]}' % ("x" * 2049),
        '{"vision":[%s""]}' % ('"",' * 4096),
    ],
)
def test_a_truth_that_is_none_is_rejected(present: str) -> None:
    start = '{"v":1,"sid":"s","seq":0,"t0":1,"t1":2,"tp":3,"s":"w","present":'
    assert decode(TruthReport, f'{start}{{"vision":["a dog"]}}}}'.encode()).s == "w"
    with pytest.raises(WireError, match="TruthReport: present"):
        decode(TruthReport, f"{start}{present}}}".encode())


def test_the_states_come_back_as_they_went() -> None:
    status = decode(
        StatusReport,
        encode_status("degraded", sid="s", version="1.2", why="x", since_ns=T_NS).stamped(T_NS),
    )
    assert (status.state, status.sid, status.version) == ("degraded", "s", "1.2")
    assert (status.since, status.tp, status.why) == (T_NS // 1000, T_NS // 1000, "x")

    source = decode(
        SourceReport, encode_source(source_status("stalled", "silent"), sid="s").stamped(T_NS)
    )
    assert (source.s, source.m, source.state, source.why) == ("cam", "vision", "stalled", "silent")
    assert (source.since, source.last_capture) == (T_NS // 1000, T_NS // 1000 + 1)
    assert (source.restarts, source.dropped) == (2, {"stale": 4})

    body = encode_recording(recording_status("failed", "No space left on device"), sid="s")
    recording = decode(RecordingReport, body.stamped(T_NS))
    assert (recording.state, recording.why) == ("failed", "No space left on device")
    assert (recording.path, recording.since) == ("logs/run.1.mcap", T_NS // 1000)
    assert (recording.bytes, recording.chunks, recording.dropped) == (123_456, 7, {"queue": 3})

    meta = decode(MetaReport, encode_meta(META, sid="s", dtype="float16").stamped(T_NS))
    assert (meta.model, meta.model_hash, meta.dim, meta.dtype) == (
        "imagebind_test",
        "ab12",
        1024,
        "float16",
    )
    assert (meta.hop, meta.windows, meta.streams) == (
        500_000,
        {"cam": 2_000_000},
        {"cam": "vision"},
    )
    assert (meta.label_set, meta.clock) == ("5e7", "host")


def test_a_last_will_has_no_times_since_the_broker_sends_it_later() -> None:
    body = encode_status("offline", sid="s", version="1", why="lost")
    assert json.loads(body.data) == {
        "v": 1,
        "sid": "s",
        "state": "offline",
        "version": "1",
        "why": "lost",
    }
    assert decode(StatusReport, body.data).since is None


def test_a_source_that_has_captured_nothing_yet_says_so_by_leaving_it_out() -> None:
    sent = source_status()
    nothing = type(sent)(stream="cam", modality="vision", state="online")
    assert "last_capture" not in plain(encode_source(nothing, sid="s"))


NUMBERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), NUMBERS, max_size=4))
@settings(max_examples=80)
def test_health_is_json_whatever_it_holds_and_what_is_not_finite_is_null(
    report: dict[str, Any],
) -> None:
    body = encode_health(Health(T_NS, report), sid="s", seq=1)
    found = plain(body)

    def same(sent: Any, got: Any) -> bool:
        if isinstance(sent, float) and not math.isfinite(sent):
            return got is None
        if isinstance(sent, dict):
            return sent.keys() == got.keys() and all(same(sent[k], got[k]) for k in sent)
        if isinstance(sent, list):
            return len(sent) == len(got) and all(map(same, sent, got))
        return sent == got

    assert same(report, found["report"])
    assert decode(HealthReport, body.stamped(T_NS)).t == T_NS // 1000


def test_an_embedding_in_json_has_the_keys_of_the_cbor_one_in_microseconds() -> None:
    sent = embedding(2)
    found = plain(encode_embedding_json(sent, sid="s", seq=3, vectors=True))
    assert found["t1"] == sent.span.end_ns // 1000
    assert found["q"]["oldest"] == 1_990_000
    assert found["l"]["closed"] == (sent.span.end_ns + 100) // 1000
    np.testing.assert_allclose(found["e"], sent.vector, atol=1e-8)
    assert "e" not in plain(encode_embedding_json(sent, sid="s", seq=3, vectors=False))


@pytest.mark.parametrize("kind", KINDS)
@given(payload=st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
@settings(max_examples=40)
def test_random_bytes_raise_the_declared_error(kind: type[Wire], payload: bytes) -> None:
    with pytest.raises(WireError):
        decode(kind, payload)


@pytest.mark.parametrize(
    ("report", "problem"),
    [('{"a": NaN}', "not finite"), ("[" * 5000, "recursion"), ("5", "report")],
)
def test_health_that_is_not_plain_json_is_rejected(report: str, problem: str) -> None:
    payload = f'{{"v":1,"sid":"s","seq":0,"t":1,"tp":1,"report":{report}}}'
    with pytest.raises(WireError, match=problem):
        decode(HealthReport, payload.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":1', b'"seq":1.5'),
        (b'"seq":1', b'"seq":-1'),
        (b'"seq":1', b'"seq":9007199254740993'),
        (b'"v":1', b'"v":2'),
        (b'"m":"vision"', b'"m":"smell"'),
        (b'"none":0.1', b'"none":NaN'),
        (b'"calibrated":true', b'"calibrated":1'),
    ],
)
def test_a_wrong_label_message_is_rejected(old: bytes, new: bytes) -> None:
    payload = encode_labels(embedding(), labels(), sid="s", seq=1, top_k=5).stamped(T_NS)
    assert decode(LabelReport, payload).seq == 1
    assert old in payload
    with pytest.raises(WireError):
        decode(LabelReport, payload.replace(old, new))
