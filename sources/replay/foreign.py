"""A log of another program as events: its messages become samples of streams."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast

from sources.imu.units import scales
from sources.replay.choose import Choice, Left, choose
from sources.replay.container import Message
from sources.replay.containers import Container
from sources.replay.lanes import JoinedLane, Lane, MotionLane, PictureLane, SoundLane
from sources.replay.looks import Looker
from sources.replay.messages import pictures
from sources.replay.messages.motion import acceleration, rate
from sources.replay.messages.ros import Fields
from sources.replay.messages.sound import of_raw_audio, sound
from sources.replay.messages.stamps import stamp_of
from sources.replay.messages.video import Film
from sources.replay.topics import TopicAs
from sources.sixaxes import Axes
from streamer.errors import SourceLost
from streamer.events import Arrived, Event
from streamer.types import NS_PER_S, Sample, StreamInfo

FURTHEST_NS = 1 << 62
"""The year 2116: digests and arrays hold times in 64 bits with a sign."""

_KEY_NS = 10 * NS_PER_S
"""How long before a part of a log the last key frame of its video may be."""
_MOST_CAUSES = 200
_TOLD = 5

_Take: TypeAlias = Callable[[Fields, int, bool], list[Sample]]
"""Fields, the stamp, and whether it is the log's: when the message had come, not when it began."""


