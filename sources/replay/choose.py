"""Which topics of a log become which streams, and why: nothing is guessed silently."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sources.replay.containers import Container
from sources.replay.messages import pictures, video
from sources.replay.messages.motion import lacks
from sources.replay.messages.pictures import Kind
from sources.replay.messages.ros import Fields
from sources.replay.messages.sound import declared
from sources.replay.messages.stamps import stamp_of
from sources.replay.messages.told import Teller, teller
from sources.replay.naming import (
    half,
    says_depth,
    says_heat,
    says_infrared,
    stream_name,
    together,
)
from sources.replay.topics import SoundAs, StampOf, TopicAs
from streamer.errors import ConfigError
from streamer.fusion import FUSED
from streamer.logfile import ChannelSpec
from streamer.types import NS_PER_S, Modality

Family: TypeAlias = Literal["raw", "compressed", "video", "sound", "sound bytes", "info", "imu"]
Half: TypeAlias = Literal["gyro", "accel"]

_BY_NAME: Mapping[str, Family] = {
    "CompressedVideo": "video",
    "AudioData": "sound bytes",
    "AudioDataStamped": "sound bytes",
}
_BY_FIELDS: tuple[tuple[frozenset[str], Family], ...] = (
    (frozenset({"width", "height", "encoding", "data"}), "raw"),
    (frozenset({"format", "data", "sample_rate"}), "sound"),
    (frozenset({"format", "data"}), "compressed"),
    (frozenset({"linear_acceleration", "angular_velocity"}), "imu"),
    (frozenset({"channels", "sample_rate", "sample_format"}), "info"),
)
_FIXED: Mapping[Family, Modality] = {
    "video": "vision",
    "imu": "imu",
    "sound": "audio",
    "sound bytes": "audio",
}
_TOLD = ("stream", "modality", "scale", "offset")

_DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Choice:
    """A topic that is read, and `why` it has this modality.

    `half`: it is one sensor of an inertial unit; the stream joins two topics. `sound`: what its
    bytes are, where messages do not say it themselves.
    """

    topic: str
    stream: str
    modality: Modality
    stamp: StampOf
    why: str
    how: TopicAs
    half: Half | None = None
    video: bool = False
    sound: SoundAs | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Left:
    """Why a topic is not read. `fault`: it may hold what a sensor said, and is lost."""

    why: str
    fault: bool = True


_EMPTY = Left("no messages", fault=False)


@dataclass(frozen=True, slots=True)
class First:
    """What the first message of a channel that can be read is like."""

    spec: ChannelSpec
    family: Family
    fields: Fields
    log_ns: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """`left` says of every other topic why it is not read."""

    choices: tuple[Choice, ...]
    left: Mapping[str, Left]
    tellers: Mapping[ChannelSpec, Teller]


def family(name: str, fields: frozenset[str]) -> Family | None:
    """By what a message has, so that other packages' messages of the same shape are read too."""
    kind = name.replace(".", "/").rpartition("/")[-1]
    if kind in _BY_NAME:
        return _BY_NAME[kind]
    return next((found for needed, found in _BY_FIELDS if needed <= fields), None)


def choose(container: Container, topics: Sequence[TopicAs]) -> Chosen:
    """Reads until every channel that can be of use has been heard. Raises `ConfigError`."""
    counts = container.topics()
    said = {as_.topic: as_ for as_ in topics}
    known = {spec.topic for spec in counts}
    for topic in said:
        if topic not in known:
            raise ConfigError(
                f"topics: expected topics of the log ({', '.join(sorted(known))[:500]}), "
                f"got {topic}"
            )
    left: dict[str, Left] = {}
    tellers: dict[ChannelSpec, Teller] = {}
    awaited: dict[ChannelSpec, frozenset[str] | None] = {}
    counted = any(counts.values())
    for spec, count in counts.items():
        how = said.get(spec.topic)
        if how is not None and how.leave_out:
            left[spec.topic] = Left("left out by the configuration", fault=False)
            continue
        try:
            tellers[spec], names = teller(spec)
        except ValueError as error:
            left[spec.topic] = Left(str(error))
            continue
        if names is not None and family(type_of(spec), names) is None:
            left[spec.topic] = _no_sensor(spec)
        elif counted and not count:
            left[spec.topic] = _EMPTY
        else:
            awaited[spec] = names
    firsts = list(_firsts(container, tellers, awaited, left))
    choices = _choices(firsts, said, left)
    for choice in choices:
        left.pop(choice.topic, None)
    return Chosen(choices, left, tellers)


def _no_sensor(spec: ChannelSpec) -> Left:
    return Left(f"{type_of(spec) or 'its type'} is no picture, sound or motion", fault=False)


def type_of(spec: ChannelSpec) -> str:
    return spec.schema.name[:60] if spec.schema else ""


def _firsts(
    container: Container,
    tellers: Mapping[ChannelSpec, Teller],
    awaited: dict[ChannelSpec, frozenset[str] | None],
    left: dict[str, Left],
) -> Iterator[First]:
    for spec in awaited:
        left[spec.topic] = _EMPTY
    if not awaited:
        return
    for message in container.messages():
        spec = message.channel
        if spec not in awaited:
            continue
        try:
            fields, _ = tellers[spec](message.payload)
        except ValueError as error:
            left[spec.topic] = Left(f"no message that can be read: {error}")
            continue
        names = awaited.pop(spec)
        sort = family(type_of(spec), frozenset(fields) if names is None else names)
        if sort is None:
            left[spec.topic] = _no_sensor(spec)
        else:
            yield First(spec, sort, fields, message.log_ns)
        if not awaited:
            return


