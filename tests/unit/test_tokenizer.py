"""CLIP's tokens: 30 golden texts, and texts that mean harm."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.imagebind.tokenizer import END, START, Tokenizer, clean
from tests.needs import shared


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


def test_golden_texts(tokenizer: Tokenizer) -> None:
    golden = json.loads(shared("golden/tokens.json").read_text())
    assert len(golden) == 30
    ids = tokenizer([case["text"] for case in golden])
    assert ids.dtype == torch.int64
    for row, case in zip(ids.tolist(), golden, strict=True):
        assert row == case["ids"], case["text"]


# From CLIP's published examples and vocabulary; no recording is needed for these.
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A dog.", [320, 1929, 269]),
        ("  a\tPHOTO of\n a dog ", [320, 1125, 539, 320, 1929]),
        ("a&amp;nbsp;dog", [320, 1929]),
        ("", []),
        (" \n\t ", []),
        ("\x00\x01\x7f", []),
    ],
)
def test_known_texts(tokenizer: Tokenizer, text: str, tokens: list[int]) -> None:
    expected = [START, *tokens, END]
    assert tokenizer([text])[0].tolist() == expected + [0] * (77 - len(expected))


def test_entities_are_resolved_twice_even_beside_a_tag() -> None:
    # ftfy leaves entities alone where it sees a tag.
    assert clean("<b>&amp;lt;</b>  Bold") == "<b><</b> bold"


def test_no_texts_are_no_rows(tokenizer: Tokenizer) -> None:
    assert tokenizer([]).shape == (0, 77)


@pytest.mark.parametrize(
    "text", ["dog " * 25_000, "x" * 100_000, "&amp;" * 20_000, "e\u0301" * 50_000, "犬" * 100_000]
)
def test_a_long_text_is_cut_but_keeps_its_end(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer([text])[0]
    assert ids[0] == START
    assert ids[76] == END
    assert (ids[1:76] < START).all()
    assert (ids[1:76] > 0).all()


def test_a_long_text_begins_as_its_beginning(tokenizer: Tokenizer) -> None:
    words = "a robot drives past a red door " * 20
    assert torch.equal(tokenizer([words * 200]), tokenizer([words]))


def test_a_smaller_context(tokenizer: Tokenizer) -> None:
    assert Tokenizer(context=5)(["a photo of a dog"])[0].tolist() == [START, 320, 1125, 539, END]
    assert tokenizer(["a photo of a dog"])[0, :4].tolist() == [START, 320, 1125, 539]


def test_end_of_text_spelled_out_is_the_token_as_in_clip(tokenizer: Tokenizer) -> None:
    ids = tokenizer(["a dog<|endoftext|>a cat"])[0].tolist()
    assert ids[:7] == [START, 320, 1929, END, 320, 2368, END]


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(), max_size=300))
def test_any_text_has_one_start_one_last_end_and_zeros(tokenizer: Tokenizer, text: str) -> None:
    # `st.characters()` includes lone surrogates, which have no UTF-8.
    row = tokenizer([text])[0]
    length = int((row != 0).nonzero().max()) + 1
    assert row[0] == START
    assert row[length - 1] == END
    assert (row[length:] == 0).all()
    assert 0 <= int(row.min()) <= int(row.max()) <= END
    assert torch.equal(tokenizer(["first", text])[1], row)
