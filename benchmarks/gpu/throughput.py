"""The network at several batches and types: torch eager with SDPA, torch.compile, and ours."""

from typing import Any

import torch

from benchmarks.gpu import contenders
from benchmarks.gpu.race import race
from inference_runtime.bench.ceilings import Ceilings, of_gpu
from inference_runtime.vit import weights
from inference_runtime.vit.shape import Shape, known

BATCHES = (1, 8, 32, 128)
TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
COMPILE = {"compile max-autotune": "max-autotune", "compile reduce-overhead": "reduce-overhead"}


def measured(quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    shape = known("vits16" if quick else "vitl16")
    vit, ceilings = weights.random(shape), of_gpu()
    types, batches = (("fp16",), (1, 8)) if quick else (tuple(TYPES), BATCHES)
    rows: list[dict[str, Any]] = []
    for kind in types:
        for batch in batches:
            times = _times(vit, kind, batch, quick)
            rows += [_row(kind, batch, name, ms, shape, ceilings) for name, ms in times.items()]
            torch.cuda.empty_cache()
    return rows, {"ceiling_tflops": ceilings.tflops, "ceiling_gbps": ceilings.gbps} | _figures(rows)


def _times(vit: weights.Vit, kind: str, batch: int, quick: bool) -> dict[str, float]:
    pixels = contenders.pictures(vit, batch)
    mine = contenders.ours(vit, kind, pixels)
    works = {"eager": contenders.eager(vit, TYPES[kind], pixels), "ours": mine.graph.replay}
    for name, mode in COMPILE.items():
        # Compiling takes minutes; reduce-overhead is the peer where overhead is what counts.
        if not quick and (mode == "max-autotune" or batch == 1):
            works[name] = contenders.compiled(vit, TYPES[kind], pixels, mode)
    return race(works, rounds=3 if quick else 15, calls=20 if batch < 32 else 5)


def _row(kind: str, batch: int, name: str, ms: float, shape: Shape, ceilings: Ceilings) -> dict[str, Any]:
    tflops, gbps = shape.flops(batch) / ms / 1e9, shape.bytes(batch) / ms / 1e6
    return {
        "type": kind,
        "batch": batch,
        "engine": name,
        "ms": ms,
        "images_per_s": 1000 * batch / ms,
        "tflops": tflops,
        "of_tflops_ceiling": tflops / ceilings.tflops,
        "gbps": gbps,
        "of_gbps_ceiling": gbps / ceilings.gbps,
    }


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    ms = {(row["type"], row["batch"], row["engine"]): row["ms"] for row in rows}
    figures = {}
    for (kind, batch, name), taken in ms.items():
        if name != "ours":
            figures[f"{kind} batch {batch}: times as fast as {name}"] = taken / ms[kind, batch, "ours"]
    return figures | {
        f"{row['type']} batch 128: of the matrix ceiling": row["of_tflops_ceiling"]
        for row in rows
        if row["engine"] == "ours" and row["batch"] == BATCHES[-1]
    }
