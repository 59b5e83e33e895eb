"""The triggers of a flight recorder: where they meet the run's sinks, broker and signals."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from configs.flight import FlightRecorder, MqttTrigger, SignalTrigger
from configs.load import label_set
from configs.schema import RunConfig
from sinks.mqtt.sink import MqttSink
from sinks.triggers.label import LabelTrigger, LabelWatch
from streamer.errors import ConfigError
from streamer.protocols import Clock, OpenSink

log = logging.getLogger(__name__)

Fire = Callable[[str], None]


def check_triggers(config: RunConfig) -> None:
    """Raises `ConfigError` for a label that this run can never say."""
    flight = config.record.flight if config.record else None
    for index, trigger in enumerate(flight.triggers if flight else ()):
        if not isinstance(trigger, LabelTrigger):
            continue
        where = f"record.flight.triggers.{index}"
        if not config.labels:
            raise ConfigError(
                f"{where}: a label needs a run that makes labels: expected labels in the "
                "configuration, and streamer run"
            )
        streams = [info for source in config.sources for info in source.streams]
        known = [*sorted(info.name for info in streams), "fused"]
        if trigger.stream is not None and trigger.stream not in known:
            raise ConfigError(
                f"{where}.stream: expected one of {', '.join(known)}, got {trigger.stream}"
            )
        names = {
            name
            for modality, which in config.label_set_names.items()
            if trigger.modality in (None, "fused", modality)
            for name in label_set(which).labels
        }
        if trigger.label not in names:
            raise ConfigError(
                f"{where}.label: expected one of {', '.join(sorted(names)) or 'none'}, "
                f"got {trigger.label}"
            )


@asynccontextmanager
async def armed(
    flight: FlightRecorder,
    config: RunConfig,
    sinks: Sequence[OpenSink],
    trigger: Callable[[str, int], None],
    clock: Clock,
) -> AsyncGenerator[list[OpenSink]]:
    """While inside, `trigger` is called with a cause and the time. Yields the sinks that listen.

    `sinks` are those of the run, open; one that has none of its own is told by `config` where the
    broker is.
    """
    listening: list[OpenSink] = []

    def fire(cause: str) -> None:
        trigger(cause, clock.now_ns())

    async with AsyncExitStack() as stack:
        for settings in flight.triggers:
            match settings:
                case LabelTrigger():
                    listening.append(LabelWatch(settings, fire))
                case SignalTrigger():
                    stack.enter_context(_signalled(settings.signal, fire))
                case MqttTrigger():
                    await stack.enter_async_context(_told(config, sinks, fire))
        log.info("flight recorder: armed")
        yield listening


@contextmanager
def _signalled(name: str, fire: Fire) -> Generator[None, None, None]:
    """A plain handler, as those that end a run."""
    loop = asyncio.get_running_loop()

    def heard(number: int, frame: object) -> None:
        del number, frame
        loop.call_soon_threadsafe(fire, f"signal {name}")

    number = signal.Signals[name]
    before = signal.signal(number, heard)
    try:
        yield
    finally:
        signal.signal(number, before)


@asynccontextmanager
async def _told(config: RunConfig, sinks: Sequence[OpenSink], fire: Fire) -> AsyncGenerator[None]:
    from sinks.mqtt.sender import Sender
    from sinks.triggers.mqtt import MqttWatch

    settings = next(sink for sink in config.sinks if isinstance(sink, MqttSink))
    async with AsyncExitStack() as stack:
        senders = [sink for sink in sinks if isinstance(sink, Sender)]
        # Its sender knows where an embedded broker is. A run without sinks has to reach it itself.
        endpoint = (
            senders[0].endpoint if senders else await stack.enter_async_context(settings.reached())
        )
        watch = MqttWatch(endpoint, settings.topics, fire)
        await stack.enter_async_context(alongside(watch.run(), "mqtt trigger"))
        yield


@asynccontextmanager
async def alongside(work: Coroutine[None, None, None], name: str) -> AsyncGenerator[None]:
    """`work` goes on while inside. Its error ends what is inside: no trigger dies in silence."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work, name=name)
            yield
            task.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] if len(errors.exceptions) == 1 else errors from None
