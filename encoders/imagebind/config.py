"""The numbers that fix the shape of an ImageBind model. Defaults are imagebind_huge."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Tower: TypeAlias = Literal["vision", "text", "audio", "depth", "thermal", "imu"]
TOWERS: tuple[Tower, ...] = ("vision", "text", "audio", "depth", "thermal", "imu")

RGB = 3
IMU_AXES = 6

Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Rate: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class ModelConfig(BaseModel):
    """Sizes of the six towers, under the keywords of the published model.

    Sizes in pixels, mel bins, spectrogram columns, IMU readings or tokens. `kernel_size` is
    (frames, height, width) of one vision patch. A stem cuts as many whole patches as fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    out_embed_dim: Count = 1024

    image_size: Count = 224
    """Side of the square picture of vision, depth and thermal."""
    video_frames: Count = 2
    kernel_size: tuple[Count, Count, Count] = (2, 14, 14)
    vision_embed_dim: Count = 1280
    vision_num_blocks: Count = 32
    vision_num_heads: Count = 16

    vocab_size: Count = 49408
    context_length: Count = 77
    text_embed_dim: Count = 1024
    text_num_blocks: Count = 24
    text_num_heads: Count = 16

    audio_num_mel_bins: Count = 128
    audio_target_len: Count = 204
    audio_kernel_size: Count = 16
    audio_stride: Count = 10
    audio_embed_dim: Count = 768
    audio_num_blocks: Count = 12
    audio_num_heads: Count = 12
    audio_drop_path: Rate = 0.1

    depth_kernel_size: Count = 16
    depth_embed_dim: Count = 384
    depth_num_blocks: Count = 12
    depth_num_heads: Count = 8

    thermal_kernel_size: Count = 16
    thermal_embed_dim: Count = 768
    thermal_num_blocks: Count = 12
    thermal_num_heads: Count = 12

    imu_steps: Count = 2000
    imu_kernel_size: Count = 8
    imu_embed_dim: Count = 512
    imu_num_blocks: Count = 6
    imu_num_heads: Count = 8
    imu_drop_path: Rate = 0.7

    @model_validator(mode="after")
    def _sizes_fit(self) -> "ModelConfig":
        for tower in TOWERS:
            width, heads = self.width(tower), self.num_heads(tower)
            if width % heads:
                raise ValueError(f"{tower}_embed_dim: expected a multiple of {heads}, got {width}")
            if tower != "text" and min(self.grid(tower)) < 1:
                shape = self.item_shapes(tower)[-1]
                raise ValueError(f"{tower}: an input of shape {shape} holds no whole patch")
        return self

    def width(self, tower: Tower) -> int:
        return int(getattr(self, f"{tower}_embed_dim"))

    def num_blocks(self, tower: Tower) -> int:
        return int(getattr(self, f"{tower}_num_blocks"))

    def num_heads(self, tower: Tower) -> int:
        return int(getattr(self, f"{tower}_num_heads"))

    def drop_path(self, tower: Tower) -> float:
        """Stochastic depth of the last block in training; the first block's is 0."""
        return {"audio": self.audio_drop_path, "imu": self.imu_drop_path}.get(tower, 0.0)

    def grid(self, tower: Tower) -> tuple[int, ...]:
        """How many patches along each axis of the input. Text has no patches."""
        side = self.image_size
        match tower:
            case "vision":
                frames, height, width = self.kernel_size
                return self.video_frames // frames, side // height, side // width
            case "audio":
                sizes = (self.audio_num_mel_bins, self.audio_target_len)
                return tuple((n - self.audio_kernel_size) // self.audio_stride + 1 for n in sizes)
            case "depth":
                return (side // self.depth_kernel_size,) * 2
            case "thermal":
                return (side // self.thermal_kernel_size,) * 2
            case "imu":
                return (self.imu_steps // self.imu_kernel_size,)
            case "text":
                return ()

    def item_shapes(self, tower: Tower) -> tuple[tuple[int, ...], ...]:
        """The shapes one input may have, without the batch axis; only vision has two.

        Vision: a still picture, then a video clip.
        """
        side = self.image_size
        match tower:
            case "vision":
                return (RGB, side, side), (RGB, self.video_frames, side, side)
            case "text":
                return ((self.context_length,),)
            case "audio":
                return ((1, self.audio_num_mel_bins, self.audio_target_len),)
            case "depth" | "thermal":
                return ((1, side, side),)
            case "imu":
                return ((IMU_AXES, self.imu_steps),)
