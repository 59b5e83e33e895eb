"""The text tower: there only while it is needed, and never given more tokens than are read."""

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from encoders.cache_folder import CacheFolder
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.imagebind.text import Texts
from encoders.imagebind.towers import up_to_the_last_end
from encoders.imagebind.weights import random_weights
from encoders.label_vectors import LabelVectors
from encoders.zeroshot import LabelSet, class_vectors
from tests.packed import SPEAKING, SPOKEN, packed_state, save_packed
from tests.tiny import TINY, tiny_model

ANIMALS = LabelSet("animals", ("dog", "cat", "horse"), ("{}", "a photo of {}."))
END = TINY["vocab_size"] - 1
#                 .-- start        .-- end
TOKENS = torch.tensor(
    [
        [58, 3, 17, END, 0, 0, 0, 0, 0],
        [58, END, 0, 0, 0, 0, 0, 0, 0],
        [58, 3, 3, 5, 21, END, 0, 0, 0],
        # What follows an end is not read, be it another.
        [58, 9, END, 4, 4, END, 7, 7, 7],
    ]
)


def speaking() -> ImageBindModel:
    with torch.device("meta"):
        model = ImageBindModel(["text"], **SPEAKING).eval()
    random_weights(model, 0)
    return model


def never() -> NoReturn:
    raise AssertionError("the text tower was loaded")


def test_tokens_after_the_last_end_of_a_batch_are_left_out():
    assert up_to_the_last_end(TOKENS).tolist() == TOKENS[:, :6].tolist()
    assert up_to_the_last_end(TOKENS[:2]).tolist() == TOKENS[:2, :4].tolist()
    assert up_to_the_last_end(TOKENS[:0]).shape == (0, 9)


@torch.no_grad()
@pytest.mark.parametrize("rows", [slice(0, 4), slice(0, 1), slice(1, 3)])
def test_leaving_them_out_changes_nothing(rows: slice):
    model = tiny_model("text", dtype=torch.float64)
    tokens = TOKENS[rows]
    # Step by step, over all nine tokens.
    before = model.modality_preprocessors["text"]
    hidden = before.get_submodule("token_embedding")(tokens)
    hidden = hidden + before.get_parameter("pos_embed")
    hidden = model.modality_trunks["text"](hidden, before.get_buffer("mask"))
    at_end = hidden[torch.arange(len(tokens)), (tokens == END).int().argmax(dim=-1)]
    whole = model.modality_heads["text"].get_submodule("proj")(at_end)
    whole = model.modality_postprocessors["text"](whole)
    trimmed = model({"text": tokens})["text"]
    assert trimmed.dtype == torch.float64
    torch.testing.assert_close(trimmed, whole, rtol=0, atol=1e-13)
    assert trimmed.std() > 0.1


def test_texts_are_encoded_by_a_tower_that_is_loaded_once():
    loads: list[ImageBindModel] = []

    def load() -> ImageBindModel:
        loads.append(speaking())
        return loads[-1]

    texts = Texts(load, None)
    assert not loads
    first = texts.encode(["a dog", "a photo of a cat"])
    again = texts.encode(["a dog"])
    assert len(loads) == 1
    np.testing.assert_allclose(again[0], first[0], atol=1e-6)
    np.testing.assert_array_equal(texts.classes(ANIMALS), class_vectors(texts.encode, ANIMALS))
    assert len(loads) == 1


def test_with_its_vectors_kept_a_label_set_needs_no_tower(tmp_path: Path):
    kept = LabelVectors(CacheFolder(tmp_path), "ab" * 32, "float32", SPEAKING["out_embed_dim"])
    loads: list[ImageBindModel] = []

    def load() -> ImageBindModel:
        loads.append(speaking())
        return loads[-1]

    cold = Texts(load, kept)
    vectors = cold.classes(ANIMALS)
    assert len(loads) == 1
    # The tower was there for the labels alone.
    cold.encode(["a dog"])
    assert len(loads) == 2
    assert Texts(never, kept).classes(ANIMALS).tobytes() == vectors.tobytes()


def test_an_encoder_gives_the_same_labels_with_and_without_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    state = packed_state(SPEAKING, SPOKEN)
    path = save_packed(tmp_path / "speaking.safetensors", state, model=SPEAKING)
    encoder = ImageBindEncoder(weights=str(path), device="cpu", precision="fp32")
    with encoder.open(["imu"], text=True) as opened:
        plain = class_vectors(opened.text, ANIMALS)
        assert opened.kept is not None
        assert opened.kept.find(ANIMALS) is None
        cold = opened.class_vectors(ANIMALS)
        assert opened.kept.find(ANIMALS) is not None
    with encoder.open(["imu"], text=True) as opened:
        warm = opened.class_vectors(ANIMALS)
    assert plain.tobytes() == cold.tobytes() == warm.tobytes()
    with encoder.open(["imu"], text=False) as opened:
        with pytest.raises(ValueError, match="expected to be opened with text=True"):
            opened.text(["a dog"])
