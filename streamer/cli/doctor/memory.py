"""How much memory a run needs, and whether it is there."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from configs.schema import RunConfig
from encoders.imagebind import footprint
from encoders.imagebind.config import ModelConfig, Tower
from encoders.imagebind.device import GpuMemory, Placement, gpu_memory
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.zeroshot import PROMPTS_AT_ONCE
from sinks.mqtt.sink import MqttSink
from streamer.cli.check.look import Look
from streamer.cli.doctor.finding import Finding, size
from streamer.cli.doctor.room import available
from streamer.cli.doctor.towers import sizes_of, towers_of
from streamer.feeds import BATCH_TICKS
from streamer.types import NS_PER_S

TIGHT = 0.8
"""Of the free memory: above this a run that fits today may not fit tomorrow."""

REMEDY = "end other programs, leave out a source, or take half precision (encoder.precision=bf16)"


@dataclass(frozen=True, slots=True)
class Need:
    """In bytes, beyond a process that has loaded its libraries, such as this one."""

    weights: int
    activations: int
    windows: int
    outboxes: int

    @property
    def model(self) -> int:
        return self.weights + self.activations


def memory(config: RunConfig, where: Placement | None, looks: Iterable[Look]) -> list[Finding]:
    """Of the machine, and of the GPU where the model goes there.

    `looks` are what the sources gave: how large their windows are is known from nothing else.
    """
    seen = list(looks)
    gave = {look.stream for look in seen if look.samples}
    streams = {info.name for source in config.sources for info in source.streams}
    absent = sorted(streams - gave)
    sizes, guess = ModelConfig(), ""
    if isinstance(config.encoder, ImageBindEncoder):
        sizes, guess = sizes_of(config.encoder)
    need = needed(config, sizes, 4 if where is None else where.dtype.itemsize, seen)
    notes = [f"sizes are guessed ({guess})"] if guess else []
    notes += [f"without the windows of {', '.join(absent)}, which gave nothing"] if absent else []
    free, whose = available()
    gpu = gpu_memory() if where is not None and where.device.type == "cuda" else None
    if gpu is None or gpu.integrated:
        return [judge("memory", need.model, need, free, whose, notes)]
    return [judge("memory", 0, need, free, whose, notes), judge_gpu(need, gpu)]


def needed(config: RunConfig, sizes: ModelConfig, number_bytes: int, looks: Iterable[Look]) -> Need:
    towers = towers_of(config)
    activations = [
        footprint.activation_bytes(sizes, tower, count, number_bytes)
        for tower, count in _batches(config).items()
        if tower in towers
    ]
    plan = config.plan()
    # A window, what is waited for, and the part of a hop until the next one closes.
    held = {m: length + plan.lateness_ns + plan.hop_ns for m, length in plan.lengths_ns.items()}
    return Need(
        weights=footprint.weights_bytes(sizes, towers, number_bytes),
        activations=max(activations) + footprint.WORKSPACE_BYTES if activations else 0,
        windows=round(sum(look.bytes_per_s * held[look.modality] / NS_PER_S for look in looks)),
        outboxes=sum(sink.outbox_bytes for sink in config.sinks if isinstance(sink, MqttSink)),
    )


def judge(
    name: str, model: int, need: Need, free: int | None, whose: str, notes: list[str]
) -> Finding:
    total = model + need.windows + need.outboxes
    said = (
        f"{size(total)} needed: weights {size(need.weights if model else 0)}, "
        f"work {size(need.activations if model else 0)}, windows {size(need.windows)}, "
        f"outboxes {size(need.outboxes)}"
    )
    if free is None:
        return Finding(name, "warn", f"{said}; this system does not say what is free", REMEDY)
    said = "; ".join([f"{said}; {size(free)} free ({whose})", *notes])
    if total > free:
        return Finding(name, "fail", said, REMEDY)
    if total > TIGHT * free or notes:
        return Finding(
            name, "warn", said, REMEDY if total > TIGHT * free else "see the other lines"
        )
    return Finding(name, "pass", said)


def judge_gpu(need: Need, gpu: GpuMemory) -> Finding:
    said = f"{size(need.model)} needed; {size(gpu.free)} of {size(gpu.total)} free"
    if need.model > gpu.free:
        return Finding("GPU memory", "fail", said, REMEDY)
    if need.model > TIGHT * gpu.free:
        return Finding("GPU memory", "warn", said, REMEDY)
    return Finding("GPU memory", "pass", said)


def _batches(config: RunConfig) -> dict[Tower, int]:
    """The most inputs that go through each tower at once."""
    batches: Counter[Tower] = Counter()
    if isinstance(config.encoder, ImageBindEncoder):
        for source in config.sources:
            for info in source.streams:
                batches[config.encoder.tower(info.modality)] += BATCH_TICKS
    batches["text"] = PROMPTS_AT_ONCE
    return batches
