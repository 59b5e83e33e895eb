"""What a replay runs: the log in the place of the sources, and who encodes and hears it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from configs.load import LARGEST_FILE, load, parse_run
from configs.schema import RunConfig
from sources.recording.about import About
from sources.replay.log import open_log
from sources.replay.own import OwnLog
from sources.replay.source import Replay
from sources.replay.stored import told
from streamer.cli.replay.substitute import substitute
from streamer.cli.times import moment
from streamer.errors import ConfigError, SourceLost
from streamer.plan import Plan
from streamer.types import NS_PER_S, Truth

_WHOLE: Mapping[str, object] = {"only": (), "from_ns": None, "to_ns": None, "again_s": None}


@dataclass(frozen=True, slots=True)
class Extent:
    """What a log is of, and when; `end_ns` None where it does not say without being read."""

    about: About | None
    start_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a log is wanted, as it was asked for."""

    begin: str | None = None
    end: str | None = None
    streams: str | None = None
    substitutes: Sequence[str] = ()
    loop: bool = False


def base(
    log: Path,
    config: str | None,
    overrides: Sequence[str],
    *,
    whole: bool = False,
    proof: bool = False,
) -> RunConfig:
    """Encoder, labels and sinks of `config`, else those of the log without its sinks; the one
    source is the log: `whole`, or the part that `config` has of it. Raises `ConfigError`.

    `proof`: nothing is encoded but what is held against embeddings of the log. One that was made of
    a log of others has none, and no configuration either.
    """
    source = f"{{kind: replay, path: {json.dumps(str(log))}}}"
    if config is not None:
        settings = load(config, overrides)
        (known, *_) = (*(s for s in settings.sources if isinstance(s, Replay)), Replay(path=log))
        part = _WHOLE if whole else {}
        return _checked(settings, (known.model_copy(update={"path": log, **part}),))
    here = [f"sources=[{source}]", "sinks=[]", "record=null"]
    about = _about(log)
    if about is not None and about.config:
        if len(about.config) > LARGEST_FILE:
            raise ConfigError(f"{log}: its configuration has {len(about.config)} characters")
        return parse_run(about.config, str(log), [*here, *overrides])
    if not any(override.startswith("encoder") for override in overrides):
        if proof and about is not None and not told(log).embeddings:
            return parse_run("encoder: {kind: noop}", str(log), [*here, "labels=false", *overrides])
        raise ConfigError(
            f"{log}: holds no configuration: say what encodes it with --config (media: ImageBind; "
            "demo: the built-in model; with --set 'sinks=[]' where no broker runs), or with "
            "--set 'encoder={kind: noop}'"
        )
    return parse_run("{}", str(log), [*here, "labels=false", *overrides])


def extent(source: Replay) -> Extent:
    """Of the whole log, on its clock. Raises `SourceLost` where nothing is in it."""
    log = open_log(source.path, source.topics)
    try:
        events = log.events()
        first = next((item for item in events if not isinstance(item, Truth)), None)
        if first is None:
            why = next(iter(log.problems), "nothing happened in it")
            raise SourceLost(f"{source.path}: nothing to replay: {why}")
        end_ns = log.end_ns if isinstance(log, OwnLog) else None
        return Extent(log.about, first.now_ns, end_ns)
    finally:
        log.close()


def cut(settings: RunConfig, part: Part, extent: Extent) -> RunConfig:
    """The settings with that part of the log. Raises `ConfigError`."""
    (source,) = (s for s in settings.sources if isinstance(s, Replay))
    begin_ns = None if part.begin is None else moment("--from", part.begin, extent.start_ns)
    end_ns = None if part.end is None else moment("--to", part.end, extent.start_ns)
    if begin_ns is not None and extent.end_ns is not None and begin_ns > extent.end_ns:
        length_s = (extent.end_ns - extent.start_ns) / NS_PER_S
        raise ConfigError(f"--from {part.begin}: the log ends before, it is {length_s:.1f} s long")
    if end_ns is not None and end_ns <= (begin_ns or extent.start_ns):
        raise ConfigError(f"--to {part.end}: expected a time behind the first one")
    if part.loop and part.substitutes:
        raise ConfigError("--loop repeats the log alone: expected no --substitute beside it")
    if part.substitutes and settings.record is not None:
        # A log is of one run: its samples have one clock of arrival.
        raise ConfigError("record: expected none beside --substitute")
    whole = source.streams
    only = source.only
    if part.streams is not None:
        only = tuple(dict.fromkeys(name.strip() for name in part.streams.split(",")))
        source.model_copy(update={"only": only}).streams  # noqa: B018 - raises for unknown ones
        whole = tuple(info for info in whole if info.name in only)
    others = [substitute(text, whole, extent.start_ns) for text in part.substitutes]
    replaced = {info.name for other in others for info in other.streams}
    if replaced:
        only = tuple(info.name for info in whole if info.name not in replaced)
        if not only:
            raise ConfigError("--substitute: expected at least one stream that stays the log's")
    update = {
        "only": only,
        "from_ns": begin_ns,
        "to_ns": end_ns,
        "again_s": settings.windows.hop_s if part.loop else None,
    }
    return _checked(settings, (source.model_copy(update=update), *others))


def with_windows(plan: Plan, recorded: Plan) -> Plan:
    """The plan of a run, with windows cut as they were while recording."""
    return replace(
        plan,
        hop_ns=recorded.hop_ns,
        lengths_ns={**plan.lengths_ns, **recorded.lengths_ns},
        lateness_ns=recorded.lateness_ns,
        idle_ns=recorded.idle_ns,
        min_coverage=recorded.min_coverage,
    )


def _about(log: Path) -> About | None:
    opened = open_log(log)
    opened.close()
    return opened.about


def _checked(settings: RunConfig, sources: tuple[object, ...]) -> RunConfig:
    """With other sources, under the same rules."""
    try:
        return RunConfig.model_validate({**dict(settings), "sources": sources})
    except ValueError as error:
        raise ConfigError(str(error).splitlines()[0]) from None
