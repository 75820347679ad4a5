"""uint8 pixels to normalised patches, a row per token: those of class and register tokens are zeros."""

import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.launch import block, check


@triton.jit
def patches_kernel(
    pixels,
    scale,
    shift,
    out,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    PATCH: tl.constexpr,
    PREFIX: tl.constexpr,
    BLOCK: tl.constexpr,
):
    across: tl.constexpr = WIDTH // PATCH
    tokens: tl.constexpr = PREFIX + HEIGHT // PATCH * across
    size: tl.constexpr = PATCH * PATCH * 3
    token, image = tl.program_id(0), tl.program_id(1)
    place = tl.maximum(token - PREFIX, 0)
    # The order of a convolution's weights: channel, row, column.
    at = tl.arange(0, BLOCK)
    channel, row, column = at // (PATCH * PATCH), at // PATCH % PATCH, at % PATCH
    y, x = place // across * PATCH + row, place % across * PATCH + column
    inside = at < size
    seen = tl.load(pixels + ((image * HEIGHT + y) * WIDTH + x) * 3 + channel, mask=inside, other=0)
    value = seen.to(tl.float32) * tl.load(scale + channel, mask=inside, other=0.0)
    value += tl.load(shift + channel, mask=inside, other=0.0)
    value = tl.where(token < PREFIX, 0.0, value)
    tl.store(out + (image * tokens + token) * size + at, value.to(out.dtype.element_ty), mask=inside)


def patches(pixels: Tensor, scale: Tensor, shift: Tensor, patch: int, prefix: int, out: Tensor) -> Tensor:
    """uint8 [images, height, width, 3] to [images, prefix + patches, 3 * patch * patch]."""
    images, height, width, _ = pixels.shape
    tokens = prefix + (height // patch) * (width // patch)
    check(pixels, scale, shift, out, at=pixels)
    assert height % patch == width % patch == 0, f"{width}x{height} is no whole number of patches of {patch}"
    assert out.shape == (images, tokens, 3 * patch * patch)
    assert scale.shape == shift.shape == (3,)
    patches_kernel[(tokens, images)](
        pixels,
        scale,
        shift,
        out,
        HEIGHT=height,
        WIDTH=width,
        PATCH=patch,
        PREFIX=prefix,
        BLOCK=block(3 * patch * patch),
        num_warps=4,
    )
    return out


def twin(pixels: Tensor, scale: Tensor, shift: Tensor, patch: int, prefix: int) -> Tensor:
    images, height, width, _ = pixels.shape
    x = pixels.double() * scale.double() + shift.double()
    x = x.view(images, height // patch, patch, width // patch, patch, 3).permute(0, 1, 3, 5, 2, 4)
    x = x.reshape(images, -1, 3 * patch * patch)
    return x.new_zeros(images, prefix + x.shape[1], x.shape[2]).index_copy_(
        1, prefix + x.new_tensor(range(x.shape[1])).long(), x
    )
