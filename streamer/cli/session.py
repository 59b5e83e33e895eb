"""Puts a configuration together and runs it: the composition root."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from configs.load import label_set
from configs.schema import LabelSets, RunConfig
from encoders import zeroshot
from encoders.calibration import Calibration
from encoders.imagebind.runtime import ImageBind, ImageBindEncoder, classes_of
from encoders.zeroshot import LabelSet
from sinks.jsonl import JsonlSink
from sinks.mcap.published import Published
from sources.recording.recorder import Recorder
from sources.replay.source import Replay
from streamer.cli.recorder import recorder, recording
from streamer.cli.replay.settings import extent
from streamer.cli.triggers import armed, check_triggers
from streamer.clock import ReplayClock, SystemClock
from streamer.encoding import Labeler
from streamer.errors import ConfigError, SourceLost
from streamer.metrics import cpu_seconds, peak_memory_mb
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.protocols import OpenEncoder, OpenSink, Tap
from streamer.types import NS_PER_S, Labels, Meta, Modality, Vector

log = logging.getLogger(__name__)

Watch = Callable[[Pipeline], None]
WatchRecorder = Callable[[Recorder], None]


def make_labeler(
    config: RunConfig, encoder: OpenEncoder, modalities: frozenset[Modality]
) -> tuple[Labeler | None, str]:
    """The function that labels a vector, and the hash of what it labels with.

    Sets that no run had before go through the text tower, here. None and "" where no labels are
    wanted.
    """
    labels = config.labels
    if not labels:
        return None, ""
    names: dict[Modality, str] = {m: labels.name_for(m) for m in modalities}
    sets = {name: label_set(name) for name in set(names.values())}
    check_label_sets(config, sets)
    classes = {name: classes_of(encoder, each) for name, each in sets.items()}
    calibration = encoder.calibration if isinstance(encoder, ImageBind) else None
    scales = {m: scale(config, calibration, m, sets[name].hash) for m, name in names.items()}

    def label(modality: Modality, vector: Vector) -> Labels:
        name, how = names[modality], scales[modality]
        scores = zeroshot.score(vector[None], classes[name], how.temperature, how.none_below)
        return zeroshot.labels(scores, sets[name], how.calibrated)[0]

    return label, "+".join(sorted(each.hash for each in sets.values()))


@dataclass(frozen=True, slots=True)
class Scale:
    """How the cosines of one modality become probabilities."""

    temperature: float
    none_below: float | None
    calibrated: bool


def scale(
    config: RunConfig, calibration: Calibration | None, modality: Modality, set_hash: str
) -> Scale:
    """What the configuration says, else what was fitted for this label set, else the defaults.

    Probabilities count as calibrated only when every number behind them was fitted.
    """
    labels = config.labels or LabelSets()
    temperature, none_below = labels.temperatures.get(modality), labels.none_below.get(modality)
    if (
        temperature is not None
        or calibration is None
        or calibration.set != set_hash
        or modality not in calibration.temperatures
    ):
        return Scale(config.temperature(modality), none_below, calibrated=False)
    fitted = calibration.temperatures[modality]
    if none_below is not None:
        return Scale(fitted, none_below, calibrated=False)
    return Scale(fitted, calibration.none_below.get(modality), calibrated=True)


def check_label_sets(config: RunConfig, sets: Mapping[str, LabelSet]) -> None:
    """Raises `ConfigError` when the named file of calibration was fitted for none of the `sets`."""
    if not isinstance(config.encoder, ImageBindEncoder) or not sets:
        return
    said = config.encoder.calibrated()
    if said is None or said.labels is None:
        return
    if said.labels.set not in {each.hash for each in sets.values()}:
        used = ", ".join(f"{name} {each.hash}" for name, each in sorted(sets.items()))
        raise ConfigError(
            f"encoder.calibration: {config.encoder.calibration}: expected one fitted for the labels"
            f" in use ({used}), it was fitted for {said.labels.set}"
        )


def preflight(config: RunConfig) -> None:
    """Find out in a moment what would otherwise fail after minutes of loading a model.

    Raises `ConfigError`, `SourceLost` or `EncoderFailed`.
    """
    check_label_sets(config, {n: label_set(n) for n in set(config.label_set_names.values())})
    for source in config.sources:
        path = getattr(source, "path", None)
        if path is not None and not path.exists():
            raise SourceLost(f"{path}: no such file")
    for index, sink in enumerate(config.sinks):
        if isinstance(sink, JsonlSink) and sink.path.exists() and not sink.append:
            raise ConfigError(f"sinks.{index}.path: {sink.path} exists; set append or another path")
    if config.record is not None:
        config.record.file(SystemClock().now_ns())
        check_triggers(config)
    if isinstance(config.encoder, ImageBindEncoder):
        config.encoder.preflight()


async def run(
    config: RunConfig,
    encoder: OpenEncoder,
    *,
    seconds: float | None = None,
    watch: Watch | None = None,
    beside: Sequence[OpenSink] = (),
    clock: ReplayClock | None = None,
    recorded_as: RunConfig | None = None,
    watch_recorder: WatchRecorder | None = None,
    needs_recorder: bool = False,
    taps: Sequence[Tap] = (),
    plan: Plan | None = None,
) -> dict[str, Any]:
    """Run `config` until its sources end, `seconds` have passed or a signal asks to stop.

    Returns the report of the run: counts, latencies and losses by cause, of the engine and of
    every sink. `watch` gets the pipeline before it starts, to show progress; the sinks `beside`
    those of the configuration get the same messages, and are not reported. `clock` is that of a
    replay. A recording says it is of `recorded_as`; `watch_recorder` gets what records, and a run
    that `needs_recorder` stops when that fails. `plan` is another than that of `config`.
    """
    host = SystemClock()
    clock = clock or await asyncio.to_thread(_log_clock, config)
    run_clock = clock or host
    started_ns, cpu_s = host.now_ns(), cpu_seconds()
    labeler, set_hash = await asyncio.to_thread(make_labeler, config, encoder, config.modalities)
    plan = plan or config.plan()
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(_signals(stop))
        sinks: list[OpenSink] = [
            await stack.enter_async_context(sink.open(run_clock, lossless=not config.live))
            for sink in config.sinks
        ]
        everyone, hearing = [*sinks, *beside], [*taps]
        keep = None
        if config.record is not None:
            keep = await stack.enter_async_context(
                recording(
                    recorder(config.record, recorded_as or config, host, encoder),
                    (*sinks, *beside),
                    run_clock,
                    failed=stop.set if needs_recorder else lambda: None,
                )
            )
            hearing.append(keep)
            everyone.append(Published(keep, run_clock, embeddings=config.record.embeddings))
            if config.record.flight is not None:
                everyone += await stack.enter_async_context(
                    armed(
                        config.record.flight, recorded_as or config, sinks, keep.trigger, run_clock
                    )
                )
            if watch_recorder is not None:
                watch_recorder(keep)
        pipeline = Pipeline(
            plan,
            config.sources,
            encoder,
            everyone,
            labeler=labeler,
            clock=run_clock,
            taps=hearing,
        )
        meta = Meta(
            model=encoder.name,
            model_hash=encoder.hash,
            dim=encoder.dim,
            hop_ns=plan.hop_ns,
            lengths_ns={m: plan.lengths_ns[m] for m in sorted(config.modalities)},
            streams={i.name: i.modality for s in config.sources for i in s.streams},
            label_set_hash=set_hash,
            clock="host" if config.live else "file" if clock is None else "log",
        )
        for sink in everyone:
            await sink.publish(meta)
        if watch is not None:
            watch(pipeline)
        if seconds is not None:
            deadline = asyncio.get_running_loop().call_later(seconds, stop.set)
            stack.callback(deadline.cancel)
        await pipeline.run(stop)
        if not config.live:
            await _wait_for_sinks(sinks, stop)
    wall_s = (host.now_ns() - started_ns) / NS_PER_S
    return {
        "model": encoder.name,
        "stopped": stop.is_set(),
        "live": config.live,
        **pipeline.report(),
        "sinks": [
            {"kind": settings.kind, **sink.report()}
            for settings, sink in zip(config.sinks, sinks, strict=True)
        ],
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_seconds() - cpu_s, 3),
        "peak_memory_mb": peak_memory_mb(),
        **({} if keep is None else {"record": keep.report()}),
    }


def _log_clock(config: RunConfig) -> ReplayClock | None:
    """The time of a log goes on in it, also where a log is but one of the sources of a run."""
    starts = [extent(s).start_ns for s in config.sources if isinstance(s, Replay)]
    return ReplayClock(None, min(starts)) if starts else None


async def _wait_for_sinks(sinks: Sequence[OpenSink], stop: asyncio.Event) -> None:
    """A run from files loses nothing: it ends when all is delivered, or when asked to stop."""
    turn = 0
    while not stop.is_set() and (waiting := [s.report() for s in sinks if s.report()["pending"]]):
        if turn % 100 == 20:
            for report in waiting:
                why = report.get("why") or "still sending"
                log.warning("waiting for a sink: %d messages (%s)", report["pending"], why)
        turn += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.1)


@contextmanager
def _signals(stop: asyncio.Event) -> Generator[None, None, None]:
    """SIGINT and SIGTERM drain and leave; a second one ends the process at once.

    Plain handlers and not the event loop's: they also run while something blocks the loop.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        del frame
        if asked:
            os._exit(128 + number)
        asked = True
        loop.call_soon_threadsafe(stop.set)
        log.info("stopping: draining what is under way (once more to end at once)")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
