"""Where the residual stream is read: shifted by what it owes, and normalised to mean 0 and variance 1.

Residual and LayerScale need no kernel of their own. LayerScale is folded into the weights before it, the
matrix product adds onto the stream, and its bias is owed: `shift` is the sum of all biases so far.
LayerNorm's own weight and bias are folded into the matrix product that follows.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.launch import TOP, block, check


@triton.jit
def normalise_kernel(
    stream,
    shift,
    out,
    scales,
    EPS: tl.constexpr,
    TOP: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    QUANTISED: tl.constexpr,
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < WIDTH
    x = tl.load(stream + row * WIDTH + column, mask=inside, other=0.0).to(tl.float32)
    x += tl.load(shift + column, mask=inside, other=0.0)
    x = tl.where(inside, x - tl.sum(x, 0) / WIDTH, 0.0)
    x *= tl.rsqrt(tl.sum(x * x, 0) / WIDTH + EPS)
    if QUANTISED:
        scale = tl.maximum(tl.max(tl.abs(x), 0), 1e-12) / TOP
        tl.store(scales + row, scale)
        x /= scale
        if out.dtype.element_ty == tl.int8:
            x = tl.floor(x + 0.5)
    tl.store(out + row * WIDTH + column, x.to(out.dtype.element_ty), mask=inside)


def normalise(stream: Tensor, shift: Tensor, eps: float, out: Tensor, scales: Tensor | None = None) -> Tensor:
    """[rows, width] in, and out in the type of `out`; of int8 and float8 the row is `out * scales`."""
    rows, width = stream.shape
    check(stream, shift, out, at=stream)
    assert out.shape == stream.shape and shift.shape == (width,) and shift.dtype == torch.float32
    assert (out.dtype in TOP) == (scales is not None), "scales belong to int8 and float8, and to nothing else"
    if scales is not None:
        check(scales, at=stream)
        assert scales.numel() >= rows and scales.dtype == torch.float32
    normalise_kernel[(rows,)](
        stream,
        shift,
        out,
        out if scales is None else scales,
        EPS=eps,
        TOP=TOP.get(out.dtype, 1.0),
        WIDTH=width,
        BLOCK=block(width),
        QUANTISED=scales is not None,
        num_warps=4 if width <= 1024 else 8,
    )
    return out


def twin(stream: Tensor, shift: Tensor, eps: float) -> Tensor:
    x = stream.double() + shift.double()
    return torch.nn.functional.layer_norm(x, x.shape[-1:], eps=eps)
