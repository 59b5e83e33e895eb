"""The vectors of a label set, kept in the cache folder, so that the text tower is needed once.

An entry is of one model, in one precision, and one label set with its templates. It holds what
`zeroshot.class_vectors` gave, bit for bit. The device is not part of it: a workstation makes the
entries of a robot, and two processors differ by rounding.
"""

import hashlib
import json
import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from encoders.cache_folder import CacheFolder
from encoders.zeroshot import LabelSet, TextFn, class_vectors

log = logging.getLogger(__name__)

# To be raised when the same text comes to give another vector: a tokenizer mended, say.
_MADE_BY = 1
_HEADER = 4096  # bytes: several times what the description of two tensors takes


@dataclass(frozen=True, slots=True)
class LabelVectors:
    """The entries of one model. `precision` is the type its numbers are used in, `dim` is D."""

    cache: CacheFolder
    model_hash: str
    precision: str
    dim: int

    def of(self, text: TextFn, label_set: LabelSet) -> NDArray[np.float32]:
        """Unit vectors float32 (K, D), as `zeroshot.class_vectors(text, label_set)` gives them.

        `text` is called only when there is no entry, or a damaged one.
        """
        if (known := self.find(label_set)) is not None:
            log.info("label set %s: vectors from %s", label_set.name, self.cache.path)
            return known
        count, prompts = len(label_set.labels), len(label_set.labels) * len(label_set.templates)
        log.info("label set %s: %d labels, %d prompts to encode", label_set.name, count, prompts)
        vectors = class_vectors(text, label_set)
        self.cache.write(self.name(label_set), _pack(vectors, self._key(label_set)))
        return vectors

    def find(self, label_set: LabelSet) -> NDArray[np.float32] | None:
        """The vectors that are there. A damaged entry is told of and passes for none."""
        shape = (len(label_set.labels), self.dim)
        name = self.name(label_set)
        data = self.cache.read(name, 4 * shape[0] * shape[1] + _HEADER)
        if data is None:
            return None
        try:
            return _unpack(data, shape, self._key(label_set))
        except ValueError as error:
            log.warning("%s: %s; made again", self.cache.path / name, error)
            return None

    def name(self, label_set: LabelSet) -> str:
        """The entry's name in the cache folder."""
        return f"labels/{self.model_hash[:16]}-{label_set.hash}-{self.precision}.safetensors"

    def _key(self, label_set: LabelSet) -> bytes:
        """All that the vectors depend on, in full: the name has room for a part."""
        of = [_MADE_BY, self.model_hash, self.precision, label_set.labels, label_set.templates]
        return json.dumps(of).encode()


def _pack(vectors: NDArray[np.float32], key: bytes) -> bytes:
    return save({"vectors": vectors, "check": _check(vectors, key)})


def _unpack(data: bytes, shape: tuple[int, int], key: bytes) -> NDArray[np.float32]:
    """Raises ValueError unless these are the very vectors that were packed under `key`."""
    try:
        entry = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected a safetensors file, got: {str(error)[:200]!r}") from None
    vectors, check = entry.get("vectors"), entry.get("check")
    if vectors is None or vectors.dtype != np.float32 or vectors.shape != shape:
        raise ValueError(f"expected float32 vectors {shape}, got {_described(vectors)}")
    if check is None or not np.array_equal(check, _check(vectors, key)):
        raise ValueError("damaged, or of another model or label set")
    return vectors


def _check(vectors: NDArray[np.float32], key: bytes) -> NDArray[np.uint8]:
    """32 bytes that tie the vectors to what they are of."""
    digest = hashlib.sha256(key)
    digest.update(np.ascontiguousarray(vectors).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _described(vectors: NDArray[np.float32] | None) -> str:
    return "none" if vectors is None else f"{vectors.dtype} {vectors.shape}"
