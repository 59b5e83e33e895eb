"""Digests of windows change with every stamp and byte, and with nothing else."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sources.recording.digest import RunningDigest, TickDigest, digest, of_window
from sources.recording.pictures import Encoded, Look
from streamer.types import (
    AudioBlock,
    ClockCard,
    Data,
    ImuBlock,
    Modality,
    Quality,
    Sample,
    Span,
    Tick,
    Window,
)

SPAN = Span(1000, 2000)


def window(*samples: Sample, span: Span = SPAN) -> Window:
    return Window("s", samples[0].modality, span, samples, Quality(1.0))


def one(modality: Modality, data: Data, t_ns: int = 1100) -> Sample:
    return Sample("s", modality, t_ns, 100, data)


def jpeg(payload: bytes = b"\xff\xd8 one", look: Look | None = None) -> Encoded:
    return Encoded(payload, "jpeg", None, look or Look())


def sound(first: float = 0.25) -> AudioBlock:
    return AudioBlock(np.array([first, -0.5], np.float32), 16000)


def motion(first: float = 9.81, t_ns: int = 1100) -> ImuBlock:
    return ImuBlock(np.array([t_ns, 1150]), np.array([[first] * 6, [0] * 6], np.float32))


CHANGES: dict[str, tuple[Callable[[], Window], Callable[[], Window]]] = {
    "a byte of a picture": (
        lambda: window(one("vision", jpeg())),
        lambda: window(one("vision", jpeg(b"\xff\xd8 onf"))),
    ),
    "what makes values of it": (
        lambda: window(one("depth", jpeg(look=Look(0.001)))),
        lambda: window(one("depth", jpeg(look=Look(0.002)))),
    ),
    "a stamp": (
        lambda: window(one("vision", jpeg())),
        lambda: window(one("vision", jpeg(), 1101)),
    ),
    "a duration": (
        lambda: window(one("vision", jpeg())),
        lambda: window(replace(one("vision", jpeg()), duration_ns=101)),
    ),
    "the order": (
        lambda: window(one("vision", jpeg(), 1100), one("vision", jpeg(b"b"), 1200)),
        lambda: window(one("vision", jpeg(b"b"), 1100), one("vision", jpeg(), 1200)),
    ),
    "one more": (
        lambda: window(one("vision", jpeg(), 1100)),
        lambda: window(one("vision", jpeg(), 1100), one("vision", jpeg(), 1200)),
    ),
    "the span": (
        lambda: window(one("vision", jpeg())),
        lambda: window(one("vision", jpeg()), span=Span(1001, 2000)),
    ),
    "one level of sound": (
        lambda: window(one("audio", sound())),
        lambda: window(one("audio", sound(0.25 + 1 / 32768))),
    ),
    "a rate of sound": (
        lambda: window(one("audio", sound())),
        lambda: window(one("audio", AudioBlock(sound().samples, 8000))),
    ),
    "a reading": (
        lambda: window(one("imu", motion())),
        lambda: window(one("imu", motion(9.810002))),
    ),
    "the stamp of a reading": (
        lambda: window(one("imu", motion())),
        lambda: window(one("imu", motion(t_ns=1101))),
    ),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_every_change_shows(change: str) -> None:
    before, after = CHANGES[change]
    assert of_window(before()) == of_window(before())
    assert of_window(before()) != of_window(after())


def test_what_belongs_to_the_run_does_not() -> None:
    """Ages, coverage, clocks and counts are of the run; the pixels are of the decoder."""
    seen = window(one("vision", jpeg()))
    card = Quality(0.5, gaps=3, late=7, dropped={"duplicate": 2}, clock=ClockCard("device", 5))
    assert of_window(replace(seen, quality=card)) == of_window(seen)


def test_a_tick_is_told_by_stream_and_the_total_by_order() -> None:
    tick = Tick(2000, (window(one("vision", jpeg())),), {"other": "empty"}, 2100)
    told = digest(tick)
    assert told == TickDigest(2000, {"s": of_window(tick.windows[0])})
    later = TickDigest(2500, told.windows)
    forward, backward, twice = RunningDigest(), RunningDigest(), RunningDigest()
    for running, ticks in (
        (forward, (told, later)),
        (backward, (later, told)),
        (twice, (told, told)),
    ):
        for each in ticks:
            running.add(each)
    totals = {running.hexdigest() for running in (forward, backward, twice, RunningDigest())}
    assert len(totals) == 4
    assert forward.ticks == 2
