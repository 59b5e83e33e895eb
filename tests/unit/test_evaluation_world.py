"""What the command evaluates on: splits of the world, as they travel between processes."""

import numpy as np

from configs.evaluation import split, world_concepts, world_labels
from encoders.binding.evaluate.baselines import measure
from encoders.binding.evaluate.parallel import EveryOther
from encoders.binding.evaluate.rendered import rendered
from streamer.types import pixels


def test_labels_are_the_concepts_in_their_order() -> None:
    assert world_labels().labels == world_concepts().names


def test_every_concept_has_a_look_and_as_many_paraphrases() -> None:
    concepts = world_concepts()
    assert concepts.bound("vision") == tuple(range(len(concepts.names)))
    assert len({len(wordings) for wordings in concepts.paraphrases.values()}) == 1


def test_held_out_is_half_and_half_and_the_others_are_of_one() -> None:
    def numbers(which: str) -> list[int]:
        moments = split("held out" if which == "held out" else "calibration", 3, 8)
        assert len(moments) == 8
        present = [moments[i].present for i in range(8)]
        return [len({name for names in each.values() for name in names}) for each in present]

    held_out = numbers("held out")
    assert held_out[::2] == [1] * 4
    assert all(number in (2, 3) for number in held_out[1::2])
    assert numbers("calibration") == [1] * 8


def test_splits_and_seeds_share_no_picture() -> None:
    firsts = [split("held out", 0, 2), split("held out", 1, 2), split("calibration", 0, 1)]
    pictures = [pixels(moments[0].windows["vision"].samples[0]) for moments in firsts]
    for i in range(3):
        for j in range(i):
            assert not np.array_equal(pictures[i], pictures[j])


def test_every_other_moment_of_a_set() -> None:
    moments = split("held out", 0, 5)
    assert len(EveryOther(moments)) == 3
    for i in range(3):
        assert EveryOther(moments)[i].captions == moments[2 * i].captions


def test_what_travels_is_the_moment() -> None:
    moments = split("held out", 0, 2)
    before, after = moments[1], rendered(moments[1]).moment()
    assert before.captions == after.captions
    assert before.present == after.present
    assert before.windows.keys() == after.windows.keys()
    for modality, window in before.windows.items():
        same = after.windows[modality]
        assert (same.stream, same.modality, same.span) == (window.stream, modality, window.span)
        assert same.quality.coverage == window.quality.coverage
        assert len(same.samples) == len(window.samples)
    for modality, features in measure(before).features.items():
        for name, value in features.items():
            assert np.array_equal(measure(after).features[modality][name], value)
