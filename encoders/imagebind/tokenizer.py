"""CLIP's byte-pair tokenizer, on the `tokenizers` library.

The vocabulary is data (`encoders/assets`, MIT, see CLIP-LICENSE there): one merge a line, in order
of rank. Token ids follow from it: 256 bytes, the same 256 as the end of a word, one per merge, then
start-of-text and end-of-text.
"""

import gzip
import html
from collections.abc import Sequence
from importlib.resources import files
from itertools import islice

import ftfy
import torch
from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as Pieces
from torch import Tensor

START, END = 49406, 49407
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
# The file lists more merges than CLIP was trained with.
MERGES = START - 2 * 256
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# Cleaning is slow on a long text, and 77 tokens of words never reach this far into one.
LONGEST_TEXT = 8192


class Tokenizer:
    """Texts to token ids. Built once (about 0.1 s); a call has no state and starts no thread."""

    def __init__(self, context: int = 77) -> None:
        self._context = context
        self._pieces = _pieces()

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Token ids int64 (len(texts), context): start, text, end, then zeros.

        A text that is too long loses its tail, never the end-of-text token, where the model reads
        its answer. `<|endoftext|>` spelled out in a text becomes that token, as in CLIP, and what
        follows it is not read. Only the first 8192 characters of a text are looked at.
        """
        ids = torch.zeros((len(texts), self._context), dtype=torch.int64)
        for row, text in zip(ids, texts, strict=True):
            tokens = self._pieces.encode(clean(text)).ids[: self._context - 2]
            row[: len(tokens) + 2] = torch.tensor([START, *tokens, END])
        return ids


def clean(text: str) -> str:
    """Mended Unicode, HTML entities resolved twice (as CLIP does), single spaces, lower case."""
    mended = html.unescape(html.unescape(ftfy.fix_text(text[:LONGEST_TEXT])))
    return " ".join(mended.split()).lower()


def _pieces() -> Pieces:
    merges = _merges()
    letters = _byte_letters()
    words = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges)]
    vocabulary = {word: number for number, word in enumerate(words)}
    vocabulary |= {"<|startoftext|>": START, "<|endoftext|>": END}
    pieces = Pieces(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    pieces.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    return pieces


def _merges() -> list[tuple[str, str]]:
    path = files("encoders") / "assets" / VOCABULARY
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as lines:
        # The first line is a version.
        pairs = [line.split() for line in islice(lines, 1, MERGES + 1)]
    return [(left, right) for left, right in pairs]


def _byte_letters() -> list[str]:
    """A printable letter for each byte, in CLIP's order: printable bytes first, as themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(code) for code in (*printable, *(256 + i for i in range(len(others))))]
