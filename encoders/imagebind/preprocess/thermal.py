"""Thermal pictures, white-hot, for the thermal tower or, on request, the vision tower."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator
from torch import Tensor

from encoders.imagebind.preprocess.pictures import normalise, resize_crop, tensor
from streamer.errors import EncoderFailed


class ThermalInput(BaseModel):
    """How temperature becomes brightness, and which tower sees it.

    `coldest_c` is black and `hottest_c` white, the same in every frame: a stretch per frame would
    make a passing car darken the street behind it. The tower's stem divides gain out (a bias-free
    convolution, then LayerNorm) but not an offset, so black at a stable temperature matters more
    than contrast. 0..40 degrees Celsius spans what people live in: a room lies in the middle, skin
    near 0.8, engines and flames are white, as in the 8-bit pictures of the training data. For a
    place of steady climate, `coldest_c` a little below the usual surroundings comes nearest to
    those pictures, whose background is almost black. Cameras that give only an 8-bit picture are
    taken as they are.

    `tower: vision` sends the picture, grey as RGB, through the vision tower. Plain CLIP is better
    than the thermal tower on pedestrians at night (LLVIP: 82.2 against 63.4).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    coldest_c: FiniteFloat = 0.0
    hottest_c: FiniteFloat = 40.0
    tower: Literal["thermal", "vision"] = "thermal"

    @model_validator(mode="after")
    def _ordered(self) -> "ThermalInput":
        if not self.coldest_c < self.hottest_c:
            raise ValueError(
                f"coldest_c must be below hottest_c, got {self.coldest_c} and {self.hottest_c}"
            )
        return self


def image(
    picture: NDArray[Any],
    size: int = 224,
    options: ThermalInput | None = None,
    width: int | None = None,
) -> Tensor:
    """One thermal picture: (1, size, size) in 0..1, or (3, size, size) for the vision tower.

    `picture` is float32 (H, W) degrees Celsius, or uint8 (H, W) white-hot. NaN counts as
    coldest. `width` as in `pictures.resize_crop`.
    """
    options = options or ThermalInput()
    known = picture.dtype.kind == "f" or picture.dtype == np.uint8
    if not known or picture.ndim != 2 or picture.size == 0:
        got = f"{picture.dtype} {picture.shape}"
        raise EncoderFailed(f"thermal: expected float32 Celsius or uint8 (H, W), got {got}")
    if picture.dtype == np.uint8:
        grey = resize_crop(tensor(picture)[None], size, width).float().div_(255)
    else:
        span_c = options.hottest_c - options.coldest_c
        celsius = picture.astype(np.float32, copy=False)
        level = np.clip((celsius - options.coldest_c) / span_c, 0, 1)
        level[np.isnan(level)] = 0
        # Bicubic overshoots at edges; a picture never does.
        grey = resize_crop(tensor(level)[None], size, width).clamp_(0, 1)
    return grey if options.tower == "thermal" else normalise(grey.expand(3, -1, -1))
