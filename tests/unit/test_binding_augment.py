"""Augmentation: what it may change and what it never does."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from encoders.binding import augment
from encoders.binding.inputs import MARGIN
from encoders.binding.vocabulary import PADDING
from encoders.imagebind.preprocess.pictures import normalise

NOISE = augment.Noise.of(0, 1 << 20)


def _ramps(count: int) -> np.ndarray:
    """Pictures whose columns say where they are: uint8 (count, 2, 8, 8 + MARGIN, 3)."""
    row = np.arange(8 + MARGIN, dtype=np.uint8) * 10
    return np.broadcast_to(row[:, None], (count, 2, 8, 8 + MARGIN, 3)).copy()


def test_a_crop_starts_at_its_column() -> None:
    squares = augment.crop(_ramps(3), np.array([0, 5, MARGIN])).numpy()
    assert squares.shape == (3, 2, 8, 8, 3)
    assert squares[:, 0, 0, 0, 0].tolist() == [0, 50, 10 * MARGIN]
    surfaces = augment.crop(_ramps(3)[:, 0, ..., 0].astype(np.float16), np.array([0, 5, 16]))
    assert surfaces.shape == (3, 8, 8)
    assert surfaces[:, 3, 0].tolist() == [0, 50, 160]


def test_unchanged_pictures_are_those_of_live_runs() -> None:
    squares = torch.randint(0, 255, (2, 2, 8, 8, 3), dtype=torch.uint8)
    x = augment.plain(squares)
    assert x.shape == (2, 3, 2, 8, 8)
    expected = normalise(squares[1, 0].permute(2, 0, 1).float() / 255)
    torch.testing.assert_close(x[1, :, 0], expected, atol=1e-6, rtol=0)


def test_light_changes_but_never_left_and_right_and_both_frames_alike() -> None:
    squares = augment.crop(_ramps(64), augment.middles(64))
    x = augment.colours(squares, np.random.default_rng(0), NOISE)
    assert x.shape == (64, 3, 2, 8, 8)
    # Averages over rows: the noise is a third of a grey level's step there.
    rows = x.mean(dim=3)
    assert bool((rows[..., -1] > rows[..., 0]).all())
    first, second = x[:, :, 0].mean(dim=(2, 3)), x[:, :, 1].mean(dim=(2, 3))
    torch.testing.assert_close(first, second, atol=0.1, rtol=0)
    assert float(first.std(dim=0).min()) > 0.05


def test_the_same_generator_draws_the_same() -> None:
    squares = augment.crop(_ramps(4), augment.middles(4))
    sounds = np.random.default_rng(1).normal(size=(4, 32, 204)).astype(np.float16)
    readings = np.random.default_rng(1).normal(size=(4, 6, 200)).astype(np.float32)

    def drawn() -> list[torch.Tensor]:
        rng = np.random.default_rng(7)
        return [
            augment.colours(squares, rng, NOISE),
            augment.sounds(sounds, rng),
            augment.motions(readings, rng, NOISE),
            augment.surfaces(torch.zeros(4, 8, 8).half(), rng, NOISE, 0.1),
        ]

    for one, other in zip(drawn(), drawn(), strict=True):
        assert torch.equal(one, other)
        assert one.dtype == torch.float32


def test_padding_behind_a_sound_stays() -> None:
    spectra = np.full((50, 32, 204), 0.467, np.float16)
    spectra[:, :, :198] = -1
    x = augment.sounds(spectra, np.random.default_rng(0)).numpy()[:, 0]
    assert np.array_equal(x[:, :, 198:], spectra[:, :, 198:].astype(np.float32))
    assert x[:, :, :198].max() <= -0.84
    assert x[:, :, :198].std() > 0.05


def test_gravity_keeps_its_side_and_the_arrays_of_the_cache_are_not_touched() -> None:
    readings = np.zeros((50, 6, 200), np.float32)
    readings[:, 2] = 9.8
    before = readings.copy()
    x = augment.motions(readings, np.random.default_rng(0), NOISE).numpy()
    assert np.array_equal(readings, before)
    assert 8.5 < x[:, 2].min() < x[:, 2].max() < 11.1
    assert np.abs(x[:, 3:]).max() < 0.03
    assert 0 < x[:, 3:].std() < 0.005


def test_patches_kept_are_distinct_and_differ_between_inputs() -> None:
    from encoders.imagebind.config import ModelConfig

    sizes = ModelConfig(image_size=64, kernel_size=(2, 8, 8))
    kept = augment.patches(5, sizes, "vision", 0.75, np.random.default_rng(0))
    assert kept is not None
    assert kept.shape == (5, 16)
    assert all(len(set(row)) == 16 and 0 <= min(row) <= max(row) < 64 for row in kept.tolist())
    assert len({tuple(row) for row in kept.tolist()}) == 5
    assert augment.patches(5, sizes, "vision", 0.0, np.random.default_rng(0)) is None


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    most=st.floats(0.01, 0.9),
    seed=st.integers(0, 99),
)
def test_words_left_out_leave_the_others_in_order_between_both_ends(
    lengths: list[int], most: float, seed: int
) -> None:
    start, end = 40, 50
    texts = [[start, *range(3, 3 + n), end] for n in lengths]
    tokens = torch.tensor([text + [PADDING] * (12 - len(text)) for text in texts])
    made = augment.words(tokens, most, np.random.default_rng(seed))
    assert made.shape == tokens.shape
    for before, row in zip(texts, made.tolist(), strict=True):
        text = row[: row.index(end) + 1]
        assert row[len(text) :] == [PADDING] * (12 - len(text))
        assert (text[0], text[-1]) == (start, end)
        assert len(text) > 2 or len(before) == 2, "a word is left"
        kept = iter(before)
        assert all(word in kept for word in text), "in the order they were said"


def test_as_many_words_are_left_out_as_was_asked_for() -> None:
    tokens = torch.tensor([[40, *range(3, 23), 50]] * 4000)
    made = augment.words(tokens, 0.6, np.random.default_rng(0))
    shares = 1 - ((made > PADDING).sum(dim=1) - 2) / 20
    assert abs(float(shares.float().mean()) - 0.3) < 0.01
    assert 0.5 < float(shares.float().quantile(0.95)) < 0.75
