"""One row for each engine and batch."""

import time
from dataclasses import dataclass

import numpy as np

from inference_runtime.bench.ceilings import Ceilings
from inference_runtime.bundle import Bundle
from inference_runtime.engines import Engine
from inference_runtime.vit.shape import Shape, from_config

FEWEST = 5


@dataclass(frozen=True)
class Row:
    """Rates are None where the network's sizes are unknown; shares are of the ceilings."""

    engine: str
    batch: int
    images_per_s: float
    p50_ms: float
    p99_ms: float
    tflops: float | None
    gbps: float | None
    share_of_tflops: float | None
    share_of_gbps: float | None


def measured(engine: Engine, batch: int, seconds: float, size: tuple[int, int]) -> list[float]:
    """Seconds of each call, with pixels that no cache has seen twice in a row."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (batch, *size, 3), dtype=np.uint8) for _ in range(2)]
    engine.logits(pictures[0])
    taken: list[float] = []
    while sum(taken) < seconds or len(taken) < FEWEST:
        begin = time.perf_counter()
        engine.logits(pictures[len(taken) % 2])
        taken.append(time.perf_counter() - begin)
    return taken


def row(engine: str, batch: int, taken: list[float], shape: Shape | None, ceilings: Ceilings) -> Row:
    usual = float(np.median(taken))
    tflops = shape.flops(batch) / usual / 1e12 if shape else None
    gbps = shape.bytes(batch, 4 if ceilings.machine.startswith("cpu") else 2) / usual / 1e9 if shape else None
    return Row(
        engine,
        batch,
        images_per_s=batch / usual,
        p50_ms=1000 * usual,
        p99_ms=1000 * float(np.quantile(taken, 0.99)),
        tflops=tflops,
        gbps=gbps,
        share_of_tflops=tflops and tflops / ceilings.tflops,
        share_of_gbps=gbps and gbps / ceilings.gbps,
    )


def shape_of(bundle: Bundle) -> Shape | None:
    """Known where the bundle holds a vision transformer's weights: then it says how wide and deep."""
    if "torch" not in bundle.engines:
        return None
    return from_config(bundle.engines["torch"]["config"], bundle.preprocess.height, bundle.preprocess.width)
