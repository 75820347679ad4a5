"""Is the painted world worth learning from? Colours must not give it away, and more labels must help."""

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import linear_probe, results_file
from benchmarks.linear_probe import Vectors
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
    *("site", "single", "small", "far", "near-miss", "us", "eu", "level-0", "level-1", "level-2", "level-3"),
)
SPOILERS = {"rain", "fog", "snow", "glare", "blur", "noise", "small", "far"}
WORKERS = 2
BATCH = 16


@dataclass(frozen=True)
class Size:
    labels: tuple[int, ...]  # labelled frames to learn from
    base: int  # how many of the base mix
    views: int
    tests: int
    timed: int


FULL = Size((75, 150, 300, 600, 1000, 1500), base=600, views=3, tests=1000, timed=120)
QUICK = Size((50, 100, 160), base=100, views=2, tests=120, timed=20)


@dataclass(frozen=True)
class Views:
    """Pictures as a miner receives them; `tags` only where they were sent as challenges."""

    pixels: list[Pixels]
    labels: NDArray[np.int64]
    seen: NDArray[np.int64]
    tags: list[set[str]]


@dataclass(frozen=True)
class Lesson:
    """Vectors to learn from, and those of the challenges to answer; `views` rows belong to a label."""

    vectors: Vectors
    labels: NDArray[np.int64]
    queries: Vectors
    views: int

    def right(self, labels: int, truth: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Which challenges are answered rightly after so many labels; None where there are not so many."""
        rows = labels * self.views
        if rows > len(self.labels):
            return None
        answers = linear_probe.fit(self.vectors[:rows], self.labels[:rows])(self.queries)
        correct: NDArray[np.bool_] = answers == (truth == 1)
        return correct


def main(size: Size, full: bool) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    speed = painting(size.timed)
    test = challenges(size.tests)
    lessons = taught(size, test)
    say("fitting")
    curve = [scores(lessons, count, test) for count in size.labels]
    slices = sliced(lessons, size, test)
    show(curve, slices, speed, test)
    said = figures(curve, slices, speed, test)
    if full:
        results_file.write("world", said, curve)
        plot(curve, slices, results_file.FOLDER / "world.png")
        contact_sheet(Path("docs/world.png"))
    print(json.dumps(said))


def taught(size: Size, test: Views) -> dict[str, Lesson]:
    traffic, base_set = frames("traffic", size.labels[-1], size.views), frames("base", size.base, size.views)
    queries = embedded(test)
    return {
        "histogram": Lesson(histograms(traffic), traffic.labels, histograms(test), size.views),
        "features": Lesson(embedded(traffic), traffic.labels, queries, size.views),
        "features, base mix": Lesson(embedded(base_set), base_set.labels, queries, size.views),
    }


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


def scores(lessons: dict[str, Lesson], labels: int, test: Views) -> dict[str, Any]:
    right = {name: lesson.right(labels, test.labels) for name, lesson in lessons.items()}
    return {"labels": labels} | {
        name: None if correct is None else float(correct.mean()) for name, correct in right.items()
    }


def sliced(lessons: dict[str, Lesson], size: Size, test: Views) -> dict[str, dict[str, Any]]:
    """Per slice: as many labels of the base mix and of traffic, and all there are of traffic."""
    members = {name: np.array([name in named for named in test.tags]) for name in SLICES}
    members["plain day"] = np.array(["day" in named and not named & SPOILERS for named in test.tags])
    columns = {
        f"base, {size.base}": lessons["features, base mix"].right(size.base, test.labels),
        f"traffic, {size.base}": lessons["features"].right(size.base, test.labels),
        f"traffic, {size.labels[-1]}": lessons["features"].right(size.labels[-1], test.labels),
    }
    right = {name: correct for name, correct in columns.items() if correct is not None}
    return {
        name: {"n": int(mask.sum())}
        | {column: float(correct[mask].mean()) for column, correct in right.items()}
        for name, mask in members.items()
        if mask.any()
    }


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    cells = [list(columns)]
    cells += [[cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def cell(value: object) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def show(
    curve: Sequence[dict[str, Any]], slices: dict[str, dict[str, Any]], speed: dict[str, float], test: Views
) -> None:
    table(
        "accuracy on fresh challenges, by labelled frames",
        list(curve[0]),
        [list(row.values()) for row in curve],
    )
    columns = ["slice", *slices["plain day"]]
    table(
        "accuracy by slice, and what it was learned from",
        columns,
        [[name, *one.values()] for name, one in slices.items()],
    )
    print(f"\nroadwork still seen in {test.seen[test.labels == 1].mean():.1%} of positive challenges")
    print(
        f"painting: {speed['median_ms']:.1f} ms per picture, 95 % under {speed['p95_ms']:.1f} ms, one core\n"
    )


def figures(
    curve: Sequence[dict[str, Any]], slices: dict[str, dict[str, Any]], speed: dict[str, float], test: Views
) -> dict[str, Any]:
    return {
        "curve": [rounded(row) for row in curve],
        "slices": {name: rounded(one) for name, one in slices.items()},
        "tests": len(test.labels),
        "seen": round(float(test.seen[test.labels == 1].mean()), 4),
        "paint_ms": rounded(speed),
    }


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.world", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same on little, in under 50 seconds")
    quick = parser.parse_args().quick
    main(QUICK if quick else FULL, full=not quick)
