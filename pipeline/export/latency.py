"""How long each engine takes for one picture here: in turns, so that a busy moment meets all of them."""

import time
from collections.abc import Sequence

import numpy as np

from inference_runtime.bundle import Bundle
from inference_runtime.engines import Engine, engine_for
from pipeline import measured
from pipeline.measured import Figures

SEED = 72


def told(bundle: Bundle, engines: Sequence[str], runs: int) -> dict[str, Figures]:
    """Measured once per engine file and machine, and kept; `times_fp32` is the ratio within one run."""
    names = {name: str(bundle.engines[name]["sha256"]) for name in engines}
    old = {name: figures for name, sha in names.items() if (figures := measured.known(sha))}
    if old.keys() == names.keys():
        return old
    seconds = in_turns({name: engine_for(bundle, name, threads=1) for name in names}, bundle, runs)
    return {name: measured.record(names[name], _figures(name, seconds)) for name in names}


def in_turns(engines: dict[str, Engine], bundle: Bundle, runs: int) -> dict[str, list[float]]:
    spec = bundle.preprocess
    pixels = np.random.default_rng(SEED).integers(0, 256, (1, spec.height, spec.width, 3), dtype=np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for run in range(runs + 1):
        for name, engine in engines.items():
            began = time.perf_counter()
            engine.logits(pixels)
            if run:  # the first is a warm-up
                seconds[name].append(time.perf_counter() - began)
    return seconds


def _figures(name: str, seconds: dict[str, list[float]]) -> Figures:
    ratios = np.array(seconds["onnx"]) / np.array(seconds[name])
    middle, high = np.percentile(seconds[name], [50, 95]) * 1000
    return {
        "batch": 1,
        "threads": 1,
        "ms_p50": round(float(middle), 2),
        "ms_p95": round(float(high), 2),
        "times_fp32": round(float(np.median(ratios)), 2),
    }
