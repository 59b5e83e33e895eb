"""The compact vocabulary, captions by number, and texts that are cut."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.binding.captions import Captions
from encoders.binding.vocabulary import vocabulary
from encoders.imagebind.tokenizer import END, START, Tokenizer
from tests.tiny import tiny_model

WORDS = st.lists(
    st.sampled_from(["a", "red", "dog", "barks", "at", "the", "big", "blue", "ball"]), max_size=12
)
TEXTS = st.lists(WORDS.map(" ".join), min_size=1, max_size=5)


@settings(max_examples=10, deadline=None)  # a tokenizer takes 0.1 s to build
@given(TEXTS)
def test_compact_ids_keep_words_and_order(texts: list[str]) -> None:
    known = vocabulary(texts, 16)
    tokens = Tokenizer(16)(texts)
    compact = known.compact(tokens)
    assert torch.equal(known.clip(compact), tokens)
    assert torch.equal(compact.argmax(dim=1), tokens.argmax(dim=1))
    assert int(compact.max()) == len(known) - 1
    assert known.ids.tolist() == sorted({*tokens.flatten().tolist(), 0, START, END})


def test_a_word_that_is_not_known_is_refused() -> None:
    known = vocabulary(["a red ball"], 16)
    with pytest.raises(ValueError, match="expected token ids of this vocabulary"):
        known.compact(Tokenizer(16)(["a green ball"]))


def test_a_cut_text_has_the_same_vector() -> None:
    """The text tower is causal: float64, so that nothing hides in rounding."""
    model = tiny_model("text", dtype=torch.float64)
    last = model.config.vocab_size - 1
    tokens = torch.tensor([[5, 9, last, 0, 0, 0, 0, 0, 0], [7, last, 0, 0, 0, 0, 0, 0, 0]])
    with torch.no_grad():
        whole, cut = model.pooled("text", tokens), model.pooled("text", tokens[:, :3])
    assert whole.shape == (2, model.config.out_embed_dim)
    torch.testing.assert_close(cut, whole, rtol=1e-12, atol=1e-13)


def test_public_calls_still_want_whole_texts() -> None:
    with pytest.raises(ValueError, match="expected"):
        tiny_model("text").embed("text", torch.tensor([[5, 59]]))


def test_tokens_are_cut_to_the_longest_of_the_batch() -> None:
    captions = Captions([("ball",), ("a big blue ball",)], 16)
    short, long = captions.of[0, 0], captions.of[1, 0]
    assert captions.tokens(np.array([short])).shape == (1, 3)
    assert captions.tokens(np.array([short, long])).shape == (2, 6)
    words = captions.vocabulary.clip(captions.tokens(np.array([long])))
    assert torch.equal(words, Tokenizer(16)(["a big blue ball"])[:, :6])


def test_captions_that_fit_another_picture_are_no_negatives() -> None:
    texts = [("a dog", "a dog barks"), ("a dog",), ("a ball",), ("a ball",)]
    captions = Captions(texts, 16)
    moments = np.arange(4)
    drawn = np.array([captions.of[0, 1], captions.of[1, 0], captions.of[2, 0], captions.of[3, 0]])
    # Moment 0 drew "a dog barks", which is not said of moment 1, but 1's "a dog" is said of 0.
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = True
    assert torch.equal(captions.same(moments, drawn), expected)


def test_each_caption_of_a_moment_is_drawn_and_no_other() -> None:
    captions = Captions([("a dog", "a dog barks", "dog"), ("a ball",)], 16)
    rng = np.random.default_rng(0)
    drawn = np.array([captions.draw(np.array([0, 1]), rng) for _ in range(100)])
    assert set(drawn[:, 0]) == set(captions.of[0])
    assert set(drawn[:, 1]) == {captions.of[1, 0]}


def test_held_out_captions_of_unknown_words_are_left_out() -> None:
    known = Captions([("a dog",)], 16).vocabulary
    held_out = Captions([("a dog", "a hound"), ("a hound",)], 16, known)
    assert held_out.counts.tolist() == [1, 0]
