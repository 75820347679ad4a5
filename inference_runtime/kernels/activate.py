"""Bias and GELU, or bias and SwiGLU; if wanted with the row quantised for the product that follows."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.gelu import gelu
from inference_runtime.kernels.launch import TOP, block, check


@triton.jit
def activate_kernel(
    into,
    bias,
    out,
    scales,
    TOP: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    GATED: tl.constexpr,
    QUANTISED: tl.constexpr,
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < WIDTH
    start = into + row * (2 * WIDTH if GATED else WIDTH)
    x = tl.load(start + column, mask=inside, other=0.0).to(tl.float32)
    x += tl.load(bias + column, mask=inside, other=0.0)
    if GATED:
        up = tl.load(start + WIDTH + column, mask=inside, other=0.0).to(tl.float32)
        up += tl.load(bias + WIDTH + column, mask=inside, other=0.0)
        x = x / (1.0 + tl.exp(-x)) * up
    else:
        x = gelu(x)
    if QUANTISED:
        scale = tl.maximum(tl.max(tl.abs(x), 0), 1e-12) / TOP
        tl.store(scales + row, scale)
        x /= scale
        if out.dtype.element_ty == tl.int8:
            x = tl.floor(x + 0.5)
    tl.store(out + row * WIDTH + column, x.to(out.dtype.element_ty), mask=inside)


def activate(into: Tensor, bias: Tensor, out: Tensor, scales: Tensor | None = None) -> Tensor:
    """[rows, width], or [rows, gate and up] for SwiGLU, to [rows, width]; `out` may be `into` for GELU."""
    rows, width = out.shape
    check(into, bias, out, at=into)
    assert into.shape in ((rows, width), (rows, 2 * width)), f"{tuple(into.shape)} for {tuple(out.shape)}"
    assert bias.shape == into.shape[1:] and bias.dtype == torch.float32
    assert (out.dtype in TOP) == (scales is not None), "scales belong to int8 and float8, and to nothing else"
    if scales is not None:
        check(scales, at=into)
        assert scales.numel() >= rows and scales.dtype == torch.float32
    activate_kernel[(rows,)](
        into,
        bias,
        out,
        out if scales is None else scales,
        TOP=TOP.get(out.dtype, 1.0),
        WIDTH=width,
        BLOCK=block(width),
        GATED=into.shape[1] != width,
        QUANTISED=scales is not None,
        num_warps=8,
    )
    return out


def twin(into: Tensor, bias: Tensor, width: int) -> Tensor:
    x = into.double() + bias.double()
    if x.shape[1] == width:
        return torch.nn.functional.gelu(x)
    return torch.nn.functional.silu(x[:, :width]) * x[:, width:]
