"""What this machine can do at most, multiplying matrices and moving memory: measured, not looked up."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SECONDS = 0.3


@dataclass(frozen=True)
class Ceilings:
    machine: str
    tflops: float
    gbps: float


def of_cpu() -> Ceilings:
    side = 1024
    left = np.random.default_rng(0).random((side, side), np.float32)
    out, copied = np.empty_like(left), np.zeros(1 << 24, np.float32)
    source = np.ones_like(copied)
    flops = _best(lambda: np.matmul(left, left, out=out))
    moved = _best(lambda: np.copyto(copied, source))
    return Ceilings("cpu, float32", 2 * side**3 / flops / 1e12, 2 * source.nbytes / moved / 1e9)


def of_gpu() -> Ceilings:
    import torch

    side = 8192
    left = torch.randn(side, side, device="cuda", dtype=torch.float16)
    out, source = torch.empty_like(left), torch.ones(1 << 28, device="cuda")
    copied = torch.empty_like(source)

    def done(work: Callable[[], object]) -> Callable[[], object]:
        def ten() -> None:
            for _ in range(10):
                work()
            torch.cuda.synchronize()

        return ten

    flops = _best(done(lambda: torch.mm(left, left, out=out))) / 10
    moved = _best(done(lambda: copied.copy_(source))) / 10
    name = f"{torch.cuda.get_device_name()}, float16"
    return Ceilings(name, 2 * side**3 / flops / 1e12, 2 * source.nbytes / moved / 1e9)


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest run: a ceiling is what is possible, not what is usual."""
    best, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best
