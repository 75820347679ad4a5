"""Pillow's antialiased resizes, bit for bit: whole numbers throughout, as Pillow has them.

First every output column from the columns it covers, then every output row. A frame of more than twice what
`gap` allows is read as the means of boxes of whole pixels, which Pillow calls `reduce`. Pillow 13 takes the
rows first where they shrink much more than the columns: then the two differ by at most one level of 255; so
they may in the last row and column, where boxes hang over the edge.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray
from torch import Tensor

from inference_runtime.kernels.launch import check
from inference_runtime.preprocess import Filter

BITS = 22


@triton.jit
def across_kernel(
    frame,
    starts,
    weights,
    out,
    height,
    width,
    low,
    columns,
    BOX_X: tl.constexpr,
    BOX_Y: tl.constexpr,
    TAPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < columns * 3
    column, channel = at // 3, at % 3
    start = tl.load(starts + column, mask=inside, other=0)
    total = tl.full((BLOCK,), 1 << 21, tl.int32)
    tall = tl.minimum(height - row * BOX_Y, BOX_Y)
    for tap in range(0, TAPS):
        x = start + tap
        # Past the edge the weight is zero.
        here = inside & (x < low)
        seen = tl.zeros((BLOCK,), tl.int32)
        for j in range(0, BOX_Y):
            for i in range(0, BOX_X):
                deep, far = row * BOX_Y + j, x * BOX_X + i
                found = here & (deep < height) & (far < width)
                seen += tl.load(frame + (deep * width + far) * 3 + channel, mask=found, other=0).to(tl.int32)
        if BOX_X * BOX_Y > 1:
            area = tall * tl.maximum(tl.minimum(width - x * BOX_X, BOX_X), 1)
            sums = (seen + area // 2).to(tl.int64)
            seen = ((sums * ((1 << 24) // area).to(tl.int64)) >> 24).to(tl.int32)
        total += seen * tl.load(weights + column * TAPS + tap, mask=inside, other=0)
    value = tl.minimum(tl.maximum(total >> 22, 0), 255)
    tl.store(out + row * columns * 3 + at, value.to(tl.uint8), mask=inside)


@triton.jit
def down_kernel(
    wide,
    starts,
    weights,
    out,
    height,
    columns,
    TAPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < columns * 3
    start = tl.load(starts + row)
    total = tl.full((BLOCK,), 1 << 21, tl.int32)
    for tap in range(0, TAPS):
        here = inside & (start + tap < height)
        seen = tl.load(wide + (start + tap) * columns * 3 + at, mask=here, other=0).to(tl.int32)
        total += seen * tl.load(weights + row * TAPS + tap)
    value = tl.minimum(tl.maximum(total >> 22, 0), 255)
    tl.store(out + row * columns * 3 + at, value.to(tl.uint8), mask=inside)


def resize(
    frame: Tensor, out: Tensor, between: Tensor, gap: float | None = None, filter: Filter = "bilinear"
) -> Tensor:
    """uint8 [height, width, 3] to the size of `out`; `between` holds frame rows x out columns x 3."""
    height, width, _ = frame.shape
    rows, columns, _ = out.shape
    check(frame, out, between, at=frame)
    assert {one.dtype for one in (frame, out, between)} == {torch.uint8}
    box_x, box_y = boxes(width, columns, gap), boxes(height, rows, gap)
    low, flat = -(-width // box_x), -(-height // box_y)
    assert between.numel() >= flat * columns * 3
    grid = triton.cdiv(columns * 3, 128)
    starts, weights = taps(low, width / box_x, columns, frame.device, filter)
    across_kernel[(flat, grid)](
        frame,
        starts,
        weights,
        between,
        height,
        width,
        low,
        columns,
        BOX_X=box_x,
        BOX_Y=box_y,
        TAPS=weights.shape[1],
        BLOCK=128,
        num_warps=4,
    )
    starts, weights = taps(flat, height / box_y, rows, frame.device, filter)
    down_kernel[(rows, grid)](
        between, starts, weights, out, flat, columns, TAPS=weights.shape[1], BLOCK=128, num_warps=4
    )
    return out


def boxes(size: int, wanted: int, gap: float | None) -> int:
    """How many pixels are first put into one, so that at least `gap` times the wanted ones are left."""
    return 1 if gap is None else int(size / wanted / gap) or 1


def tent(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1 - np.abs(x)).clip(0)


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys's, with -1/2 for its free parameter."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def windowed_sinc(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


# With how far each reaches.
FILTERS: dict[Filter, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], int]] = {
    "bilinear": (tent, 1),
    "bicubic": (cubic, 2),
    "lanczos": (windowed_sinc, 3),
}


@lru_cache(maxsize=256)
def taps(
    size: int, covered: float, wanted: int, device: torch.device, filter: Filter
) -> tuple[Tensor, Tensor]:
    """The first pixel each output reads, and its weights as whole numbers of 2**-22."""
    curve, reach = FILTERS[filter]
    scale = covered / wanted
    stretch = max(scale, 1.0)
    support = stretch * reach
    starts, rows = np.zeros(wanted, np.int32), np.zeros((wanted, math.ceil(support) * 2 + 1), np.int32)
    for place in range(wanted):
        centre = (place + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size)
        weights = curve((np.arange(first, last, dtype=np.float64) - centre + 0.5) / stretch)
        whole = weights / weights.sum() * (1 << BITS)
        starts[place] = first
        rows[place, : last - first] = (whole + np.copysign(0.5, whole)).astype(np.int32)
    return torch.from_numpy(starts).to(device), torch.from_numpy(rows).to(device)


def twin(frame: Tensor, height: int, width: int) -> Tensor:
    """Torch's own antialiased resize, whose two passes do not round in between: within 1 of ours."""
    x = frame.permute(2, 0, 1)[None].float()
    x = torch.nn.functional.interpolate(x, (height, width), mode="bilinear", antialias=True)
    return x[0].permute(1, 2, 0).double()
