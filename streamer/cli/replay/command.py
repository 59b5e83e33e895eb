"""`streamer replay`: a log through the same windows, encoder and sinks as when it was recorded."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from configs.schema import RunConfig
from encoders.noop import NoopEncoder
from sources.replay.source import Replay
from streamer.cli import session
from streamer.cli.output import (
    Json,
    Overrides,
    console,
    emit,
    live_view,
    one_line_errors,
    say_logs,
    say_lost,
)
from streamer.cli.replay.digests import open_digests
from streamer.cli.replay.progress import ReplayProgress
from streamer.cli.replay.settings import Extent, Part, base, cut, extent, with_windows
from streamer.cli.replay.verify import PASS, UNKNOWN, Reference, Verifier, Writing, of_file, of_log
from streamer.cli.run import losses, summary, tell
from streamer.clock import ReplayClock
from streamer.errors import ConfigError
from streamer.pipeline import Pipeline
from streamer.plan import Plan

_FASTEST, _SLOWEST = 1e6, 0.01


def replay(
    log: Annotated[Path, typer.Argument(help="A recorded log.")],
    config: Annotated[
        str | None,
        typer.Option(
            help="Encoder, labels and sinks; default: those of the log, and no sinks.",
        ),
    ] = None,
    speed: Annotated[str, typer.Option(help="Times as fast as it was, or max.")] = "1",
    loop: Annotated[bool, typer.Option("--loop", help="Over and over, until Ctrl-C.")] = False,
    begin: Annotated[
        str | None, typer.Option("--from", help="Seconds into the log, mm:ss, or a date and time.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="As --from; not included.")] = None,
    streams: Annotated[str | None, typer.Option(help="These streams only: a,b")] = None,
    substitutes: Annotated[
        list[str] | None,
        typer.Option(
            "--substitute",
            metavar="STREAM=SOURCE",
            help="Another source for a stream: a media file, pictures, or {kind: media, ...}.",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hold windows and embeddings against the log's own.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="With --verify: against this file of digests.")
    ] = None,
    digests: Annotated[
        Path | None, typer.Option(help="Write the digests of this replay to a new file.")
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Replay LOG. Nothing is dropped at any speed, and the end drains every window.

    With --verify nothing is published, and one line says whether the replay made what was recorded:
    status 0 if it did, 1 if not, 2 where nothing can be proved (no digests, or an incomplete log).
    """
    say_logs()
    # What could not be compared does not differ.
    with one_line_errors("replay", as_json=as_json, status=UNKNOWN if verify else 1):
        part = Part(begin, end, streams, substitutes or (), loop)
        if verify and part != Part():
            raise ConfigError(
                "--verify needs the log as it is, without --from, --to, --streams, --loop and "
                "--substitute"
            )
        if against is not None and not verify:
            raise ConfigError("--against: expected --verify beside it")
        pace = _pace(speed)
        proof = verify and against is None and digests is None
        settings = base(log, config, overrides or (), whole=verify, proof=proof)
        (source,) = (s for s in settings.sources if isinstance(s, Replay))
        of = extent(source)
        settings = cut(settings, part, of)
        (source,) = (s for s in settings.sources if isinstance(s, Replay))
        if verify:
            report, line = verified(settings, of, pace, against, digests)
        else:
            report, line = _replayed(settings, of, pace, digests), ""
    if verify:
        typer.echo(line, err=as_json)
        if as_json:
            emit({"command": "replay", "ok": report["status"] == PASS, "verdict": line, **report})
        raise typer.Exit(report["status"])
    # What a live run dropped before its windows is in its log, and dropped again.
    live = of.about is not None and of.about.live
    # A part may be shorter than a stream's window, as a run that was stopped.
    short = report["stopped"] or part.begin is not None or part.end is not None
    lost = losses(report | {"live": live, "stopped": short})
    lost += [f"{log.name}: {cause} ({count})" for cause, count in source.damage.items()]
    for text, other in zip(part.substitutes, settings.sources[1:], strict=True):
        name = text.partition("=")[0]
        console.print(
            f"{name}: replaced by {getattr(other, 'path', other.kind)}",
            markup=False,
            soft_wrap=True,
        )
    console.print(summary(report), markup=False, soft_wrap=True)
    say_lost(lost)
    if as_json:
        emit({"command": "replay", "ok": not lost, "lost": lost, **report})
    if lost:
        raise typer.Exit(1)


def _replayed(
    settings: RunConfig, of: Extent, pace: float | None, digests: Path | None
) -> dict[str, Any]:
    return _run(settings, of, pace, settings.plan(), None, digests)[0]


def verified(
    settings: RunConfig, of: Extent, pace: float | None, against: Path | None, digests: Path | None
) -> tuple[dict[str, Any], str]:
    """The report of a replay that publishes nothing, and the one line of its outcome."""
    (source,) = (s for s in settings.sources if isinstance(s, Replay))
    if against is not None:
        reference = of_file(open_digests(against))
    elif of.about is not None:
        reference = of_log(source.path)
    else:
        raise ConfigError(
            f"{source.path}: another program's log holds no digests: expected --against FILE, which"
            " --digests writes"
        )
    recorded = reference.plan or (of.about.plan if of.about else settings.plan())
    # Without anything to compare them with, embeddings are not made.
    update: dict[str, Any] = {"sinks": (), "record": None}
    if not reference.number and digests is None:
        update |= {"encoder": NoopEncoder(), "labels": False}
    settings = settings.model_copy(update=update)
    plan = with_windows(settings.plan(), recorded)
    report, verifier = _run(settings, of, pace, plan, reference, digests)
    if verifier is None:
        return report, ""
    status, line = verifier.verdict(stopped=report["stopped"])
    return report | {"status": status}, line


def _run(
    settings: RunConfig,
    of: Extent,
    pace: float | None,
    plan: Plan,
    reference: Reference | None,
    digests: Path | None,
) -> tuple[dict[str, Any], Verifier | None]:
    (source,) = (s for s in settings.sources if isinstance(s, Replay))
    start_ns = source.from_ns or of.start_ns
    end_ns = of.end_ns if source.to_ns is None else source.to_ns
    clock = ReplayClock(pace, start_ns)
    session.preflight(settings)
    with ExitStack() as stack:
        file = None
        if digests is not None:
            try:
                file = stack.enter_context(digests.open("x", encoding="utf-8"))
            except OSError as error:
                raise ConfigError(f"--digests {digests}: {error.strerror}") from None
        encoder = stack.enter_context(
            settings.encoder.open(settings.modalities, text=bool(settings.labels))
        )
        show = stack.enter_context(live_view())
        verifier = None if reference is None else Verifier(reference, encoder, of.start_ns)
        writing = None if file is None else Writing(file, plan, encoder)
        listening = [each for each in (verifier, writing) if each is not None]

        def watch(pipeline: Pipeline) -> None:
            loop = source.again_s is not None
            progress = ReplayProgress(pipeline, clock, start_ns, end_ns, loop=loop)
            if reference is None or console.is_terminal:
                show(progress)
            if not console.is_terminal:
                tell(progress.line)

        report = asyncio.run(
            session.run(
                settings,
                encoder,
                watch=watch,
                beside=listening,
                taps=listening,
                clock=clock,
                plan=plan,
            )
        )
        if writing is not None:
            report |= {"digest": writing.finish()}
        report |= {"problems": dict(source.problems)}
    return report, verifier


def _pace(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        pace = float(speed)
    except ValueError:
        pace = 0.0
    if not _SLOWEST <= pace <= _FASTEST:
        raise ConfigError(f"--speed: expected max or a number from {_SLOWEST}, got {speed}")
    return pace
