"""Windows spread evenly over a file.

file    |--------------------|  5 s
clips   [-------)                 0 to 2
              [-------)           1.5 to 3.5
                     [-------)    3 to 5
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.load import load
from streamer.cli.eval.clips import narrowed, spread, spread_over
from streamer.cli.files import embeddings_of, file_plan, modalities_of, source_of, start_ns
from streamer.types import NS_PER_S
from tests.published_trees import sound, video

AFTER = 946_684_800 * NS_PER_S
S = NS_PER_S


@settings(deadline=None)
@given(
    duration=st.integers(1, 100 * S),
    length=st.integers(S // 10, 5 * S),
    count=st.integers(1, 20),
)
def test_the_grid_meets_the_first_and_the_last_window(
    duration: int, length: int, count: int
) -> None:
    found = spread(duration, length, count, AFTER)
    assert found.start_ns >= AFTER
    assert (found.start_ns + length) % found.hop_ns == 0
    if found.min_coverage is not None:
        last = (count - 1) * found.hop_ns + length
        assert duration - count < last <= duration
        assert max(0, 1 - found.hop_ns / length) < found.min_coverage < 1


@pytest.mark.parametrize(
    ("seconds", "count", "starts"),
    [(5, 3, [0, 1.5, 3]), (5, 2, [0, 3]), (9, 2, [0, 7]), (5, 1, [0]), (2, 3, [0])],
)
def test_the_windows_of_a_sound(
    tmp_path: Path, seconds: int, count: int, starts: list[float]
) -> None:
    path = tmp_path / "a.wav"
    sound(path, 440, seconds)
    assert starts_of(path, count) == pytest.approx(starts)


def test_the_windows_of_a_video(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4", 4)
    assert starts_of(tmp_path / "a.mp4", 5) == pytest.approx([0, 0.5, 1, 1.5, 2], abs=0.05)


def starts_of(path: Path, count: int) -> list[float]:
    """When the windows that were encoded begin in the file; each is 2 s long."""
    config = load("demo", ["encoder={kind: noop}"])
    source, plan = spread_over(source_of(path, 2.0), file_plan(config, 2.0), count)
    with config.encoder.open(modalities_of([source]), text=False) as encoder:
        found = embeddings_of(source, plan, encoder)
    zero = getattr(source, "start", start_ns(source))
    assert all(e.span.length_ns == 2 * S for e in found)
    return [(e.span.start_ns - zero) / S for e in found]


def test_a_picture_is_one_window_whatever_is_asked_for(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    source = source_of(tmp_path / "a.png", 2.0)
    plan = file_plan(load("demo", ["encoder={kind: noop}"]), 2.0)
    assert spread_over(source, plan, 3) == (source, plan)
    assert narrowed(source, "vision") is source


def test_a_file_is_narrowed_to_what_it_has(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", 440, 2)
    source = source_of(tmp_path / "a.wav", 2.0)
    assert narrowed(source, "vision") is source
    assert narrowed(source, None) is source
    assert modalities_of([narrowed(source, "audio")]) == {"audio"}
