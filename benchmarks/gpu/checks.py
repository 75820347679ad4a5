"""Bit-equal runs, peak memory, start-up time, and compute-sanitizer where it is installed."""

import shutil
import subprocess
import sys
import time
from typing import Any

import torch

from benchmarks.gpu import contenders
from inference_runtime.engines.torch_triton import lanes_for
from inference_runtime.vit import weights
from inference_runtime.vit.shape import known

RUNS = 100
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")


def measured(quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    vit = weights.random(known("vits16" if quick else "vitl16"))
    rows = [_repeated(vit, kind, 8) for kind in ("fp16", "bf16")]
    rows += [_started(vit, (1, 8) if quick else (1, 2, 4, 8, 16, 32, 64, 128)) for _ in range(2)]
    rows += [] if quick else [_sanitized(tool) for tool in TOOLS]
    return rows, {row["check"]: row["found"] for row in rows}


def _repeated(vit: weights.Vit, kind: str, batch: int) -> dict[str, Any]:
    one = contenders.ours(vit, kind, contenders.pictures(vit, batch))
    one.graph.replay()
    first = one.logits.clone()
    equal = 0
    for _ in range(RUNS):
        one.graph.replay()
        equal += int(torch.equal(one.logits, first))
    return {"check": f"{kind} bit-equal runs of {RUNS}", "found": equal}


def _started(vit: weights.Vit, buckets: tuple[int, ...]) -> dict[str, Any]:
    """The second time the ways are chosen already, as they are when a bundle is swapped."""
    torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    lanes = lanes_for(vit, "fp16", torch.device("cuda", 0), buckets)
    lanes.logits(contenders.pictures(vit, 1).cpu().numpy())
    return {
        "check": f"start-up seconds of {len(buckets)} buckets",
        "found": time.perf_counter() - begin,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30,
    }


def _sanitized(tool: str) -> dict[str, Any]:
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {"check": tool, "found": "no compute-sanitizer on the PATH"}
    command = [program, "--tool", tool, "--error-exitcode", "9", sys.executable, "-m", "benchmarks.gpu.small"]
    done = subprocess.run(command, capture_output=True, text=True)
    return {"check": tool, "found": (done.stdout.strip().splitlines() or ["nothing"])[-1]}
