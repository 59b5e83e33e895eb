"""Brokers that say no: passwords, rights, certificates, limits."""

import asyncio
import json
import logging
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from sinks.mqtt.sink import MqttSink, Tls
from streamer.clock import SystemClock
from streamer.errors import ConfigError
from tests.collector import collecting, eventually
from tests.messages import META, embedding
from tests.mosquitto import Mosquitto, mosquitto, open_to_all
from tests.needs import program

ENV = "ROBOT_MQTT"
BASE = ("set_tcp_nodelay true", "allow_anonymous false")


def guarded(folder: Path, *lines: str) -> Mosquitto:
    """Users robot and reader, each with its name for a password."""
    for user in ("robot", "reader"):
        subprocess.run(
            [
                *(program("mosquitto_passwd"), "-b", *(["-c"] if user == "robot" else [])),
                *(str(folder / "passwords"), user, user),
            ],
            check=True,
            capture_output=True,
        )
    return Mosquitto(folder, *BASE, f"password_file {folder}/passwords", *lines)


async def test_a_wrong_password_is_told_once_and_not_tried_in_a_tight_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENV, "wrong")
    broker = guarded(tmp_path)
    await asyncio.to_thread(broker.start)
    config = MqttSink(port=broker.port, user="robot", password_env=ENV, drain_s=0)
    try:
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding())
            await eventually(lambda: "Not authorized" in sink.why)
            # 0.05 s, doubling, with jitter: in two seconds six or seven attempts.
            await asyncio.sleep(2)
            assert 3 <= broker.log().count("not authorised") <= 10
            assert sink.report()["connected"] is False
    finally:
        broker.kill()
    assert sink.report()["dropped"] == {"closed": 1}
    told = [r for r in caplog.records if "Not authorized" in r.message and "trying" in r.message]
    assert len(told) == 1
    assert told[0].levelno == logging.WARNING
    assert "wrong" not in caplog.text.replace("wrong_password", "")


async def test_the_right_password_from_the_environment_lets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV, "robot")
    broker = guarded(tmp_path)
    await asyncio.to_thread(broker.start)
    config = MqttSink(port=broker.port, user="robot", password_env=ENV)
    try:
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding(labelled=True))
        assert sink.report()["delivered"] == 2
        assert "robot" not in repr(await config.endpoint())
    finally:
        broker.kill()


async def test_publishes_that_are_not_allowed_are_noticed_even_those_of_qos_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The robot may say its status and its labels, but not its embeddings.
    monkeypatch.setenv(ENV, "robot")
    (tmp_path / "acl").write_text(
        "user robot\ntopic write streamer/v1/robot/status\ntopic write streamer/v1/robot/label/#\n"
        "user reader\ntopic read #\n",
        encoding="utf-8",
    )
    broker = guarded(tmp_path, f"acl_file {tmp_path}/acl")
    await asyncio.to_thread(broker.start)
    config = MqttSink(port=broker.port, user="robot", password_env=ENV)
    try:
        async with collecting(broker.port, user="reader") as heard:
            async with config.open(SystemClock()) as sink:
                await sink.publish(META)
                for number in range(5):
                    await sink.publish(embedding(number, labelled=True))
            await heard.until(
                lambda: json.loads(heard.on("/status")[-1].payload)["state"] == "offline"
            )
    finally:
        broker.kill()
    assert len(heard.on("/label/")) == 5
    assert heard.on("/embedding/") == heard.on("/meta") == []
    assert sink.report()["dropped"] == {"rejected": 6}
    assert sink.report()["delivered"] == 5
    told = [r.message for r in caplog.records if "refuses" in r.message]
    assert len(told) == 2
    assert all("Not authorized" in message for message in told)


async def test_a_message_too_large_for_the_broker_is_dropped_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    # Sending it would end the connection, again and again.
    async with mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 2000") as broker:
        async with MqttSink(port=broker.port).open(SystemClock()) as sink:
            for number in range(3):
                await sink.publish(embedding(number, dim=1024, labelled=True))
    assert sink.report()["dropped"] == {"oversize": 3}
    assert sink.report()["delivered"] == 3
    assert sink.report()["reconnects"] == 0


def certificates(folder: Path) -> None:
    """A CA, and a server certificate for localhost and one for another name."""
    openssl = program("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test ca")
    for name in ("localhost", "elsewhere"):
        run("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "ext").write_text(f"subjectAltName=DNS:{name}", encoding="ascii")
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", "ext"),
        )
    open_to_all(folder)


async def test_tls_with_a_ca_of_its_own_and_a_certificate_instead_of_a_password(
    tmp_path: Path,
) -> None:
    await asyncio.to_thread(certificates, tmp_path)
    lines = (
        *("allow_anonymous false", "require_certificate true", "use_identity_as_username true"),
        f"cafile {tmp_path}/ca.pem",
        *(f"certfile {tmp_path}/localhost.pem", f"keyfile {tmp_path}/localhost.key"),
    )
    files = {"ca": "ca.pem", "cert": "elsewhere.pem", "key": "elsewhere.key"}
    tls = Tls.model_validate({name: tmp_path / file for name, file in files.items()})
    async with mosquitto(tmp_path, *lines) as broker:
        config = MqttSink(host="localhost", port=broker.port, tls=tls)
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding(labelled=True))
    assert sink.report()["delivered"] == 2


@pytest.mark.parametrize(
    ("certificate", "ca", "reason"),
    [("elsewhere", True, "not valid for 'localhost'"), ("localhost", False, "verify failed")],
)
async def test_a_certificate_that_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, certificate: str, ca: bool, reason: str
) -> None:
    await asyncio.to_thread(certificates, tmp_path)
    lines = (f"certfile {tmp_path}/{certificate}.pem", f"keyfile {tmp_path}/{certificate}.key")
    async with mosquitto(tmp_path, "allow_anonymous true", *lines) as broker:
        tls = Tls(ca=tmp_path / "ca.pem") if ca else Tls()
        config = MqttSink(host="localhost", port=broker.port, tls=tls, drain_s=0)
        async with config.open(SystemClock()) as sink:
            await sink.publish(embedding())
            await eventually(lambda: reason in sink.why)
    assert sink.report()["dropped"] == {"closed": 1}


async def test_a_secret_or_a_certificate_that_is_missing_is_an_error_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENV, raising=False)
    with pytest.raises(ConfigError, match="password_env: the environment has no ROBOT_MQTT"):
        await MqttSink(user="robot", password_env=ENV).endpoint()
    with pytest.raises(ConfigError, match=r"tls\.ca: no such file"):
        await MqttSink(tls=Tls(ca=tmp_path / "none.pem")).endpoint()
    (tmp_path / "text.pem").write_text("no certificate", encoding="ascii")
    with pytest.raises(ConfigError, match=r"tls\.ca: expected PEM"):
        await MqttSink(tls=Tls(ca=tmp_path / "text.pem")).endpoint()


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ({"broker": "embedded", "user": "x"}, "embedded broker takes no"),
        ({"port": 0}, "port 0"),
        ({"password_env": "X"}, "password_env needs user"),
        ({"tls": {"cert": "a.pem"}}, "cert and key"),
        ({"pasword": "x"}, "Extra inputs"),
        ({"protocol": 4}, "protocol"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(pairs: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        MqttSink.model_validate(pairs)
