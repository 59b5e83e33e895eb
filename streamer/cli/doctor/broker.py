"""Whether each broker carries messages: publish and read back."""

from sinks.mqtt.roundtrip import RoundTrip, round_trip
from sinks.mqtt.sink import MqttSink
from streamer.cli.doctor.finding import Finding, milliseconds
from streamer.errors import ConfigError, SinkLost

SLOW_S = 0.1
"""Wi-Fi takes tens of milliseconds."""


async def broker(field: str, sink: MqttSink) -> Finding:
    """`field` is where the sink is in the configuration: `sinks.0`."""
    try:
        async with sink.reached() as endpoint:
            try:
                return judge(f"broker {endpoint}", sink, await round_trip(endpoint, sink.topics))
            except SinkLost as lost:
                where, why = f"broker {endpoint}", str(lost)
    except (SinkLost, ConfigError) as error:
        where, why = f"broker {sink.host}:{sink.port}", str(error)
    return Finding(where, "fail", why, remedy(field, sink, why))


def judge(name: str, sink: MqttSink, trip: RoundTrip) -> Finding:
    kind = "started for this, " if sink.broker == "embedded" else ""
    said = (
        f"{kind}MQTT {trip.protocol}, published and read back under {sink.topics.root} in "
        f"{milliseconds(trip.seconds)}"
    )
    if trip.seconds > SLOW_S:
        return Finding(
            name, "warn", f"{said}, which is slow", "see what loads the broker or the way to it"
        )
    return Finding(name, "pass", said)


def remedy(field: str, sink: MqttSink, why: str) -> str:
    """What to do about a loss, by the words in which the system or the broker tells it."""
    user = f"check {field}.user and the password in {sink.password_env or 'the environment'}"
    rights = f"let this user publish and read {sink.topics.root}/#"
    # In this order: a refused publish is "not authorized" too.
    known = {
        "is taken": f"is another run on it? end that, or set {field}.port",
        "embedded": "then run it again",
        "the environment has no": f"export {sink.password_env}=...",
        "subscribing to": rights,
        "publish": rights,
        "not authori": user,
        "bad user name": user,
        "certificate": f"check {field}.tls: whose certificate it is, and for which host",
        "ssl": f"check {field}.tls and {field}.port: does the broker speak TLS there?",
        "name": f"check {field}.host",
        "refused": f"start a broker there, or check {field}.host and {field}.port",
    }
    return next(
        (what for words, what in known.items() if words in why.lower()),
        f"check {field}.host and {field}.port: is a firewall between, does the broker hang?",
    )
