"""Whether the weights work: they are loaded, and every tower in use encodes something."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from configs.schema import RunConfig
from encoders.imagebind.runtime import BUILTIN, RANDOM, ImageBindEncoder
from encoders.imagebind.trial import Trial, attempt
from encoders.store.known import KNOWN
from streamer.cli.doctor.finding import Finding, milliseconds
from streamer.types import NS_PER_S, Modality


def weights(config: RunConfig) -> list[Finding]:
    """Raises `EncoderFailed`."""
    if not isinstance(config.encoder, ImageBindEncoder):
        return [Finding("weights", "pass", f"none: encoder {config.encoder.kind} needs none")]
    plan = config.plan()
    lengths_ns: dict[Modality, int] = {m: plan.lengths_ns[m] for m in sorted(config.modalities)}
    trial = attempt(config.encoder, lengths_ns, text=bool(config.labels))
    streams: Counter[Modality] = Counter(
        info.modality for source in config.sources for info in source.streams
    )
    pace = judge_pace(trial.seconds, streams, plan.hop_ns / NS_PER_S, live=config.live)
    return [judge(config.encoder, trial), pace]


def judge(encoder: ImageBindEncoder, trial: Trial) -> Finding:
    times = [f"{name} {milliseconds(s)}" for name, s in trial.seconds.items()]
    if trial.text_s is not None:
        times.append(f"a text {milliseconds(trial.text_s)}")
    said = f"{encoder.weights}: loaded in {milliseconds(trial.load_s)}; {', '.join(times)}"
    if encoder.weights == RANDOM:
        remedy = "set encoder.weights to a file, or to builtin for the simulated world"
        return Finding("weights", "warn", f"{said}; vectors and labels mean nothing", remedy)
    return Finding("weights", "pass", said)


def judge_pace(
    seconds: Mapping[Modality, float], streams: Mapping[Modality, int], hop_s: float, *, live: bool
) -> Finding:
    """`seconds` a window by modality; `streams` of each modality."""
    tick_s = sum(seconds[modality] * count for modality, count in streams.items())
    said = f"the windows of a tick take {milliseconds(tick_s)}, the hop is {milliseconds(hop_s)}"
    if tick_s <= hop_s:
        return Finding("pace", "pass", said)
    if not live:
        times = f"{tick_s / hop_s:.1f} times as long as the recording"
        return Finding("pace", "pass", f"{said}: a run from files takes {times}")
    remedy = (
        f"set windows.hop_s to {tick_s:.2g} or more, leave out a source, or take a faster device "
        "or precision"
    )
    return Finding("pace", "warn", f"{said}: ticks will be dropped", remedy)


def remedy(encoder: object) -> str:
    if not isinstance(encoder, ImageBindEncoder) or encoder.weights in {RANDOM, BUILTIN}:
        return "see the lines on device and memory; a damaged installation has to be made again"
    if encoder.weights in KNOWN:
        return f"`streamer weights pull {encoder.weights}`, then `streamer weights verify`"
    if not Path(encoder.weights).exists():
        return "set encoder.weights to the file; a path is relative to the current folder"
    return "get the file again, or, if it is another model's, give its sizes in encoder.model"
