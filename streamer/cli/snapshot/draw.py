"""From what was taken of a stream to its sheet."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from streamer.cli.snapshot.drawing import Picture
from streamer.cli.snapshot.motion import motion
from streamer.cli.snapshot.pictures import depth, frame, heat
from streamer.cli.snapshot.sheet import Drawn, Note, sheet
from streamer.cli.snapshot.sound import sound
from streamer.cli.snapshot.take import Taken
from streamer.types import NS_PER_S, AudioBlock, ImuBlock, Sample, Span, pixels

_LAST_NS = 4_000_000_000 * NS_PER_S


def draw(taken: Taken) -> tuple[Picture, tuple[Note, ...]]:
    """The sheet of a stream that gave samples, and what it says. Raises `SourceLost`."""
    newest = taken.samples[-1]
    if isinstance(newest.data, AudioBlock):
        what, drawn = "sound", _heard(taken.samples)
    elif isinstance(newest.data, ImuBlock):
        what, drawn = "motion", _moved(taken.samples)
    else:
        picture = pixels(newest)
        what = f"{taken.modality}, {picture.shape[1]} x {picture.shape[0]}, {picture.dtype}"
        drawn = {"vision": frame, "depth": depth, "thermal": heat}[taken.modality](picture)
    notes = drawn.notes
    if taken.why:
        notes = (*notes, Note(taken.why[:120], bad=True))
    when = _when(taken.samples[0].t_ns)
    return sheet(taken.stream, f"{what}; {when}", Drawn(drawn.body, notes)), notes


def _heard(samples: Sequence[Sample]) -> Drawn:
    blocks = [(s.t_ns, s.data) for s in samples if isinstance(s.data, AudioBlock)]
    return sound(blocks, Span(samples[0].t_ns, max(s.end_ns for s in samples)))


def _moved(samples: Sequence[Sample]) -> Drawn:
    blocks = [s.data for s in samples if isinstance(s.data, ImuBlock)]
    return motion(
        ImuBlock(
            np.concatenate([block.t_ns for block in blocks]),
            np.concatenate([block.values for block in blocks]),
        )
    )


def _when(t_ns: int) -> str:
    if not 0 <= t_ns < _LAST_NS:
        return f"time stamp {t_ns} ns"
    instant = datetime.fromtimestamp(t_ns // NS_PER_S, UTC)
    return f"{instant:%Y-%m-%d %H:%M:%S}.{t_ns % NS_PER_S // 1_000_000:03d} UTC"
