"""All captions of a data set as token ids, and which of them fit the same moment."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from encoders.binding.vocabulary import Vocabulary, vocabulary
from encoders.imagebind.tokenizer import Tokenizer


class Captions:
    """`of` int64 (n, k): the numbers of each moment's captions, -1 where it has fewer.

    Equal texts have one number, so that numbers can be compared instead of texts. `known` is the
    vocabulary of training for captions of held-out data; captions with other words are left out.
    """

    def __init__(
        self, texts: Sequence[Sequence[str]], context: int, known: Vocabulary | None = None
    ) -> None:
        tokenizer = Tokenizer(context)
        if known is not None:
            texts = [_readable(each, known, tokenizer) for each in texts]
        distinct = sorted({text for each in texts for text in each})
        number = {text: i for i, text in enumerate(distinct)}
        self.distinct: tuple[str, ...] = tuple(distinct)
        self.counts = np.array([len(each) for each in texts], np.int64)
        self.of = np.full((len(texts), max(1, self.counts.max(initial=0))), -1, np.int64)
        for row, each in zip(self.of, texts, strict=True):
            row[: len(each)] = [number[text] for text in each]
        self.vocabulary: Vocabulary = known or vocabulary(distinct, context)
        tokens = tokenizer(distinct)
        self._lengths = tokens.argmax(dim=1) + 1
        self._tokens = self.vocabulary.compact(tokens)

    def draw(self, moments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One caption's number for each of `moments`."""
        pick = (rng.random(len(moments)) * self.counts[moments]).astype(np.int64)
        return self.of[moments, pick]

    def tokens(self, numbers: np.ndarray) -> Tensor:
        """Compact token ids (len(numbers), longest), cut to the longest of these captions."""
        which = torch.from_numpy(numbers)
        return self._tokens[which, : int(self._lengths[which].max())]

    def same(self, moments: np.ndarray, drawn: np.ndarray) -> Tensor:
        """bool (B, B): pairs of a batch that must not count as negatives.

        The caption drawn for one describes the other as well: it is among the other's captions.
        The rule needs no label. The diagonal is false.
        """
        fits = (self.of[moments][:, :, None] == drawn[None, None, :]).any(axis=1)
        alike = torch.from_numpy(fits | fits.T)
        return alike.fill_diagonal_(False)


def _readable(texts: Sequence[str], known: Vocabulary, tokenizer: Tokenizer) -> list[str]:
    tokens = tokenizer(texts).numpy()
    return [text for text, row in zip(texts, tokens, strict=True) if np.isin(row, known.ids).all()]
