"""What reaches a subscriber through a real broker while nothing goes wrong."""

import json
from pathlib import Path

import cbor2
import numpy as np
import pytest

from sinks.mqtt.sender import Sender
from sinks.mqtt.sink import MqttSink
from sinks.wire.embedding import decode_embedding
from streamer.clock import SystemClock, VirtualClock
from streamer.types import Embedding, Health
from tests.collector import collecting, eventually
from tests.messages import META, T_NS, embedding, source_status, truth
from tests.mosquitto import mosquitto

ROOT = "streamer/v1/robot"


async def test_every_kind_of_message_arrives_once_on_its_topic(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, collecting(broker.port) as heard:
        async with MqttSink(port=broker.port).open(VirtualClock(T_NS)) as sink:
            await sink.publish(META)
            await sink.publish(source_status())
            for number in range(3):
                await sink.publish(embedding(number, labelled=True))
            await sink.publish(truth())
            await sink.publish(Health(T_NS, {"fps": float("nan")}))
        await heard.until(lambda: len(heard.on("/status")) >= 3)
    report = sink.report()
    assert report["produced"] == report["delivered"] == 3 + 6 + 1
    assert (report["dropped"], report["pending"]) == ({}, 0)

    states = [json.loads(m.payload)["state"] for m in heard.on(f"{ROOT}/status")]
    assert states == ["online", "offline"]
    (meta,) = heard.on(f"{ROOT}/meta")
    assert json.loads(meta.payload)["model_hash"] == "ab12"
    (source,) = heard.on(f"{ROOT}/source/cam/status")
    assert json.loads(source.payload)["state"] == "online"
    (health,) = heard.on(f"{ROOT}/health")
    assert json.loads(health.payload)["report"] == {"fps": None}
    (told,) = heard.on(f"{ROOT}/truth/truth")
    assert json.loads(told.payload)["present"]["audio"] == ["a dog barking"]
    assert told.qos == 1
    vectors = heard.on(f"{ROOT}/embedding/vision/cam")
    scores = heard.on(f"{ROOT}/label/vision/cam")
    assert [cbor2.loads(m.payload)["seq"] for m in vectors] == [0, 1, 2]
    assert [json.loads(m.payload)["seq"] for m in scores] == [0, 1, 2]
    for number, message in enumerate(vectors):
        sent, received = embedding(number), decode_embedding(message.payload)
        assert received.embedding.span == sent.span
        # The virtual clock of a file run stamps what is sent, though the network runs in real time.
        assert received.embedding.ledger.published_ns == T_NS
        assert float(received.embedding.vector @ sent.vector) > 0.99999
    sids = {json.loads(m.payload)["sid"] for m in heard.messages if b"{" in m.payload[:1]}
    assert sids == {cbor2.loads(m.payload)["sid"] for m in vectors}
    assert len(sids) == 1


async def test_a_subscriber_sees_content_type_and_expiry(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, collecting(broker.port) as heard:
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            await sink.publish(embedding(labelled=True))
        await heard.until(lambda: len(heard.on("/status")) >= 2)
    (vector,), (scores,), status = heard.on("/embedding/"), heard.on("/label/"), heard.on("/status")
    for message, content_type, longest_s in (
        (vector, "application/cbor", 6),
        (scores, "application/json", 60),
    ):
        properties = vars(message.properties)
        assert properties["ContentType"] == content_type
        assert 1 <= properties["MessageExpiryInterval"] <= longest_s
    # A state holds until there is another.
    assert not hasattr(status[0].properties, "MessageExpiryInterval")


async def test_quality_of_service_on_the_wire(tmp_path: Path) -> None:
    # QoS 0 for embeddings, but for the first on a topic, which asks whether the topic is allowed.
    async with mosquitto(tmp_path) as broker, collecting(broker.port) as heard:
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            await sink.publish(embedding(0, labelled=True))
            await eventually(lambda: sink.report()["delivered"] == 2)
            for number in (1, 2):
                await sink.publish(embedding(number, labelled=True))
        await heard.until(lambda: len(heard.on("/status")) >= 2)
    assert [m.qos for m in heard.on("/embedding/")] == [1, 0, 0]
    assert [m.qos for m in heard.on("/label/")] == [1, 1, 1]
    assert [m.qos for m in heard.on("/status")] == [1, 1]


async def test_mqtt_3_1_1_carries_the_same_bytes(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, collecting(broker.port) as heard:
        sink_config = MqttSink(port=broker.port, protocol="3.1.1", dtype="float32")
        async with sink_config.open(SystemClock()) as sink:
            await sink.publish(embedding(labelled=True))
        await heard.until(lambda: len(heard.on("/status")) >= 2)
    received = decode_embedding(heard.on("/embedding/")[0].payload).embedding
    np.testing.assert_array_equal(received.vector, embedding().vector)
    assert not hasattr(heard.on("/embedding/")[0].properties, "ContentType")
    assert sink.report()["delivered"] == 2


async def test_a_lossless_run_outruns_the_broker_and_loses_nothing(tmp_path: Path) -> None:
    # A small outbox, and a publisher that never pauses: publish itself has to wait.
    count = 1500
    lines = ("allow_anonymous true", "set_tcp_nodelay true", "max_queued_messages 0")
    async with mosquitto(tmp_path, *lines) as broker, collecting(broker.port) as heard:
        config = MqttSink(port=broker.port, outbox_items=16)
        async with config.open(VirtualClock(T_NS), lossless=True) as sink:
            for number in range(count):
                await sink.publish(embedding(number, dim=8))
                assert sink.account.pending <= 16 + 16
        await heard.until(lambda: len(heard.on("/embedding/")) >= count, 20)
    seqs = [cbor2.loads(m.payload)["seq"] for m in heard.on("/embedding/")]
    assert seqs == list(range(count))
    assert all(m.qos == 1 for m in heard.on("/embedding/"))
    # Neither here nor in the broker does anything expire.
    assert not any(hasattr(m.properties, "MessageExpiryInterval") for m in heard.messages)
    assert sink.report()["delivered"] == count
    assert sink.report()["dropped"] == {}


async def test_a_live_run_that_overfills_the_outbox_shows_a_gap(tmp_path: Path) -> None:
    # 100 at once into an outbox of 16: the oldest make room, and their numbers are missing.
    async with mosquitto(tmp_path) as broker, collecting(broker.port) as heard:
        config = MqttSink(port=broker.port, outbox_items=16)
        async with config.open(SystemClock()) as sink:
            await eventually(lambda: sink.connected)
            for number in range(100):
                await sink.publish(embedding(number, dim=8))
        await heard.until(lambda: len(heard.on("/status")) >= 2)
    seqs = [cbor2.loads(m.payload)["seq"] for m in heard.on("/embedding/")]
    assert seqs == list(range(84, 100))
    assert sink.report()["dropped"] == {"overflow": 84}
    assert sink.report()["delivered"] == 16


@pytest.mark.parametrize("vector", [np.full(8, np.nan), np.zeros(8)])
async def test_a_vector_that_is_none_is_counted_and_harms_nobody(
    tmp_path: Path, vector: np.ndarray
) -> None:
    bad = embedding(dim=8)
    bad = Embedding(
        bad.stream,
        bad.modality,
        bad.span,
        vector.astype(np.float32),
        bad.model,
        bad.quality,
        None,
        bad.ledger,
    )
    async with mosquitto(tmp_path) as broker:
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            await sink.publish(bad)
            await sink.publish(embedding(dim=8))
    assert sink.report()["dropped"] == {"invalid": 1}
    assert sink.report()["delivered"] == 1


def pending(sink: Sender) -> int:
    return sink.account.pending


async def test_a_connection_that_nothing_else_answers_settles_qos_0_by_a_probe(
    tmp_path: Path,
) -> None:
    async with mosquitto(tmp_path) as broker:
        async with MqttSink(port=broker.port, timeout_s=0.2).open(SystemClock()) as sink:
            await sink.publish(embedding(0, dim=8))
            await eventually(lambda: pending(sink) == 0)
            # No acknowledgement is due for this one.
            await sink.publish(embedding(1, dim=8))
            assert pending(sink) == 1
            await eventually(lambda: pending(sink) == 0, 2)
            assert sink.report()["delivered"] == 2
