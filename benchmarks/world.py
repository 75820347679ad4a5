"""Is the painted world worth learning from? Colours must not give it away, and more labels must help."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import results_file
from benchmarks.world_pictures import contact_sheet, plot
from inference_runtime import preprocess
from pipeline import backbones, challenge
from pipeline.challenge import Pixels
from pipeline.params import Backbone
from pipeline.progress import Progress, say
from pipeline.world import base, validators
from pipeline.world.paint import paint
from pipeline.world.scene import scene

SLICES = (
    *("day", "dusk", "night", "clear", "overcast", "rain", "fog", "snow", "glare", "blur", "noise"),
    *("site", "single", "small", "far", "near-miss", "level-0", "level-1", "level-2", "level-3"),
)
SPOILERS = {"rain", "fog", "snow", "glare", "blur", "noise", "small", "far"}
WORKERS = 2
BATCH = 16

Vectors = NDArray[np.float32]
Classify = Callable[[Vectors], NDArray[np.bool_]]


@dataclass(frozen=True)
class Size:
    labels: tuple[int, ...]  # labelled frames to learn from
    views: int
    tests: int
    timed: int


FULL = Size((75, 150, 300, 600, 1000, 1500), views=4, tests=1000, timed=120)
QUICK = Size((50, 100, 160), views=2, tests=120, timed=20)


@dataclass(frozen=True)
class Views:
    """Pictures as a miner receives them; `tags` only where they were sent as challenges."""

    pixels: list[Pixels]
    labels: NDArray[np.int64]
    seen: NDArray[np.int64]
    tags: list[set[str]]


def main(size: Size, full: bool) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    speed = painting(size.timed)
    most = size.labels[-1]
    learn = {mix: frames(mix, most, size.views) for mix in ("traffic", "base")}
    test = challenges(size.tests)
    say("embedding")
    vectors = {mix: embedded(views) for mix, views in learn.items()}
    probes = {
        "histogram": (histograms(learn["traffic"]), learn["traffic"], histograms(test)),
        "features": (vectors["traffic"], learn["traffic"], embedded(test)),
    }
    probes["features, base mix"] = (vectors["base"], learn["base"], probes["features"][2])
    say("fitting")
    curve = [row(probes, count * size.views, count, test) for count in size.labels]
    right = answers(probes["features"], most * size.views) == (test.labels == 1)
    right_base = answers(probes["features, base mix"], most * size.views) == (test.labels == 1)
    slices = sliced(test, right, right_base)
    show(curve, slices, speed, test)
    said = figures(curve, slices, speed, test)
    if full:
        results_file.write("world", said, curve)
        plot(curve, slices, results_file.FOLDER / "world.png")
        contact_sheet(Path("docs/world.png"))
    print(json.dumps(said))


def painting(count: int) -> dict[str, float]:
    """CPU milliseconds per picture, which do not depend on who else uses the machine."""
    spent = []
    for seed in Progress(range(count), "timing pictures"):
        start = time.process_time()
        paint(scene(seed))
        spent.append(1000 * (time.process_time() - start))
    return {"median_ms": float(np.median(spent)), "p95_ms": float(np.percentile(spent, 95))}


def frames(mix: str, count: int, views: int) -> Views:
    """Labelled full frames, each through the challenge profile `views` times, as training sees them."""

    def one(index: int) -> list[Pixels]:
        pixels = paint(base.nth(72, index, mix))
        return [
            challenge.view(pixels, "2026-01", challenge.seed_of(f"{mix}{index}", str(k)))
            for k in range(views)
        ]

    labels = np.repeat([base.nth(72, index, mix).label for index in range(count)], views)
    with ThreadPoolExecutor(WORKERS) as pool:
        shown = [
            view for some in Progress(pool.map(one, range(count)), f"{mix} frames", count) for view in some
        ]
    return Views(shown, labels, labels, [])


def challenges(count: int) -> Views:
    with ThreadPoolExecutor(WORKERS) as pool:
        sent = list(
            Progress(pool.map(lambda number: validators.nth(73, number), range(count)), "challenges", count)
        )
    pixels = [preprocess.decode(one.data) for one in sent]
    labels, seen = np.array([one.label for one in sent]), np.array([one.seen for one in sent])
    return Views(pixels, labels, seen, [set(one.tags) for one in sent])


def histograms(views: Views) -> Vectors:
    counts = [
        cv2.calcHist([np.ascontiguousarray(one)], [0, 1, 2], None, [8] * 3, [0, 256] * 3)
        for one in views.pixels
    ]
    return np.sqrt(np.stack(counts).reshape(len(counts), -1) / challenge.SIDE**2).astype(np.float32)


def embedded(views: Views) -> Vectors:
    side = challenge.SIDE
    network = backbones.load(
        Backbone(name="efficientnet-lite0", revision=None, width=side, height=side, batch=BATCH)
    )

    def batch(start: int) -> Vectors:
        pixels = torch.from_numpy(np.stack(views.pixels[start : start + BATCH]))
        with torch.inference_mode():
            vectors: Vectors = network(pixels).numpy()
        return vectors

    starts = range(0, len(views.pixels), BATCH)
    with ThreadPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return np.concatenate(list(Progress(pool.map(batch, starts), "batches embedded", len(starts))))


def answers(probe: tuple[Vectors, Views, Vectors], count: int) -> NDArray[np.bool_]:
    vectors, views, test = probe
    return probed(vectors[:count], views.labels[:count])(test)


def probed(vectors: Vectors, labels: NDArray[np.int64]) -> Classify:
    """Logistic regression, its weight decay chosen on the last fifth of what it may learn from."""
    edge = len(labels) * 4 // 5
    scores = {
        decay: (logistic(vectors[:edge], labels[:edge], decay)(vectors[edge:]) == (labels[edge:] == 1)).mean()
        for decay in (0.003, 0.01, 0.03, 0.1, 0.3)
    }
    return logistic(vectors, labels, max(scores, key=lambda decay: scores[decay]))


def logistic(vectors: Vectors, labels: NDArray[np.int64], decay: float) -> Classify:
    centre, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-4
    inputs, wanted = (
        torch.from_numpy((vectors - centre) / spread),
        torch.from_numpy(labels.astype(np.float32)),
    )
    weights, bias = torch.zeros(vectors.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=80, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        error = torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weights + bias, wanted)
        total = error + decay * (weights * weights).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = weights.detach().numpy(), bias.item()
    return lambda queries: ((queries - centre) / spread) @ slope + offset > 0


def row(probes: dict[str, Any], count: int, labels: int, test: Views) -> dict[str, float]:
    scores = {
        name: float((answers(probe, count) == (test.labels == 1)).mean()) for name, probe in probes.items()
    }
    return {"labels": labels, **scores}


def sliced(
    test: Views, right: NDArray[np.bool_], right_base: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    members = {name: np.array([name in named for named in test.tags]) for name in SLICES}
    members["plain day"] = np.array(["day" in named and not named & SPOILERS for named in test.tags])
    return {
        name: {
            "n": int(mask.sum()),
            "features": float(right[mask].mean()),
            "base mix": float(right_base[mask].mean()),
        }
        for name, mask in members.items()
        if mask.any()
    }


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [list(columns)]
    cells += [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def show(
    curve: Sequence[dict[str, float]],
    slices: dict[str, dict[str, float]],
    speed: dict[str, float],
    test: Views,
) -> None:
    table(
        "accuracy on fresh challenges, by labelled frames",
        list(curve[0]),
        [list(row.values()) for row in curve],
    )
    table(
        "accuracy by slice, all labels",
        ("slice", "n", "features", "base mix"),
        [(name, int(one["n"]), one["features"], one["base mix"]) for name, one in slices.items()],
    )
    print(f"\nroadwork still seen in {test.seen[test.labels == 1].mean():.1%} of positive challenges")
    print(
        f"painting: {speed['median_ms']:.1f} ms per picture, 95 % under {speed['p95_ms']:.1f} ms, one core\n"
    )


def figures(
    curve: Sequence[dict[str, float]],
    slices: dict[str, dict[str, float]],
    speed: dict[str, float],
    test: Views,
) -> dict[str, Any]:
    return {
        "curve": [{key: round(value, 4) for key, value in row.items()} for row in curve],
        "slices": {
            name: {key: round(value, 4) for key, value in one.items()} for name, one in slices.items()
        },
        "tests": len(test.labels),
        "seen": round(float(test.seen[test.labels == 1].mean()), 4),
        "paint_ms": {key: round(value, 2) for key, value in speed.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same on little, in under 50 seconds")
    quick = parser.parse_args().quick
    main(QUICK if quick else FULL, full=not quick)
