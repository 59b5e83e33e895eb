"""Somebody who listens over MQTT, and notes when what arrives. Shares no code with `sinks`."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager

import cbor2
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from streamer.clock import SystemClock
from tests.soak.timeline import Heard, Memory, Said, Timeline


class Observer:
    """Keeps what arrives as it is; it is read when the run is over, so that nothing is late
    because of that."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._arrived: list[tuple[int, str, bytes]] = []
        self._news = threading.Condition()

    def take(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        with self._news:
            self._arrived.append((self._clock.now_ns(), message.topic, bytes(message.payload)))
            self._news.notify_all()

    def wait_for_streams(self, streams: set[str], within_s: float) -> bool:
        """Until each has had an embedding."""
        with self._news:
            return self._news.wait_for(lambda: streams <= self._publishing(), within_s)

    def wait_for_the_end(self, within_s: float) -> bool:
        """Until the run has said that it is over, after which nothing comes."""
        with self._news:
            return self._news.wait_for(self._over, within_s)

    def timeline(self, ended_ns: int) -> Timeline:
        heard: list[Heard] = []
        said: list[Said] = []
        memory: list[Memory] = []
        for at_ns, topic, payload in self._arrived:
            # soak/v1/<robot>/...
            match topic.split("/")[3:]:
                case ["embedding", *levels]:
                    body = cbor2.loads(payload)
                    heard.append(Heard(levels[-1], body["seq"], body["t1"], at_ns))
                case ["source", stream, "status"]:
                    body = json.loads(payload)
                    state, why, restarts = body["state"], body.get("why", ""), body["restarts"]
                    said.append(Said(stream, state, why, restarts, at_ns))
                case ["health"]:
                    memory.append(Memory(json.loads(payload)["report"]["memory_mb"], at_ns))
                case _:
                    pass
        return Timeline(heard, said, memory, ended_ns)

    def _publishing(self) -> set[str]:
        return {topic.split("/")[-1] for _, topic, _ in self._arrived if "/embedding/" in topic}

    def _over(self) -> bool:
        states = [p for _, topic, p in self._arrived if topic.count("/") == 3 and "status" in topic]
        return bool(states) and json.loads(states[-1])["state"] == "offline"


@contextmanager
def observing(port: int) -> Generator[Observer, None, None]:
    observer = Observer()
    subscribed = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="observer", protocol=paho.MQTTv5)
    client.on_message = observer.take

    @client.subscribe_callback()
    def on_subscribe(*news: object) -> None:  # pyright: ignore[reportUnusedFunction]
        del news
        subscribed.set()

    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("#", qos=1)
    try:
        if not subscribed.wait(10):
            raise TimeoutError("the observer could not subscribe")
        yield observer
    finally:
        client.disconnect()
        client.loop_stop()
