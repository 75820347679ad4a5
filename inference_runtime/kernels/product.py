"""A matrix product that ends as its reader wants it: scaled, biased, through GELU, onto the residual."""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference_runtime.kernels.gelu import gelu
from inference_runtime.kernels.launch import TOP, check, wide


@triton.jit
def product_kernel(
    left,
    right,
    out,
    bias,
    row_scales,
    column_scales,
    rows,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    TILE_ROWS: tl.constexpr,
    TILE_COLUMNS: tl.constexpr,
    TILE_INNER: tl.constexpr,
    GROUP: tl.constexpr,
    BIAS: tl.constexpr,
    GELU: tl.constexpr,
    RESIDUAL: tl.constexpr,
    SCALED: tl.constexpr,
    WIDE: tl.constexpr,
):
    # Tiles are taken in groups of rows, so that neighbours in time share what the L2 cache holds.
    tall, across = tl.cdiv(rows, TILE_ROWS), tl.cdiv(COLUMNS, TILE_COLUMNS)
    group = tl.program_id(0) // (GROUP * across)
    height = tl.minimum(tall - group * GROUP, GROUP)
    within = tl.program_id(0) % (GROUP * across)
    row = (group * GROUP + within % height) * TILE_ROWS + tl.arange(0, TILE_ROWS)
    column = (within // height) * TILE_COLUMNS + tl.arange(0, TILE_COLUMNS)
    inner = tl.arange(0, TILE_INNER)

    # Beyond the edge any row does, for it is not stored: no mask in the loop.
    lefts = left + (row % rows)[:, None] * INNER + inner[None, :]
    rights = right + (column % COLUMNS)[None, :] * INNER + inner[:, None]
    whole: tl.constexpr = left.dtype.element_ty == tl.int8
    sums = tl.zeros((TILE_ROWS, TILE_COLUMNS), tl.int32 if whole else tl.float32)
    for begin in range(0, INNER, TILE_INNER):
        if INNER % TILE_INNER == 0:
            one, other = tl.load(lefts), tl.load(rights)
        else:
            one = tl.load(lefts, mask=inner[None, :] < INNER - begin, other=0.0)
            other = tl.load(rights, mask=inner[:, None] < INNER - begin, other=0.0)
        if WIDE:
            one, other = one.to(tl.float32), other.to(tl.float32)
        sums = tl.dot(one, other, sums, out_dtype=sums.dtype)
        lefts += TILE_INNER
        rights += TILE_INNER

    x = sums.to(tl.float32)
    down, along = row < rows, column < COLUMNS
    if SCALED:
        x *= tl.load(row_scales + row, mask=down, other=0.0)[:, None]
        x *= tl.load(column_scales + column, mask=along, other=0.0)[None, :]
    if BIAS:
        x += tl.load(bias + column, mask=along, other=0.0)[None, :]
    if GELU:
        x = gelu(x)
    at = out + row[:, None] * COLUMNS + column[None, :]
    inside = down[:, None] & along[None, :]
    if RESIDUAL:
        x += tl.load(at, mask=inside, other=0.0).to(tl.float32)
    tl.store(at, x.to(out.dtype.element_ty), mask=inside)


@dataclass(frozen=True)
class Tiles:
    rows: int = 128
    columns: int = 128
    inner: int = 64
    warps: int = 8
    stages: int = 3

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}x{self.inner} w{self.warps} s{self.stages}"


# Small ones fill a GPU at batch 1, large ones reuse what they load at batch 128.
CHOICES = (
    Tiles(64, 64, 64, 4, 4),
    Tiles(64, 128, 64, 4, 4),
    Tiles(128, 64, 64, 4, 4),
    Tiles(128, 128, 64, 8, 4),
    Tiles(128, 256, 64, 8, 3),
    Tiles(256, 128, 64, 8, 3),
)


def product(
    left: Tensor,
    right: Tensor,
    out: Tensor,
    tiles: Tiles,
    *,
    bias: Tensor | None = None,
    activated: bool = False,
    residual: bool = False,
    scales: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """out [rows, columns] = left [rows, inner] @ right [columns, inner].T, added onto `out` if residual."""
    rows, inner = left.shape
    columns = right.shape[0]
    check(left, right, out, at=left)
    assert right.shape == (columns, inner) and out.shape == (rows, columns) and left.dtype == right.dtype
    assert (left.dtype in TOP) == (scales is not None), (
        "scales belong to int8 and float8, and to nothing else"
    )
    for vector, size in ((bias, columns), *zip(scales or (), (rows, columns), strict=False)):
        if vector is not None:
            check(vector, at=left)
            assert vector.dtype == torch.float32 and vector.numel() >= size
    row_scales, column_scales = scales or (out, out)
    product_kernel[(triton.cdiv(rows, tiles.rows) * triton.cdiv(columns, tiles.columns),)](
        left,
        right,
        out,
        out if bias is None else bias,
        row_scales,
        column_scales,
        rows,
        COLUMNS=columns,
        INNER=inner,
        TILE_ROWS=tiles.rows,
        TILE_COLUMNS=tiles.columns,
        TILE_INNER=tiles.inner,
        GROUP=8,
        BIAS=bias is not None,
        GELU=activated,
        RESIDUAL=residual,
        SCALED=scales is not None,
        WIDE=wide(left),
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return out


def twin(
    left: Tensor,
    right: Tensor,
    bias: Tensor | None = None,
    gelu: bool = False,
    residual: Tensor | None = None,
    scales: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    x = left.double() @ right.double().T
    if scales is not None:
        x = x * scales[0].double()[: len(x), None] * scales[1].double()
    x = x if bias is None else x + bias.double()
    x = torch.nn.functional.gelu(x) if gelu else x
    return x if residual is None else x + residual.double()
