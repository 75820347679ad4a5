"""The ways to take a product: the vendor's library with a kernel behind it, or one kernel for all."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inference_runtime.kernels.activate import activate
from inference_runtime.kernels.choice import Choice, Ways
from inference_runtime.kernels.launch import TOP
from inference_runtime.kernels.product import CHOICES, Tiles, product


@dataclass(frozen=True)
class Rows:
    """[rows, inner]; quantised rows are `numbers * scales`."""

    numbers: Tensor
    scales: Tensor | None = None


@dataclass(frozen=True)
class Matrix:
    """[columns, inner], and a bias in float32; quantised columns are `weight * scales`."""

    weight: Tensor
    bias: Tensor | None = None
    rounded: Tensor | None = None  # the bias as the library wants it: in the type of the output
    scales: Tensor | None = None

    def unbiased(self) -> "Matrix":
        return Matrix(self.weight, scales=self.scales)


def matrix(
    weight: Tensor, bias: Tensor | None, dtype: torch.dtype, output: torch.dtype, device: torch.device
) -> Matrix:
    """Rounded or quantised from float64, a scale for each column."""
    kept = None if bias is None else bias.float().to(device)
    rounded = None if bias is None else bias.to(output).to(device)
    if dtype not in TOP:
        return Matrix(weight.to(dtype).to(device), kept, rounded)
    scales = weight.abs().amax(1).clamp(min=1e-12) / TOP[dtype]
    numbers = weight / scales[:, None]
    whole = numbers.round() if dtype == torch.int8 else numbers.float()
    return Matrix(whole.to(dtype).to(device), kept, rounded, scales.float().to(device))


class Linear:
    """Each takes [rows, inner] to [rows, columns] by the way that `choice` finds fastest."""

    def __init__(self, choice: Choice, tiles: tuple[Tiles, ...] = CHOICES) -> None:
        self._choice, self._tiles = choice, tiles

    def plain(self, rows: Rows, by: Matrix, out: Tensor) -> None:
        self._choice(_key("plain", rows, by), self._plain(rows, by, out))

    def gelu(self, rows: Rows, by: Matrix, out: Tensor) -> None:
        assert by.bias is not None
        fused = self._fused(rows, by, out, gelu=True)
        if rows.scales is None:
            fused = {"library, then gelu": partial(_mm_gelu, rows, by, by.bias, out)} | fused
        self._choice(_key("gelu", rows, by), fused)

    def add(self, rows: Rows, by: Matrix, out: Tensor) -> None:
        """Onto `out`. What was in it when ways are compared is lost."""
        fused = self._fused(rows, by, out, residual=True)
        if rows.scales is None:
            fused = {"library": partial(out.addmm_, rows.numbers, by.weight.T)} | fused
        self._choice(_key("add", rows, by), fused)

    def _plain(self, rows: Rows, by: Matrix, out: Tensor) -> Ways:
        fused = self._fused(rows, by, out)
        if rows.scales is None:
            return {"library": partial(_mm, rows, by, out)} | fused
        if rows.numbers.dtype == torch.float8_e4m3fn and out.dtype == torch.bfloat16:
            # The library scales by rows only into this type.
            return fused | {"library": partial(_scaled_mm, rows, by, out)}
        return fused

    def _fused(
        self, rows: Rows, by: Matrix, out: Tensor, gelu: bool = False, residual: bool = False
    ) -> dict[str, partial[Any]]:
        assert (rows.scales is None) == (by.scales is None)
        scales = None if rows.scales is None or by.scales is None else (rows.scales, by.scales)
        one = partial(product, rows.numbers, by.weight, out)
        return {
            f"kernel {tiles}": partial(
                one, tiles, bias=by.bias, activated=gelu, residual=residual, scales=scales
            )
            for tiles in self._tiles
        }


def _mm(rows: Rows, by: Matrix, out: Tensor) -> None:
    if by.rounded is None:
        torch.mm(rows.numbers, by.weight.T, out=out)
    else:
        torch.addmm(by.rounded, rows.numbers, by.weight.T, out=out)


def _mm_gelu(rows: Rows, by: Matrix, bias: Tensor, out: Tensor) -> None:
    torch.mm(rows.numbers, by.weight.T, out=out)
    activate(out, bias, out)


def _scaled_mm(rows: Rows, by: Matrix, out: Tensor) -> None:
    assert rows.scales is not None and by.scales is not None
    down, along = rows.scales[: len(rows.numbers), None], by.scales[None, :]
    torch._scaled_mm(
        rows.numbers,
        by.weight.T,
        scale_a=down,
        scale_b=along,
        bias=by.rounded,
        out_dtype=out.dtype,
        out=out,
    )


def _key(ending: str, rows: Rows, by: Matrix) -> str:
    columns, inner = by.weight.shape
    kind = str(rows.numbers.dtype).removeprefix("torch.")
    return f"{ending} {len(rows.numbers)}x{columns}x{inner} {kind}"
