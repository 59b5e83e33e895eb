"""Publishing and reading back, on brokers that work and on those that do not."""

import asyncio
from pathlib import Path

import pytest

from sinks.mqtt.broker import embedded
from sinks.mqtt.link import Endpoint, LinkLost
from sinks.mqtt.roundtrip import round_trip
from sinks.mqtt.sink import MqttSink
from sinks.wire.topics import Topics
from streamer.cli.doctor.broker import broker as check
from tests.integration.test_mqtt_security import ENV, guarded
from tests.mosquitto import free_port, mosquitto
from tests.needs import program

TOPICS = Topics("streamer", "robot")


async def test_a_broker_that_works_gives_the_message_back(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        sink = MqttSink(port=broker.port)
        finding = await check("sinks.0", sink)
        assert finding.name == f"broker mqtt://127.0.0.1:{broker.port}"
        assert finding.state != "fail", finding  # warn: a machine with much else to do
        assert "MQTT 5, published and read back under streamer/v1/robot in " in finding.said
        trip = await round_trip(await sink.endpoint(), TOPICS)
        assert 0 < trip.seconds < 2


async def test_an_embedded_broker_is_started_for_it_and_gone_afterwards() -> None:
    program("mosquitto")
    sink = MqttSink(broker="embedded", port=free_port())
    finding = await check("sinks.0", sink)
    assert finding.state != "fail", finding
    assert finding.said.startswith("started for this, MQTT 5")
    again = MqttSink(port=sink.port)
    assert (await check("sinks.0", again)).state == "fail"


# amqtt's own: it leaves sockets to the collector, and calls what Python has deprecated.
@pytest.mark.filterwarnings("ignore")
async def test_a_broker_without_mqtt_5_is_tried_in_3_1_1() -> None:
    async with embedded(Endpoint("127.0.0.1", 0), mosquitto=None) as where:
        trip = await round_trip(Endpoint(where.host, where.port), TOPICS)
        assert trip.protocol == "3.1.1"


async def test_no_broker_is_a_failure_with_its_remedy() -> None:
    finding = await check("sinks.0", MqttSink(port=free_port()))
    assert finding.state == "fail"
    assert "refused" in finding.said
    assert finding.remedy == "start a broker there, or check sinks.0.host and sinks.0.port"


async def test_a_port_that_another_run_has_is_a_failure_with_its_remedy(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        finding = await check("sinks.2", MqttSink(broker="embedded", port=broker.port))
    assert finding.state == "fail"
    assert f"port {broker.port} is taken" in finding.said
    assert finding.remedy == "is another run on it? end that, or set sinks.2.port"


async def guarded_check(folder: Path) -> tuple[str, str, str]:
    broker = await asyncio.to_thread(guarded, folder)
    await asyncio.to_thread(broker.start)
    try:
        finding = await check("sinks.0", MqttSink(port=broker.port, user="robot", password_env=ENV))
    finally:
        broker.kill()
    return finding.state, finding.said, finding.remedy


async def test_passwords_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV, raising=False)
    state, said, remedy = await guarded_check(tmp_path)
    assert (state, remedy) == ("fail", f"export {ENV}=...")
    assert f"the environment has no {ENV}" in said
    monkeypatch.setenv(ENV, "wrong")
    state, said, remedy = await guarded_check(tmp_path)
    assert (state, said) == ("fail", "refused: Not authorized")
    assert remedy == f"check sinks.0.user and the password in {ENV}"
    monkeypatch.setenv(ENV, "robot")
    assert (await guarded_check(tmp_path))[0] != "fail"


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        # mosquitto grants a subscription that it will never serve.
        ("topic write streamer/v1/robot/#", "nothing came back in 0.5 s"),
        ("topic read streamer/v1/robot/#", "Not authorized"),
    ],
)
async def test_half_the_rights_are_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rights: str, words: str
) -> None:
    monkeypatch.setenv(ENV, "robot")
    (tmp_path / "acl").write_text(f"user robot\n{rights}\n", encoding="utf-8")
    broker = await asyncio.to_thread(guarded, tmp_path, f"acl_file {tmp_path}/acl")
    await asyncio.to_thread(broker.start)
    sink = MqttSink(port=broker.port, user="robot", password_env=ENV)
    try:
        if "nothing" in words:
            sink = sink.model_copy(update={"timeout_s": 0.5})
        finding = await check("sinks.0", sink)
    finally:
        broker.kill()
    assert finding.state == "fail"
    assert words in finding.said
    assert finding.remedy == "let this user publish and read streamer/v1/robot/#"


async def test_a_broker_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        broker.stop()
        endpoint = await MqttSink(port=broker.port, timeout_s=0.3).endpoint()
        with pytest.raises(LinkLost):
            await round_trip(endpoint, TOPICS)
        broker.resume()
