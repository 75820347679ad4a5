"""Attention over packed queries, keys and values, which are turned by their place (RoPE) as they are read."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.launch import check, wide
from inference_runtime.kernels.rope import turned
from inference_runtime.kernels.rope import twin as rope_twin

LOG2_E = 1.4426950408889634


@triton.jit
def attention_kernel(
    packed,
    cosine,
    sine,
    out,
    SCALE: tl.constexpr,
    TOKENS: tl.constexpr,
    HEADS: tl.constexpr,
    HALF: tl.constexpr,
    QUERIES: tl.constexpr,
    KEYS: tl.constexpr,
    WIDE: tl.constexpr,
):
    width: tl.constexpr = HEADS * HALF * 2
    kind: tl.constexpr = tl.float32 if WIDE else packed.dtype.element_ty
    image, head = tl.program_id(1), tl.program_id(2)
    start = packed + image * TOKENS * 3 * width + head * HALF * 2
    half, whole = tl.arange(0, HALF), tl.arange(0, 2 * HALF)

    row = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    there = row[:, None] < TOKENS
    at = start + row[:, None] * 3 * width + half[None, :]
    query_first, query_second = turned(at, HALF, cosine, sine, row[:, None] * HALF + half[None, :], there)

    highest = tl.full((QUERIES,), -1e30, tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    sums = tl.zeros((QUERIES, 2 * HALF), tl.float32)
    for begin in range(0, TOKENS, KEYS):
        column = begin + tl.arange(0, KEYS)
        # Keys are read lying down: the product wants them as columns.
        present = column[None, :] < TOKENS
        keys = start + width + column[None, :] * 3 * width + half[:, None]
        turn = column[None, :] * HALF + half[:, None]
        key_first, key_second = turned(keys, HALF, cosine, sine, turn, present)
        scores = tl.dot(query_first.to(kind), key_first.to(kind))
        scores += tl.dot(query_second.to(kind), key_second.to(kind))
        scores = tl.where(present, scores * SCALE, -1e30)

        higher = tl.maximum(highest, tl.max(scores, 1))
        shares = tl.exp2(scores - higher[:, None])
        fade = tl.exp2(highest - higher)
        total = total * fade + tl.sum(shares, 1)
        below = start + 2 * width + column[:, None] * 3 * width + whole[None, :]
        values = tl.load(below, mask=column[:, None] < TOKENS, other=0.0).to(kind)
        sums = tl.dot(shares.to(kind), values, sums * fade[:, None])
        highest = higher

    at = out + (image * TOKENS + row[:, None]) * width + head * HALF * 2 + whole[None, :]
    tl.store(at, (sums / total[:, None]).to(out.dtype.element_ty), mask=there)


def attention(
    packed: Tensor,
    cosine: Tensor,
    sine: Tensor,
    heads: int,
    out: Tensor,
    queries: int = 64,
    keys: int = 64,
    warps: int = 4,
    stages: int = 2,
) -> Tensor:
    """[images, tokens, 3 * width] and [tokens, half a head] to [images, tokens, width]."""
    images, tokens, width = out.shape
    half = width // heads // 2
    check(packed, cosine, sine, out, at=packed)
    assert packed.shape == (images, tokens, 3 * width) and packed.dtype == out.dtype
    assert cosine.shape == sine.shape == (tokens, half) and cosine.dtype == sine.dtype == torch.float32
    assert half * heads * 2 == width and half >= 16 and half & (half - 1) == 0, f"heads of {2 * half}"
    attention_kernel[(triton.cdiv(tokens, queries), images, heads)](
        packed,
        cosine,
        sine,
        out,
        SCALE=LOG2_E / (2 * half) ** 0.5,
        TOKENS=tokens,
        HEADS=heads,
        HALF=half,
        QUERIES=queries,
        KEYS=keys,
        WIDE=wide(packed),
        num_warps=warps,
        num_stages=stages,
    )
    return out


def twin(packed: Tensor, cosine: Tensor, sine: Tensor, heads: int) -> Tensor:
    images, tokens, triple = packed.shape
    apart = rope_twin(packed, cosine, sine, heads).view(images, tokens, 3, heads, triple // 3 // heads)
    query, key, value = apart.permute(2, 0, 3, 1, 4)
    shares = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)
    seen: Tensor = (shares @ value).transpose(1, 2).reshape(images, tokens, -1)
    return seen
