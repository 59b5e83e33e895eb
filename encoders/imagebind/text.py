"""Texts to vectors, with a text tower that is there only while it is needed."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from encoders.imagebind.model import ImageBindModel
from encoders.label_vectors import LabelVectors
from encoders.zeroshot import LabelSet, class_vectors

if TYPE_CHECKING:
    from encoders.imagebind.tokenizer import Tokenizer


class Texts:
    """`load` gives a model that has the text tower; it is called when a text has to be encoded.

    `kept`, where given, are the label vectors of earlier runs.
    """

    def __init__(self, load: Callable[[], ImageBindModel], kept: LabelVectors | None) -> None:
        self.kept = kept
        self._load = load
        self._tower: tuple[ImageBindModel, Tokenizer] | None = None

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (len(prompts), dim). The first call loads the tower, which then stays."""
        if self._tower is None:
            # With its libraries and vocabulary it takes 40 MB, most of it for good.
            from encoders.imagebind.tokenizer import Tokenizer

            model = self._load()
            self._tower = model, Tokenizer(model.config.context_length)
        model, tokenizer = self._tower
        return model.embed("text", tokenizer(prompts)).cpu().numpy()

    def classes(self, label_set: LabelSet) -> NDArray[np.float32]:
        """As `zeroshot.class_vectors`. A tower that was loaded for it alone is let go of again."""
        before = self._tower
        try:
            if self.kept is None:
                return class_vectors(self.encode, label_set)
            return self.kept.of(self.encode, label_set)
        finally:
            self._tower = before