class ForeignLog:
    """Any container whose topics hold pictures, sound or motion.

    `choices` says what became of which topic, `left` why the others are not read. Owns the
    container.
    """

    about = None

    def __init__(self, container: Container, topics: Sequence[TopicAs] = ()) -> None:
        """Raises `ConfigError` where `topics` do not fit the log."""
        self._container = container
        chosen = choose(container, topics)
        self.choices: tuple[Choice, ...] = chosen.choices
        self.left: Mapping[str, Left] = chosen.left
        self._tellers = chosen.tellers
        self._found: Counter[str] = Counter()

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        by_name = {c.stream: StreamInfo(c.stream, c.modality) for c in self.choices}
        return tuple(by_name.values())

    @property
    def problems(self) -> Counter[str]:
        """What the last reading could not read, and what is odd about what it did, by cause."""
        return self._found + self._container.problems

    @property
    def explained(self) -> str:
        """Why topics are not read, those first that may hold what a sensor said."""
        left = sorted(self.left.items(), key=lambda item: (not item[1].fault, item[0]))
        said = [f"{topic[:60]}: {one.why}" for topic, one in left[:_TOLD]]
        more = [f"{len(left) - _TOLD} more topics"] if len(left) > _TOLD else []
        return "; ".join(said + more) or "no topics"

    @property
    def container(self) -> Container:
        return self._container

    def close(self) -> None:
        self._container.close()

    def events(
        self,
        streams: Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> Iterator[Event]:
        """Samples arrive when the log has the message that made them complete, not live.

        `from_ns` and `to_ns` are on the log's clock.
        """
        self._found = Counter()
        opened = _Opened(self.choices, streams, self._found)
        faults = {topic: left.why for topic, left in self.left.items() if left.fault}
        latest_ns = 0
        for message in self._container.messages(opened.start_ns(from_ns)):
            if to_ns is not None and message.log_ns >= to_ns:
                break
            topic = message.channel.topic
            if topic in faults and (from_ns is None or message.log_ns >= from_ns):
                self._found[f"{topic}: {faults[topic]}"] += 1
                continue
            if topic not in opened.takes or message.channel not in self._tellers:
                continue
            if message.log_ns >= FURTHEST_NS:
                self._found[f"{topic}: a time of the log beyond the year 2116"] += 1
                continue
            if from_ns is not None and message.log_ns < from_ns:
                self._ahead(message, opened)
                continue
            latest_ns = max(latest_ns, message.log_ns)
            for sample in self._taken(message, opened):
                yield Arrived(latest_ns, sample, live=False)
        for lane in opened.lanes.values():
            for sample in lane.flush():
                yield Arrived(latest_ns, sample, live=False)

    def _ahead(self, message: Message, opened: "_Opened") -> None:
        """What comes before is read for the sake of video, which begins with a key frame."""
        film = opened.films.get(message.channel.topic)
        if film is not None:
            with suppress(ValueError):
                film.frame(self._tellers[message.channel](message.payload)[0])

    def _taken(self, message: Message, opened: "_Opened") -> list[Sample]:
        topic = message.channel.topic
        choice = opened.choices[topic]
        try:
            fields, trailing = self._tellers[message.channel](message.payload)
            if trailing:
                self._found[f"{topic}: bytes behind a message, ignored"] += 1
            told = stamp_of(fields) if choice.stamp == "header" else None
            if choice.stamp == "header" and told is None:
                self._found[f"{topic}: a header without a stamp, dated by the log"] += 1
            t_ns = message.log_ns if told is None else told
            return opened.takes[topic](fields, t_ns, told is None)
        except (ValueError, SourceLost) as error:
            # Their texts have numbers in them: a ruined log has a different one each time.
            why = str(error) if len(self._found) < _MOST_CAUSES else "cannot be read"
            self._found[f"{topic}: {why}"] += 1
            return []


class _Opened:
    """One reading: what the messages of each topic go through, and where they come out."""

    def __init__(
        self,
        choices: Sequence[Choice],
        streams: Collection[str] | None,
        problems: Counter[str],
    ) -> None:
        self.choices = {c.topic: c for c in choices if streams is None or c.stream in streams}
        self.lanes: dict[str, Lane] = {}
        self.films: dict[str, Film] = {}
        self.takes: dict[str, _Take] = {
            topic: self._take(choice, problems) for topic, choice in self.choices.items()
        }

    def start_ns(self, from_ns: int | None) -> int | None:
        """Where to begin to read."""
        return from_ns - _KEY_NS if from_ns is not None and self.films else from_ns

    def _take(self, choice: Choice, problems: Counter[str]) -> _Take:
        if choice.modality == "imu":
            return self._motion(choice, problems)
        if choice.modality == "audio":
            heard = SoundLane(choice.stream, problems)
            self.lanes[choice.stream] = heard
            return _sounds(choice, heard, problems)
        seen = PictureLane(choice.stream, choice.modality, choice.how.rate_hz, problems)
        self.lanes[choice.stream] = seen
        if choice.video:
            film = self.films.setdefault(choice.topic, Film())
            return lambda fields, t_ns, _: seen.take(t_ns, film.frame(fields))
        return _pictures(choice, seen)

    def _motion(self, choice: Choice, problems: Counter[str]) -> _Take:
        turn = scales(choice.how.accel_unit, choice.how.gyro_unit)
        accel, gyro = float(turn[0]), float(turn[3])
        if choice.half is None:
            lane = MotionLane(choice.stream, problems)
            self.lanes[choice.stream] = lane
            return lambda fields, t_ns, _: lane.take(
                t_ns, _scaled(acceleration(fields), accel), _scaled(rate(fields), gyro)
            )
        joined = self.lanes.setdefault(choice.stream, JoinedLane(choice.stream, problems))
        both = cast("JoinedLane", joined)
        if choice.half == "gyro":
            return lambda fields, t_ns, _: both.gyro(t_ns, _scaled(rate(fields), gyro))
        return lambda fields, t_ns, _: both.accel(t_ns, _scaled(acceleration(fields), accel))


def _scaled(axes: Axes, factor: float) -> Axes:
    x, y, z = axes
    return x * factor, y * factor, z * factor


def _pictures(choice: Choice, lane: PictureLane) -> _Take:
    looker = Looker(choice)

    def take(fields: Fields, t_ns: int, of_log: bool) -> list[Sample]:
        del of_log
        read = pictures.raw if "encoding" in fields else pictures.compressed
        return lane.take(t_ns, looker.encoded(read(fields), t_ns))

    return take


def _sounds(choice: Choice, lane: SoundLane, problems: Counter[str]) -> _Take:
    def take(fields: Fields, t_ns: int, of_log: bool) -> list[Sample]:
        how = choice.sound or of_raw_audio(fields)
        inner: Any = fields.get("audio")
        held = cast("Fields", inner) if isinstance(inner, dict) else fields
        heard, rest = sound(held.get("data"), how)
        if rest:
            problems[f"{choice.topic}: bytes of sound that are no whole sample"] += 1
        length_ns = len(heard.samples) * NS_PER_S // heard.rate_hz
        return lane.take(t_ns - length_ns if of_log else t_ns, heard)

    return take
