"""Whole trainings of a tiny model, with real kills."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from encoders.binding import fit
from encoders.binding.base import Base
from encoders.binding.bound import as_live
from encoders.binding.cache import cached
from encoders.binding.export import finished
from encoders.imagebind.checkpoint import load_towers
from encoders.imagebind.config import ModelConfig
from encoders.imagebind.model import ImageBindModel
from encoders.imagebind.tokenizer import Tokenizer
from encoders.imagebind.weights import random_weights
from streamer.errors import ConfigError
from tests.needs import ROOT
from tests.toy import SIZES, Toys, captions
from tests.toy_training import Quiet, training

SMALL = ModelConfig(**SIZES)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_tiny_model_learns_its_pairs_by_heart_and_survives_its_file(tmp_path: Path) -> None:
    run = training(tmp_path / "out", tmp_path / "cache", ["vision"], steps=160)
    watch = Quiet()
    weights = run.run(["vision"], watch)
    assert run.report()["stages"]["vision"]["held_out"] == 1.0
    assert watch.last["vision"].step == 160
    # 32 pictures and their captions out of the file, in half precision and CLIP's own words.
    with safe_open(weights, framework="pt") as file:
        sizes = json.loads(file.metadata()["model"])
        ids = file.get_tensor("modality_preprocessors.text.token_embedding.ids")
        trained = file.get_tensor("modality_preprocessors.text.token_embedding.weight")
    assert sizes == SMALL.model_dump(mode="json")
    assert (ids.dtype, trained.dtype, len(ids)) == (torch.int32, torch.float16, len(trained))
    assert bool((ids[1:] > ids[:-1]).all())
    with torch.device("meta"):
        model = ImageBindModel(["vision", "text"], **sizes).eval()
    load_towers(model, weights)
    cache = cached(tmp_path / "cache", Toys(), "held_out toys", SMALL)
    pictures = model.embed("vision", as_live("vision", cache.arrays["vision"][:]))
    texts = model.embed("text", Tokenizer()([captions(kind)[0] for kind in range(32)]))
    assert (pictures @ texts.T).argmax(dim=1).tolist() == list(range(32))


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    stages = ["vision", "imu"]
    for name in ("whole", "killed"):
        command = [sys.executable, "-m", "tests.toy_training", tmp_path / name, tmp_path / "cache"]
        if name == "killed":
            for stage in stages:
                with subprocess.Popen(
                    [*command, *stages], cwd=ROOT, stdout=subprocess.PIPE, text=True
                ) as process:
                    assert process.stdout is not None
                    assert f"{stage} 20\n" in iter(process.stdout.readline, "")
                    process.send_signal(signal.SIGKILL)
                assert process.returncode == -signal.SIGKILL
                assert finished(tmp_path / name / stage / "done.safetensors") is None
                assert (tmp_path / name / stage / "last.pt").exists()
        subprocess.run([*command, *stages], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    for stage in stages:
        whole, killed = (tmp_path / n / stage / "done.safetensors" for n in ("whole", "killed"))
        with safe_open(whole, framework="pt") as a, safe_open(killed, framework="pt") as b:
            names = list(a.keys())
            assert names == list(b.keys())
            assert all(torch.equal(a.get_tensor(n), b.get_tensor(n)) for n in names)
    # Two processes rendered these; one alone renders the same.
    theirs = cached(tmp_path / "cache", Toys(96, silence=True), "pairs toys", SMALL)
    ours = cached(tmp_path / "alone", Toys(96, silence=True), "pairs toys", SMALL)
    for modality, array in ours.arrays.items():
        rows = ours.rows[modality]
        assert np.array_equal(rows, theirs.rows[modality])
        assert np.array_equal(array[rows], theirs.arrays[modality][rows])


def test_stopping_keeps_everything_and_other_settings_are_refused(tmp_path: Path) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    with pytest.raises(fit.Interrupted):  # after the first chunk of the rendering
        training(out, cache, ["vision"], steps=8).run(["vision"], Quiet(), lambda: True)
    assert not (out / "vision").exists()
    cached(cache, Toys(64), "captioned toys", SMALL)
    cached(cache, Toys(), "held_out toys", SMALL)
    asked = iter([False] * 5 + [True])
    with pytest.raises(fit.Interrupted):
        training(out, cache, ["vision"], steps=8).run(["vision"], Quiet(), lambda: next(asked))
    kept = torch.load(out / "vision" / "last.pt", weights_only=True)
    assert kept["step"] == 5
    with pytest.raises(ConfigError, match=r"last\.pt: was made with other settings"):
        training(out, cache, ["vision"], steps=8, rate=1e-4).run(["vision"], Quiet())
    training(out, cache, ["vision"], steps=8).run(["vision"], Quiet())
    assert finished(out / "vision" / "done.safetensors") is not None


def test_a_tower_cannot_be_bound_to_nothing(tmp_path: Path) -> None:
    run = training(tmp_path / "out", tmp_path / "cache", ["vision", "imu"], steps=2)
    with pytest.raises(ConfigError, match="train vision first"):
        run.run(["imu"], Quiet())


@pytest.mark.parametrize("change", ["heads", "lora", "all"])
def test_a_trained_model_is_adapted_lightly(tmp_path: Path, change: str) -> None:
    weights = tmp_path / "base.safetensors"
    whole = ImageBindModel(**SIZES)
    random_weights(whole, 1)
    save_file(whole.state_dict(), weights)
    base = Base(weights, change)  # pyright: ignore[reportArgumentType]
    run = training(tmp_path / "out", tmp_path / "cache", ["depth"], steps=4, base=base)
    adapted = ImageBindModel(**SIZES)
    load_towers(adapted, run.run(["depth"], Quiet()))
    before, after = whole.state_dict(), adapted.state_dict()
    changed = {name for name in before if not torch.equal(before[name].half(), after[name].half())}
    parts = {
        "heads": ("modality_heads.depth",),
        "lora": ("modality_heads.depth", ".attn.in_proj_weight", ".attn.out_proj.weight"),
        "all": ("modality_preprocessors.depth", "modality_trunks.depth", "modality_heads.depth"),
    }[change]
    assert changed
    assert all(".depth." in name and any(part in name for part in parts) for name in changed)
    assert all(any(part in name for name in changed) for part in parts)


@pytest.mark.slow
def test_a_second_round_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    stages = ["vision", "imu"]
    first = training(tmp_path / "first", tmp_path / "cache", stages, steps=160)  # pyright: ignore[reportArgumentType]
    weights = first.run(["vision", "imu"], Quiet())
    scores: dict[str, list[float]] = {"new": [], "second": []}
    for name, start in (("new", None), ("second", weights)):
        run = training(
            tmp_path / name, tmp_path / "cache", stages, steps=2, rate=1e-5, start=start  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
        run.run(["vision", "imu"], Quiet())
        scores[name] = [each["held_out"] for each in run.report()["stages"].values()]
    assert min(scores["second"]) > 0.7, scores
    assert max(scores["new"]) < 0.3, scores
    # The words of the file that it came from are all there, in the same order.
    with (
        safe_open(weights, "pt") as a,
        safe_open(tmp_path / "second/weights.safetensors", "pt") as b,
    ):
        ids = "modality_preprocessors.text.token_embedding.ids"
        assert torch.equal(a.get_tensor(ids), b.get_tensor(ids))


def test_text_goes_on_alone_against_a_locked_image_tower(tmp_path: Path) -> None:
    first = training(tmp_path / "first", tmp_path / "cache", ["vision", "imu"], steps=8)
    weights = first.run(["vision", "imu"], Quiet())
    run = training(
        tmp_path / "text", tmp_path / "cache", ["vision"], steps=8, start=weights, locked_image=True
    )
    with safe_open(weights, "pt") as a, safe_open(run.run(["vision"], Quiet()), "pt") as b:
        names = set(a.keys())
        assert names == set(b.keys()), "the towers without a recipe are there too"
        changed = {n for n in names if not torch.equal(a.get_tensor(n), b.get_tensor(n))}
    assert run.complete
    assert changed
    assert all(".text." in name for name in changed)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_towers_bind_without_a_word_and_not_at_all_when_pairs_are_shuffled(tmp_path: Path) -> None:
    stages = ["vision", "audio", "depth", "thermal", "imu"]
    run = training(tmp_path / "out", tmp_path / "cache", stages, steps=500)  # pyright: ignore[reportArgumentType]
    run.run(["vision", "audio", "depth", "thermal", "imu"], Quiet())
    scores = {stage: each["held_out"] for stage, each in run.report()["stages"].items()}
    assert min(scores.values()) > 0.7, scores
    control = training(tmp_path / "control", tmp_path / "cache", ["imu"], steps=500, shuffle=True)
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "vision").symlink_to(tmp_path / "out" / "vision")
    control.run(["imu"], Quiet())
    assert control.report()["stages"]["imu"]["held_out"] < 0.2  # chance is 1/32
