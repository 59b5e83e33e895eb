"""Stage 1: the vision and the text tower learn together from pictures and their captions."""

import numpy as np

from encoders.binding import augment
from encoders.binding.accumulate import accumulate
from encoders.binding.cache import Cache
from encoders.binding.captions import Captions
from encoders.binding.draws import Batches, generator
from encoders.binding.encode import Arithmetic
from encoders.binding.fit import Outcome, Task, accuracy
from encoders.binding.inputs import MARGIN
from encoders.binding.loss import symmetric_info_nce
from encoders.binding.recipe import Recipe, left_out_at
from encoders.imagebind.model import ImageBindModel

HELD_OUT = 1024  # pictures at most, for the score


def captioned(
    model: ImageBindModel,
    cache: Cache,
    captions: Captions,
    held_out: Cache,
    recipe: Recipe,
    seed: int,
    arithmetic: Arithmetic,
) -> Task:
    """One caption is drawn for each picture of a batch.

    Captions of other pictures that describe a picture as well are not its negatives
    (`Captions.same`). A tower whose parameters want no gradient stays as it is.
    """
    rows = cache.rows["vision"]
    rows = rows[captions.counts[rows] > 0]
    batches = Batches(len(rows), recipe.batch, seed)
    pictures = cache.arrays["vision"]
    noise = augment.Noise.of(seed, 4 * int(np.prod(pictures.shape[1:])))
    own = Captions(held_out.captions, model.config.context_length, captions.vocabulary)

    def backward(step: int) -> Outcome:
        rng = generator(seed, 2, step)
        moments = rows[batches[step]]
        drawn = captions.draw(moments, rng)
        squares = augment.crop(pictures[moments], rng.integers(0, MARGIN + 1, len(moments)))
        images = augment.colours(squares, rng, noise)
        kept = augment.patches(len(moments), model.config, "vision", left_out_at(step, recipe), rng)
        tokens = captions.tokens(drawn)
        if recipe.words_left_out:
            tokens = augment.words(tokens, recipe.words_left_out, rng)
        same = captions.same(moments, drawn).to(arithmetic.device)
        loss, a, b = accumulate(
            lambda part: arithmetic.unit_vectors(
                model, "vision", images[part], None if kept is None else kept[part]
            ),
            lambda part: arithmetic.unit_vectors(model, "text", tokens[part]),
            recipe.parts,
            lambda a, b: symmetric_info_nce(a, b, recipe.temperature, same),
        )
        return Outcome(float(loss), accuracy(a, b, same))

    def score() -> float:
        rows = held_out.rows["vision"]
        rows = rows[own.counts[rows] > 0][:HELD_OUT]
        scores: list[float] = []
        for moments in np.split(rows, range(recipe.batch, len(rows), recipe.batch)):
            squares = augment.crop(
                held_out.arrays["vision"][moments], augment.middles(len(moments))
            )
            drawn = own.of[moments, 0]
            a = arithmetic.unit_vectors(model, "vision", augment.plain(squares))
            b = arithmetic.unit_vectors(model, "text", own.tokens(drawn))
            scores.append(accuracy(a, b, own.same(moments, drawn).to(a.device)))
        return float(np.mean(scores))

    return Task(model, backward, score)
