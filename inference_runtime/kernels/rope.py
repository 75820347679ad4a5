"""Queries and keys turned by their place, where they lie: for an attention that does not do it itself."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.launch import block, check


@triton.jit
def turned(at, HALF: tl.constexpr, cosine, sine, turn, there):
    """The first and the second halves of heads, each pair turned by its angle."""
    first = tl.load(at, mask=there, other=0.0).to(tl.float32)
    second = tl.load(at + HALF, mask=there, other=0.0).to(tl.float32)
    cos = tl.load(cosine + turn, mask=there, other=0.0)
    sin = tl.load(sine + turn, mask=there, other=0.0)
    return first * cos - second * sin, second * cos + first * sin


@triton.jit
def rope_kernel(
    packed,
    cosine,
    sine,
    TOKENS: tl.constexpr,
    HEADS: tl.constexpr,
    BLOCK: tl.constexpr,
    HALF: tl.constexpr,
):
    # One token: its heads of queries and its heads of keys lie side by side.
    row = tl.program_id(0)
    part, half = tl.arange(0, BLOCK)[:, None], tl.arange(0, HALF)[None, :]
    there = (part < 2 * HEADS) & (half >= 0)
    at = packed + row * 6 * HEADS * HALF + part * 2 * HALF + half
    first, second = turned(at, HALF, cosine, sine, (row % TOKENS) * HALF + half + part * 0, there)
    tl.store(at, first.to(packed.dtype.element_ty), mask=there)
    tl.store(at + HALF, second.to(packed.dtype.element_ty), mask=there)


def rope(packed: Tensor, cosine: Tensor, sine: Tensor, heads: int) -> Tensor:
    """Changes [images, tokens, 3 * width] in place; [tokens, half a head] say how far each pair turns."""
    images, tokens, triple = packed.shape
    half = triple // 6 // heads
    check(packed, cosine, sine, at=packed)
    assert half * heads * 6 == triple and half & (half - 1) == 0, f"heads of {2 * half}"
    assert cosine.shape == sine.shape == (tokens, half) and cosine.dtype == sine.dtype == torch.float32
    rope_kernel[(images * tokens,)](
        packed, cosine, sine, TOKENS=tokens, HEADS=heads, BLOCK=block(2 * heads), HALF=half, num_warps=4
    )
    return packed


def twin(packed: Tensor, cosine: Tensor, sine: Tensor, heads: int) -> Tensor:
    images, tokens, triple = packed.shape
    apart = packed.double().view(images, tokens, 3, heads, triple // 3 // heads)
    first, second = apart.chunk(2, -1)
    cos, sin = cosine.double()[:, None, None, :], sine.double()[:, None, None, :]
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
    return torch.cat([turned[:, :, :2], apart[:, :, 2:]], 2).reshape(packed.shape)
