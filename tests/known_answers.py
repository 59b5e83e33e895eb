"""What imagebind_huge is known to answer about a dog, a car and a bird, and how far it is off.

The numbers are those of the reference's README, printed there to five digits: softmax over each row
of the products of raw outputs, that is with the lengths that training gave each modality.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import Tower
from encoders.imagebind.header import read_header
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.preprocess import audio, files, pictures
from encoders.imagebind.tokenizer import Tokenizer

TEXTS = ("A dog.", "A car", "A bird")
THINGS = ("dog", "car", "bird")
KNOWN: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "vision x text": (
        (0.99761, 0.0023694, 0.000018612),
        (0.000033836, 0.99994, 0.000024118),
        (0.000047997, 0.013496, 0.98646),
    ),
    "audio x text": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "vision x audio": (
        (0.8070, 0.1088, 0.0842),
        (0.1036, 0.7884, 0.1079),
        (0.0018, 0.0022, 0.9960),
    ),
}

# Other decoders, another resampler and another filter bank move a product of raw outputs, which are
# up to 100 long, by tenths. A wrong scale, order or normalisation moves it by units.
MOST_OFF, MOST_OFF_LOG = 0.02, 0.5
LEAST_PRINTED = 1e-6
"""A share that was printed as 0 is not compared by its logarithm."""


def answers(weights: Path, assets: Path) -> dict[str, NDArray[np.float64]]:
    """The matrices of `KNOWN`, (3, 3) each, from a file of weights; one tower in memory at a time.

    `assets` holds dog_image.jpg, dog_audio.wav and so on. The file's sizes are used where it has
    some.
    """
    sizes = read_header(weights).sizes
    keywords = {} if sizes is None else sizes.model_dump()
    outputs: dict[Tower, NDArray[np.float64]] = {}
    towers: tuple[Tower, ...] = ("vision", "text", "audio")
    for tower in towers:
        with torch.device("meta"):
            model = ImageBindModel([tower], **keywords).eval()
        load_towers(model, weights)
        with torch.inference_mode():
            outputs[tower] = model({tower: inputs(tower, model, assets)})[tower].double().numpy()
    return {
        "vision x text": softmax(outputs["vision"] @ outputs["text"].T),
        "audio x text": softmax(outputs["audio"] @ outputs["text"].T),
        "vision x audio": softmax(outputs["vision"] @ outputs["audio"].T),
    }


def inputs(tower: Tower, model: ImageBindModel, assets: Path) -> torch.Tensor:
    """Pictures (3, 3, H, W), three clips of each sound (3, 3, 1, mel, columns), tokens (3, n)."""
    sizes = model.config
    if tower == "text":
        return Tokenizer(sizes.context_length)(TEXTS)
    if tower == "vision":
        each = [files.picture(assets / f"{thing}_image.jpg") for thing in THINGS]
        return torch.stack([pictures.image(rgb, sizes.image_size) for rgb in each])
    sounds = [audio.resample(*files.sound(assets / f"{thing}_audio.wav")) for thing in THINGS]
    shape = (sizes.audio_num_mel_bins, sizes.audio_target_len)
    return torch.stack([audio.clips(sound, 3, 2.0, *shape) for sound in sounds])


def softmax(products: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(products - products.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def differences(got: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """A line for every number of `KNOWN` that `got` misses; none where it is the released model."""
    lines: list[str] = []
    for name, rows in KNOWN.items():
        want, found = np.array(rows), got[name]
        off = np.abs(found - want)
        with np.errstate(divide="ignore", invalid="ignore"):
            off_log = np.abs(np.log(found) - np.log(want))
        wrong = ~(off <= MOST_OFF) | ((want >= LEAST_PRINTED) & ~(off_log <= MOST_OFF_LOG))
        lines += [
            f"{name} [{THINGS[i]}, {THINGS[j]}]: expected {want[i, j]:.5g}, got {found[i, j]:.5g}"
            for i, j in np.argwhere(wrong)
        ]
    return lines