def _choices(
    firsts: Sequence[First], said: Mapping[str, TopicAs], left: dict[str, Left]
) -> tuple[Choice, ...]:
    halves = _paired(firsts)
    taken = {FUSED} | {as_.stream for as_ in said.values() if as_.stream}
    names: dict[str, str] = {}
    found: dict[str, Choice] = {}
    for first in sorted(firsts, key=lambda first: first.spec.topic):
        topic = first.spec.topic
        how = said.get(topic, TopicAs(topic=topic))
        metadata = {k: v for k, v in first.spec.metadata if k in _TOLD}
        try:
            modality, why = _modality(first, how, metadata)
            sound = _sound(first, how, firsts) if modality == "audio" else None
            which = _half(first, how, halves)
        except ValueError as error:
            left[topic] = Left(str(error), fault=first.family != "info")
            continue
        name = how.stream or names.get(together(topic) if which else topic)
        if name is None:
            wish = metadata.get("stream") or (together(topic) if which else topic)
            name = stream_name(wish, taken)
        names[together(topic) if which else topic] = name
        taken.add(name)
        if topic not in found:
            stamp = how.stamp or _stamp(first)
            found[topic] = Choice(
                topic, name, modality, stamp, why, how, which, _is_video(first), sound, metadata
            )
    return _unique(found)


def _unique(found: Mapping[str, Choice]) -> tuple[Choice, ...]:
    by_name: dict[str, Choice] = {}
    for choice in found.values():
        other = by_name.setdefault(choice.stream, choice)
        if other is not choice and not (other.half and choice.half and other.half != choice.half):
            raise ConfigError(
                f"topics: {other.topic} and {choice.topic} are both called {choice.stream}"
            )
    return tuple(found.values())


def _is_video(first: First) -> bool:
    return first.family in ("video", "compressed") and video.codec(first.fields) is not None


def _modality(first: First, how: TopicAs, metadata: Mapping[str, str]) -> tuple[Modality, str]:
    """And why. Raises ValueError where it must be told, or cannot be."""
    sort, topic = first.family, first.spec.topic
    if sort == "info":
        raise ValueError("describes the sound of other topics")
    if sort == "video" and not _is_video(first):
        raise ValueError(f"video as {str(first.fields.get('format'))[:20]!r} is not read")
    fixed = _FIXED.get("video" if _is_video(first) else sort)
    if fixed is not None:
        if how.modality not in (None, fixed):
            raise ConfigError(f"topics: {topic} is {fixed}, not {how.modality}")
        return fixed, f"its type, {type_of(first.spec) or 'JSON'}"
    if how.modality in ("imu", "audio"):
        raise ConfigError(f"topics: {topic} has pictures, not {how.modality}")
    picture = (pictures.raw if sort == "raw" else pictures.compressed)(first.fields)
    if how.modality == "depth" and picture.kind == "colours":
        raise ConfigError(f"topics: {topic} has pictures of 8 bits, which are no depth")
    if how.modality == "vision" and picture.codec == "32FC1":
        raise ConfigError(f"topics: {topic} has numbers, which are no picture for vision")
    if how.modality is not None:
        return how.modality, "the configuration"
    told = metadata.get("modality")
    if told == "depth" and picture.kind != "colours":
        return "depth", "the log says so"
    if told == "thermal" or (told == "vision" and picture.codec != "32FC1"):
        return ("thermal" if told == "thermal" else "vision"), "the log says so"
    return _seen(topic, picture.kind, picture.codec)


def _seen(topic: str, kind: Kind, codec: str) -> tuple[Modality, str]:
    if says_heat(topic):
        return "thermal", "the topic's name"
    if says_infrared(topic):
        raise ValueError("near infrared or heat? say its modality, vision or thermal")
    if kind == "numbers":
        return "depth", f"its encoding, {codec}"
    if kind == "grey16":
        if says_depth(topic):
            return "depth", "16 bits and the topic's name"
        raise ValueError("16 bits of grey: say its modality")
    if says_depth(topic):
        raise ValueError("a picture of depth in 8 bits, not depth itself")
    return "vision", f"its encoding, {codec}"


def _stamp(first: First) -> StampOf:
    stamp = stamp_of(first.fields)
    near = stamp is not None and abs(stamp - first.log_ns) <= _DAY_NS
    return "header" if near else "log"


def _sound(first: First, how: TopicAs, firsts: Sequence[First]) -> SoundAs | None:
    """None where each message says it. Raises ValueError."""
    if how.audio is not None or first.family == "sound":
        return how.audio
    infos = [other for other in firsts if other.family == "info"]
    place = first.spec.topic.rpartition("/")[0]
    near = [info for info in infos if info.spec.topic.startswith(place)] or infos
    if len(near) != 1:
        raise ValueError("bytes of sound: say `audio`, with its format, rate and channels")
    return declared(near[0].fields)


def _paired(firsts: Sequence[First]) -> Mapping[str, Half]:
    """Topics that have an inertial unit's other half beside them."""
    halves: dict[str, dict[Half, str]] = {}
    for first in firsts:
        which = half(first.spec.topic) if first.family == "imu" else None
        if which is not None:
            halves.setdefault(together(first.spec.topic), {})[which] = first.spec.topic
    return {
        topic: which for pair in halves.values() if len(pair) == 2 for which, topic in pair.items()
    }


def _half(first: First, how: TopicAs, halves: Mapping[str, Half]) -> Half | None:
    if first.family != "imu" or how.modality == "imu":
        return None
    found = halves.get(first.spec.topic)
    if found is None and (
        half(first.spec.topic) is not None
        or lacks(first.fields, "angular_velocity")
        or lacks(first.fields, "linear_acceleration")
    ):
        raise ValueError("half of an inertial unit, without the other half")
    return found
