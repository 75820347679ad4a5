"""Several looks of one network at one picture, logits averaged: steadier, at the price of a pass each."""

from typing import Literal, assert_never

from torch import Tensor
from torch.nn.functional import interpolate

Look = Literal["whole", "mirror", "middle"]
WHOLE: tuple[Look, ...] = ("whole",)

# Of each side that `middle` leaves out: what is far away lies in the middle of a street.
MARGIN = 1 / 16


def taken(pixels: Tensor, look: Look) -> Tensor:
    """[N,H,W,3] in, the same size out."""
    match look:
        case "whole":
            return pixels
        case "mirror":
            return pixels.flip(2)
        case "middle":
            return _middle(pixels)
        case _:
            assert_never(look)


def _middle(pixels: Tensor) -> Tensor:
    height, width = pixels.shape[1:3]
    top, left = round(height * MARGIN), round(width * MARGIN)
    planes = pixels[:, top : height - top, left : width - left].permute(0, 3, 1, 2).float()
    return interpolate(planes, size=(height, width), mode="bilinear").permute(0, 2, 3, 1)
