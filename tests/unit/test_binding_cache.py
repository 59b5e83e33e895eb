"""Rendering once: what is kept, what is rendered again, and what is never mixed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.binding.bound import as_live, pairs
from encoders.binding.cache import CHUNK, Cache, cached
from encoders.binding.inputs import MARGIN
from encoders.imagebind.config import ModelConfig
from encoders.imagebind.preprocess import depth, pictures, thermal
from streamer.types import Modality, Moment, pixels
from tests.toy import SIZES, Toys

SMALL = ModelConfig(**SIZES)
COUNT = 2 * CHUNK + 3


class Counted:
    """Counts what is asked for, and breaks when it is told to."""

    def __init__(self, toys: Toys, broken_at: int = -1) -> None:
        self.asked: list[int] = []
        self._toys = toys
        self._broken_at = broken_at

    def __len__(self) -> int:
        return len(self._toys)

    def __getitem__(self, index: int, /) -> Moment:
        self.asked.append(index)
        if index == self._broken_at:
            raise RuntimeError("killed")
        return self._toys[index]


def _contents(cache: Cache, modality: Modality) -> np.ndarray:
    return cache.arrays[modality][cache.rows[modality]]


def test_finished_chunks_are_not_rendered_again(tmp_path: Path) -> None:
    toys = Toys(COUNT, silence=True)
    with pytest.raises(RuntimeError, match="killed"):
        cached(tmp_path, Counted(toys, broken_at=CHUNK + 7), "key", SMALL)
    again = Counted(toys)
    resumed = cached(tmp_path, again, "key", SMALL)
    # Moment 0 once more, for the fingerprint.
    assert again.asked == [0, *range(CHUNK, COUNT)]
    known = Counted(toys)
    cached(tmp_path, known, "key", SMALL)
    assert known.asked == [0]
    at_once = cached(tmp_path / "other", toys, "key", SMALL)
    assert len(at_once) == len(resumed) == COUNT
    assert at_once.captions == resumed.captions
    for modality in ("vision", "audio", "depth", "thermal", "imu"):
        assert np.array_equal(_contents(at_once, modality), _contents(resumed, modality))


@dataclass(frozen=True)
class Dimmed:
    """The same configuration as `Toys`, other pictures."""

    toys: Toys

    def __len__(self) -> int:
        return len(self.toys)

    def __getitem__(self, index: int, /) -> Moment:
        return self.toys[index + 1]


def test_other_data_are_other_folders(tmp_path: Path) -> None:
    wide = SMALL.model_copy(update={"image_size": 48})
    caches = [
        cached(tmp_path, Toys(3), "key", SMALL),
        cached(tmp_path, Toys(3), "another key", SMALL),
        cached(tmp_path, Toys(4), "key", SMALL),
        cached(tmp_path, Toys(3), "key", wide),
        cached(tmp_path, Dimmed(Toys(3)), "key", SMALL),
        cached(tmp_path, Toys(3, note="now "), "key", SMALL),
    ]
    assert len({cache.name for cache in caches}) == len(caches)
    assert cached(tmp_path, Toys(3), "key", SMALL).name == caches[0].name


def test_a_moment_without_sound_has_no_row_for_it(tmp_path: Path) -> None:
    cache = cached(tmp_path, Toys(8, silence=True), "key", SMALL)
    assert cache.rows["audio"].tolist() == [0, 1, 3, 4, 6, 7]
    assert cache.rows["vision"].tolist() == list(range(8))
    assert pairs(cache, "audio").tolist() == [0, 1, 3, 4, 6, 7]


def test_the_middle_of_what_is_kept_is_what_live_runs_see(tmp_path: Path) -> None:
    toys = Toys(6)
    cache = cached(tmp_path, toys, "key", SMALL)
    windows = toys[5].windows
    frames = [pixels(sample) for sample in windows["vision"].samples]
    seen = as_live("vision", cache.arrays["vision"][5:6])[0]
    torch.testing.assert_close(seen, pictures.clip(frames[0], frames[1], 32), atol=1e-5, rtol=0)
    live = depth.image(pixels(windows["depth"].samples[0]), 32)
    kept = as_live("depth", cache.arrays["depth"][5:6])[0]
    torch.testing.assert_close(kept, live, atol=2e-3, rtol=1e-3)  # float16
    live = thermal.image(pixels(windows["thermal"].samples[0]), 32)
    kept = as_live("thermal", cache.arrays["thermal"][5:6])[0]
    torch.testing.assert_close(kept, live, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [(48, 80), (97, 131), (64, 64), (90, 50)])
def test_a_wide_crop_holds_the_square_in_its_middle(size: tuple[int, int]) -> None:
    picture = torch.randint(0, 255, (3, *size), dtype=torch.uint8)
    square = pictures.resize_crop(picture, 32)
    wide = pictures.resize_crop(picture, 32, 32 + MARGIN)
    assert wide.shape == (3, 32, 32 + MARGIN)
    assert torch.equal(wide[..., MARGIN // 2 : -MARGIN // 2], square)
