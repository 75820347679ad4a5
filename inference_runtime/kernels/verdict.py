"""The end: last LayerNorm, pooling, head, calibration and the cascade's route, from the residual stream.

All of them but the norm's deviation are linear, so they are folded into one vector for the class token and
one for the patches. A token then gives one number, and the picture's logit is their sum.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.launch import block, check

# Tokens that one program adds up: few, so that a single picture fills more than one processor.
SHARE = 16
CLEAR, UNSURE, POSITIVE = 0, 1, 2


@triton.jit
def pool_kernel(
    stream,
    shift,
    weight,
    partial,
    EPS: tl.constexpr,
    TOKENS: tl.constexpr,
    PREFIX: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    SHARE: tl.constexpr,
):
    column = tl.arange(0, BLOCK)
    inside = column < WIDTH
    owed = tl.load(shift + column, mask=inside, other=0.0)
    total = 0.0
    for step in range(0, SHARE):
        token = tl.program_id(0) * SHARE + step
        # Registers are there to think with, not to be read.
        read = inside & (token < TOKENS) & ((token == 0) | (token >= PREFIX))
        at = (tl.program_id(1) * TOKENS + token) * WIDTH + column
        x = tl.load(stream + at, mask=read, other=0.0).to(tl.float32) + owed
        x = tl.where(read, x - tl.sum(x, 0) / WIDTH, 0.0)
        x *= tl.rsqrt(tl.sum(x * x, 0) / WIDTH + EPS)
        kind = tl.where(token == 0, 0, WIDTH)
        total += tl.sum(x * tl.load(weight + kind + column, mask=inside, other=0.0), 0)
    tl.store(partial + tl.program_id(1) * tl.num_programs(0) + tl.program_id(0), total)


@triton.jit
def verdict_kernel(partial, limits, logits, routes, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    # limits: the logit's constant, and the logits between which the cascade asks its second stage.
    image, part = tl.program_id(0), tl.arange(0, BLOCK)
    logit = tl.sum(tl.load(partial + image * PARTS + part, mask=part < PARTS, other=0.0), 0)
    logit += tl.load(limits)
    unsure = (logit > tl.load(limits + 1)).to(tl.int32)
    route = unsure + unsure * (logit >= tl.load(limits + 2)).to(tl.int32)
    tl.store(logits + image, logit)
    tl.store(routes + image, route.to(tl.int8))


def parts(tokens: int) -> int:
    return int(triton.cdiv(tokens, SHARE))


def verdict(
    stream: Tensor,
    shift: Tensor,
    weight: Tensor,
    limits: Tensor,
    prefix: int,
    eps: float,
    partial: Tensor,
    logits: Tensor,
    routes: Tensor,
) -> None:
    """[images, tokens, width] to a logit and a route per image: 0 clear, 1 unsure, 2 positive."""
    images, tokens, width = stream.shape
    count = parts(tokens)
    check(stream, shift, weight, limits, partial, logits, routes, at=stream)
    assert shift.shape == (width,) and weight.shape == (2, width) and limits.shape == (3,)
    assert partial.shape == (images, count) and logits.shape == routes.shape == (images,)
    assert {one.dtype for one in (shift, weight, limits, partial, logits)} == {torch.float32}
    assert routes.dtype == torch.int8
    pool_kernel[(count, images)](
        stream,
        shift,
        weight,
        partial,
        EPS=eps,
        TOKENS=tokens,
        PREFIX=prefix,
        WIDTH=width,
        BLOCK=block(width),
        SHARE=SHARE,
        num_warps=4,
    )
    verdict_kernel[(images,)](partial, limits, logits, routes, PARTS=count, BLOCK=block(count), num_warps=1)


def twin(
    stream: Tensor, shift: Tensor, weight: Tensor, limits: Tensor, prefix: int, eps: float
) -> tuple[Tensor, Tensor]:
    x = stream.double() + shift.double()
    x = torch.nn.functional.layer_norm(x, x.shape[-1:], eps=eps)
    logits = x[:, 0] @ weight[0].double() + x[:, prefix:].sum(1) @ weight[1].double() + limits[0].double()
    routes = (logits > limits[1]).to(torch.int8) * (1 + (logits >= limits[2]).to(torch.int8))
    return logits, routes
