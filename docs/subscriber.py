"""Print the embeddings that a robot publishes. Needs nothing but paho-mqtt and cbor2.

    python subscriber.py --host 127.0.0.1 --prefix streamer --robot + --count 10

One line an embedding: topic, sequence number, end of its window, numbers in the vector, length
before it is made exactly 1, and seconds from the end of the window to now. Exits 0 after `--count`.
"""

import argparse
import json
import math
import struct
import sys
from datetime import UTC, datetime

import cbor2
import paho.mqtt.client as mqtt

parser = argparse.ArgumentParser()
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=1883)
parser.add_argument("--prefix", default="streamer")
parser.add_argument("--robot", default="+", help="its name, or + for all")
parser.add_argument("--count", type=int, help="stop after so many embeddings")
parser.add_argument("--json", action="store_true", help="with the vector, as JSON lines")
args = parser.parse_args()

last = {}  # topic -> (session, sequence number)
received = []  # topics, one for each embedding printed


def vector(array):
    """The numbers of an RFC 8746 typed array: tag 84 is float16, tag 85 float32."""
    size, code = {84: (2, "e"), 85: (4, "f")}[array.tag]
    return struct.unpack(f"<{len(array.value) // size}{code}", array.value)


def on_connect(client, userdata, flags, reason_code, properties):
    if reason_code.is_failure:
        sys.exit(f"refused: {reason_code}")
    client.subscribe(f"{args.prefix}/v1/{args.robot}/embedding/#", qos=1)


def on_message(client, userdata, message):
    if len(received) == args.count:
        return
    pairs = cbor2.loads(message.payload)
    session, seq = pairs["sid"], pairs["seq"]
    if message.topic in last and last[message.topic][0] == session:
        before = last[message.topic][1]
        if seq <= before:
            return  # delivered twice, or late
        if seq > before + 1:
            print(f"{message.topic} lost {seq - before - 1}", file=sys.stderr)
    last[message.topic] = session, seq
    numbers = vector(pairs["e"])
    length = math.sqrt(sum(x * x for x in numbers))
    unit = [x / length for x in numbers]  # what cosines are to be taken with
    latency = datetime.now(UTC).timestamp() - pairs["t1"] / 1e9
    if args.json:
        window = {"topic": message.topic, "seq": seq, "t0": pairs["t0"], "t1": pairs["t1"]}
        print(json.dumps({**window, "norm": length, "vector": unit}), flush=True)
    else:
        print(
            f"{message.topic} seq={seq} t1={pairs['t1']} dim={len(unit)}"
            f" norm={length:.5f} latency={latency:.3f}",
            flush=True,
        )
    received.append(message.topic)
    if len(received) == args.count:
        client.disconnect()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_message = on_message
try:
    client.connect(args.host, args.port, keepalive=5)
except OSError as error:
    sys.exit(f"{args.host}:{args.port}: {error}")
client.loop_forever()
sys.exit(0 if len(received) == args.count else 1)
