"""The kernels against their twins. `tests/runtime/test_kernels.py` runs this folder, in a process of its own.

For whether Triton compiles or interprets is settled for a whole process, when Triton is first imported.
"""

import os
import secrets
from collections.abc import Callable, Sequence

import pytest

DEVICE = os.environ.get("KERNELS_ON")
if DEVICE is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import torch

# How far a kernel may be from its twin in float64, in parts of the largest number: a few roundings.
# The interpreter cuts bfloat16 off instead of rounding it, which doubles the error.
TOLERANCE = {"float32": 3e-6, "float16": 2e-3, "bfloat16": 2e-2}
Numbers = Callable[..., "torch.Tensor"]


@pytest.fixture
def device() -> "torch.device":
    return torch.device(DEVICE)


@pytest.fixture(params=list(TOLERANCE))
def dtype(request: pytest.FixtureRequest) -> "torch.dtype":
    kind: torch.dtype = getattr(torch, request.param)
    return kind


@pytest.fixture
def numbers(device: "torch.device") -> Numbers:
    """Other ones in every run; the seed is printed where a test fails."""
    seed = secrets.randbits(32)
    print("seed", seed)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, dtype: "torch.dtype | None" = None) -> "torch.Tensor":
        return torch.randn(shape, generator=generator).to(device, dtype or torch.float32)

    return normal


@pytest.fixture
def poisoned(device: "torch.device") -> Numbers:
    """What nothing was written to is not a number, or 99."""

    def empty(*shape: int, dtype: "torch.dtype | None" = None) -> "torch.Tensor":
        kind = dtype or torch.float32
        poison = float("nan") if kind.is_floating_point else 99
        return torch.full(shape, poison, device=device).to(kind)

    return empty


@pytest.fixture
def close() -> Callable[..., None]:
    def check(found: "torch.Tensor", wanted: "torch.Tensor", dtype: "torch.dtype | None" = None) -> None:
        assert found.shape == wanted.shape
        assert torch.isfinite(found.float()).all(), "not all of it was written"
        apart = (found.double() - wanted).abs().max() / wanted.abs().max().clamp(min=1e-9)
        allowed = TOLERANCE[str(dtype or found.dtype).removeprefix("torch.")]
        assert apart <= allowed, f"{apart:.2g} apart, allowed is {allowed:g}"

    return check


@pytest.fixture
def stands_for() -> Callable[..., None]:
    """Whether quantised rows are within a step of what they stand for."""

    def check(out: "torch.Tensor", scales: "torch.Tensor", wanted: "torch.Tensor") -> None:
        scaled = wanted / scales[:, None]
        step = torch.ones_like(scaled) if out.dtype == torch.int8 else (scaled.abs() / 8).clamp(min=2**-9)
        judged = torch.ones_like(scaled, dtype=torch.bool)
        if out.dtype != torch.int8 and DEVICE == "cpu":
            # Where a float8 rounds up to the next power of two, the interpreter loses the carry.
            judged = torch.frexp(scaled.abs()).mantissa < 0.93
        assert ((out.double() - scaled).abs() <= 1.02 * step)[judged].all()

    return check


def quantised(rows: "torch.Tensor", kind: "torch.dtype") -> "tuple[torch.Tensor, torch.Tensor]":
    top = {torch.int8: 127, torch.float8_e4m3fn: 448}[kind]
    scales = rows.abs().amax(1) / top
    scaled = rows / scales[:, None]
    return (scaled.round() if kind == torch.int8 else scaled).to(kind), scales


@pytest.fixture
def quantise() -> Callable[..., Sequence["torch.Tensor"]]:
    return quantised
