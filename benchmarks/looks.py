"""What several looks at one challenge are worth, and what they take: their logits are averaged.

python -m benchmarks.looks [--quick]

The same heads answer the same fresh challenges; only what they look at differs. Latency is that of the
exported graph, one picture at a time on one thread, in turns. Intervals redraw challenges and training
sets alike.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import polars as pl
import torch

from benchmarks import replica, results_file
from pipeline import backbones, features, looks, params
from pipeline.classifier import Classifier, Head
from pipeline.export import graph
from pipeline.looks import Look
from pipeline.params import Params
from pipeline.progress import Progress
from pipeline.replay import scores

ROOT = Path(__file__).parent.parent
ARMS: dict[str, tuple[Look, ...]] = {
    "once": ("whole",),
    "and its mirror": ("whole", "mirror"),
    "and its middle": ("whole", "mirror", "middle"),
}
TURNS = 40


def main(size: replica.Size, full: bool) -> None:
    cv2.setNumThreads(1)
    numbers = params.load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {name: f"{folder}/{name}" for name in ("IMAGES", "FEATURES", "CHECKPOINTS")}
        asked, _ = replica.challenges(size.challenges, numbers)
        vectors = seen(asked, numbers)
        frames = [replica.frames(turn, size.labels) for turn in range(size.sets)]
        profiled = [frame.with_columns(profile=pl.lit("2026-01")) for frame in frames]
        heads = [replica.taught(frame, numbers.train.views, numbers) for frame in profiled]
    rows = measured(asked, vectors, heads, took(heads[0], numbers))
    said = figures(rows)
    show(rows)
    if full:
        results_file.write("looks", said, rows)
    print(json.dumps(said))


def seen(asked: pl.DataFrame, numbers: Params) -> dict[Look, np.ndarray]:
    """What the backbone makes of each look at each challenge."""
    spec = numbers.backbone.spec
    network = backbones.load(numbers.backbone)
    told: dict[Look, list[np.ndarray]] = {look: [] for look in ARMS["and its middle"]}
    with features.one_thread(), torch.inference_mode():
        for image in Progress(asked["image"].to_list(), "looks: challenges looked at"):
            pixels = torch.from_numpy(features.look(image, [f"{features.AS_SENT}/0"], spec)[0][None])
            for look, vectors in told.items():
                vectors.append(network(looks.taken(pixels, look))[0].numpy())
    return {look: np.stack(vectors) for look, vectors in told.items()}


def measured(
    asked: pl.DataFrame, vectors: dict[Look, np.ndarray], heads: list[Head], milliseconds: dict[str, float]
) -> list[dict[str, Any]]:
    weights = scores.resampled(asked, 72)
    paid = {}
    for arm, looked in ARMS.items():
        logits = [np.mean([head.logits(vectors[look]) for look in looked], axis=0) for head in heads]
        paid[arm] = replica.pays(asked, weights, [1 / (1 + np.exp(-one)) for one in logits])
    return [_row(arm, paid, milliseconds) for arm in ARMS]


def _row(arm: str, paid: dict[str, np.ndarray], milliseconds: dict[str, float]) -> dict[str, Any]:
    gains = paid[arm] - paid["once"]
    low, high = replica.margin(gains)
    told = {"reward": float(paid[arm][0].mean()), "gain": float(gains[0].mean()), "low": low, "high": high}
    told["times_latency"] = milliseconds[arm] / milliseconds["once"]
    return {"looks": arm} | {key: round(value, 4) for key, value in told.items()}


def took(head: Head, numbers: Params) -> dict[str, float]:
    """Median milliseconds of one answer of the exported graph."""
    side = (numbers.backbone.height, numbers.backbone.width)
    network = backbones.load(numbers.backbone)
    told = onnxruntime.SessionOptions()
    told.intra_op_num_threads = 1
    sessions = {}
    for arm, looked in ARMS.items():
        proto = graph.exported(Classifier(network, replace(head, looks=looked)), side, numbers.export.opset)
        sessions[arm] = onnxruntime.InferenceSession(proto.SerializeToString(), told)
    pixels = {"pixels": np.random.default_rng(72).integers(0, 256, (1, *side, 3), np.uint8)}
    spent: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for _ in range(TURNS):
        for arm, session in sessions.items():
            start = time.perf_counter()
            session.run(None, pixels)
            spent[arm].append(time.perf_counter() - start)
    return {arm: 1000 * float(np.median(one)) for arm, one in spent.items()}


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    told = {"mirror": rows[1], "middle": rows[2]}
    keys = ("gain", "low", "high", "times_latency")
    return {f"{name}_{key}": row[key] for name, row in told.items() for key in keys}


def show(rows: list[dict[str, Any]]) -> None:
    print("\nexpected reward on fresh challenges, by what the same heads look at")
    print("  looks              reward    gain   95 % of the gain   times the latency")
    for row in rows:
        interval = f"{row['low']:+.3f} to {row['high']:+.3f}"
        print(
            f"  {row['looks']:<17} {row['reward']:>7.3f} {row['gain']:>+7.3f}   {interval}"
            f"   {row['times_latency']:>15.2f}"
        )
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same on little, in under 50 seconds")
    quick = parser.parse_args().quick
    main(replica.QUICK if quick else replica.FULL, full=not quick)
