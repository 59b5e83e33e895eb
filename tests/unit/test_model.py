"""What goes into the towers and what comes out."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from encoders.imagebind.config import TOWERS, ModelConfig, Tower
from encoders.imagebind.model import ImageBindModel
from streamer.errors import EncoderFailed
from tests.tiny import TINY, inputs, tiny_model

MODEL = tiny_model()
LENGTHS: dict[Tower, float] = {
    "vision": 1, "text": 1 / 0.07, "audio": 20, "depth": 5, "thermal": 10, "imu": 5,
}  # fmt: skip


@pytest.mark.parametrize("tower", TOWERS)
def test_vectors_have_the_length_of_their_modality_and_embed_makes_them_unit(tower: Tower):
    x = inputs(tower, 3)
    with torch.no_grad():
        vectors = MODEL({tower: x})[tower]
    assert vectors.shape == (3, 16)
    assert torch.allclose(vectors.norm(dim=-1), torch.tensor(float(LENGTHS[tower])))
    unit = MODEL.embed(tower, x)
    assert torch.allclose(unit, vectors / LENGTHS[tower], atol=1e-6)


@pytest.mark.parametrize("tower", TOWERS)
def test_clips_are_averaged(tower: Tower):
    x = inputs(tower, 2, 3)
    with torch.no_grad():
        averaged = MODEL({tower: x})[tower]
        singly = torch.stack([MODEL({tower: x[:, i]})[tower] for i in range(3)])
    assert torch.allclose(averaged, singly.mean(0), atol=1e-5)
    assert torch.allclose(MODEL.embed(tower, x).norm(dim=-1), torch.ones(2))


def test_a_still_picture_is_a_video_that_does_not_move():
    picture = inputs("vision", 2)
    video = torch.stack([picture, picture], dim=2)
    assert torch.equal(MODEL.embed("vision", picture), MODEL.embed("vision", video))
    video[:, :, 1] += 1
    assert not torch.allclose(MODEL.embed("vision", picture), MODEL.embed("vision", video))


def test_video_without_an_axis_of_clips_is_refused_where_channels_would_pass_for_clips():
    video = torch.zeros(2, 3, 2, 32, 32)
    with pytest.raises(ValueError, match=r"video as \(B, clips, 3, 2, 32, 32\), got \(2, 3, 2, 32"):
        MODEL({"vision": video})
    with torch.no_grad():
        assert MODEL({"vision": video.unsqueeze(1)})["vision"].shape == (2, 16)


@pytest.mark.parametrize(
    ("tower", "x", "message"),
    [
        ("audio", torch.zeros(2, 1, 32, 45), r"audio: expected \(B, 1, 32, 46\) or .* got \(2, 1,"),
        ("imu", torch.zeros(6, 40), r"imu: expected \(B, 6, 40\)"),
        ("depth", torch.zeros(1, 3, 32, 32), r"depth: expected \(B, 1, 32, 32\)"),
        ("vision", torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "expected floating point"),
        ("text", torch.zeros(1, 9), "text: expected integer token ids, got torch.float32"),
        ("text", torch.full((1, 9), 60), "expected token ids of 0 to 59, got 60 to 60"),
        ("text", torch.full((1, 9), -1), "expected token ids of 0 to 59, got -1 to -1"),
    ],
)
def test_a_wrong_input_is_one_clear_error(tower: Tower, x: torch.Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        MODEL.embed(tower, x)


@given(
    tower=st.sampled_from(("vision", "audio", "thermal", "imu")),
    leading=st.lists(st.integers(0, 3), max_size=4),
    last=st.sampled_from(((32, 32), (32, 46), (6, 40), (2, 32, 32), (46, 32))),
)
def test_any_shape_gives_one_vector_an_input_or_a_value_error(
    tower: Tower, leading: list[int], last: tuple[int, ...]
):
    x = torch.ones(*leading, *last)
    try:
        with torch.no_grad():
            vectors = MODEL({tower: x})[tower]
    except ValueError as error:
        assert str(tuple(x.shape)) in str(error)  # noqa: PT017
    else:
        assert vectors.shape == (x.shape[0], 16)


def test_a_tower_that_was_not_built_is_an_error():
    with pytest.raises(ValueError, match=r"text: expected one of the towers \('audio',\)"):
        tiny_model("audio").embed("text", inputs("text", 1))


def test_numbers_that_are_not_finite_are_an_encoder_failure():
    x = inputs("audio", 2)
    x[1, 0, 3, 3] = float("nan")
    with pytest.raises(EncoderFailed, match="audio: expected finite numbers"):
        MODEL.embed("audio", x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tower", TOWERS)
def test_half_precision_agrees_with_float32(tower: Tower, dtype: torch.dtype):
    half = tiny_model(tower, dtype=dtype)
    x = inputs(tower, 4)
    vectors = half.embed(tower, x)
    assert vectors.dtype == torch.float32
    assert (vectors * MODEL.embed(tower, x)).sum(-1).min() > 0.999
    with torch.no_grad():
        lengths = half({tower: x})[tower].norm(dim=-1)
    assert torch.allclose(lengths, torch.tensor(float(LENGTHS[tower])), rtol=1e-5)


def test_the_learned_scale_of_text_stops_at_100():
    model = tiny_model("text")
    model.load_state_dict(
        {"modality_postprocessors.text.1.log_logit_scale": torch.tensor(9.0)}, strict=False
    )
    with torch.no_grad():
        vectors = model({"text": inputs("text", 1)})["text"]
    assert vectors.norm() == pytest.approx(100)
    learned = {name for name, _ in model.named_parameters() if "scale" in name}
    assert learned == {"modality_postprocessors.text.1.log_logit_scale"}
    assert not [name for name, _ in tiny_model("audio").named_parameters() if "scale" in name]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"audio_depth": 3}, "Extra inputs are not permitted"),
        ({"imu_embed_dim": 30}, "imu_embed_dim: expected a multiple of 8, got 30"),
        ({"audio_target_len": 9}, r"audio: an input of shape \(1, 128, 9\) holds no whole patch"),
        ({"vision_num_blocks": 0}, "greater than or equal to 1"),
    ],
)
def test_an_impossible_configuration_is_refused(config: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        ImageBindModel(**config)


def test_modalities_choose_towers_in_one_order():
    assert tiny_model("imu", "vision").modalities == ("vision", "imu")
    with pytest.raises(ValueError, match="modalities: expected some of"):
        ImageBindModel([], **TINY)
    assert ModelConfig(**TINY) == MODEL.config
