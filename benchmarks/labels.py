"""How many wrong labels are found, and how many right ones are doubted for it?

python -m benchmarks.labels [--quick]

Painted streets of the traffic mix, whose labels are known to be right; 5 % of them are turned, at random, as
a tired person would, or where roadwork is small or far, as a person with a blind spot would. Flagged by
confident learning as each night does it; beside it what ranks as many pictures by loss alone. The classifier
sets the bound: at chance nothing can be found.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import results_file
from pipeline import challenge, features, images, params
from pipeline.progress import Progress
from pipeline.quality import suspects
from pipeline.world.base import jpeg
from pipeline.world.paint import paint
from pipeline.world.scene import scene, tags

ROOT = Path(__file__).parent.parent
SHARE = 0.05
HARD = {"small", "far"}  # layouts that a person overlooks
Labels = NDArray[np.int8]
Row = dict[str, Any]


def main(quick: bool) -> None:
    numbers = params.load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {name: f"{folder}/{name}" for name in ("IMAGES", "FEATURES")}
        table = streets(300 if quick else 1600)
        vectors, _ = features.embed(table, 1, numbers.backbone)
    rows: list[Row] = []
    for seed in range(2 if quick else 5):
        for how, wrong in planted(table, seed).items():
            rows += list(judged(table, vectors, wrong, how, seed, numbers.quality.suspects))
    told = means(rows)
    show(told)
    figures = {f"{one['planted']}_{key}": one[key] for one in told if one["who"] == "ours" for key in KEYS}
    if not quick:
        results_file.write("labels", figures, told)
    print(json.dumps(figures))


KEYS = ("precision", "recall", "precision_in_queue")


def streets(count: int) -> pl.DataFrame:
    rows = []
    for number in Progress(range(count), "labels: streets"):
        one = scene(challenge.seed_of("labels", str(number)), number % 2)
        rows.append({"image": images.put(jpeg(paint(one))), "label": one.label, "tags": tags(one)})
    table = pl.DataFrame(rows).with_columns(pl.col("label").cast(pl.Int8), profile=pl.lit(features.AS_SENT))
    return table.with_columns(family="image")


def planted(table: pl.DataFrame, seed: int) -> dict[str, NDArray[np.intp]]:
    """Rows whose label is turned."""
    rng = np.random.default_rng(seed)
    count = round(SHARE * table.height)
    overlooked = np.flatnonzero(table["tags"].list.set_intersection(sorted(HARD)).list.len().to_numpy() > 0)
    return {
        "tired": rng.choice(table.height, count, replace=False),
        "blind": rng.choice(overlooked, min(count, len(overlooked)), replace=False),
    }


def judged(
    table: pl.DataFrame,
    vectors: NDArray[np.float32],
    wrong: NDArray[np.intp],
    how: str,
    seed: int,
    numbers: Any,
) -> Iterator[Row]:
    labels: Labels = table["label"].to_numpy().copy()
    labels[wrong] ^= 1
    p = suspects.unseen(vectors, labels, table["family"], numbers)
    right = np.mean((p > 0.5) == (table["label"].to_numpy() == 1))
    doubt = suspects.doubts(p, labels)
    ours = np.flatnonzero(doubt >= 0)
    ours = ours[np.argsort(-doubt[ours])]
    loss = np.argsort(np.where(labels == 1, p, 1 - p))[: len(ours)]
    for who, flagged in (("ours", ours), ("loss alone", loss)):
        yield {"planted": how, "who": who, "accuracy": right, **scored(flagged, wrong, numbers.review)}


def scored(flagged: NDArray[np.intp], wrong: NDArray[np.intp], queue: int) -> dict[str, float]:
    hit = np.isin(flagged, wrong)
    return {
        "flagged": len(flagged),
        "precision": float(hit.mean()) if len(hit) else 0.0,
        "recall": float(hit.sum() / len(wrong)),
        "precision_in_queue": float(hit[:queue].mean()) if len(hit) else 0.0,
    }


def means(rows: list[Row]) -> list[Row]:
    grouped = (
        pl.DataFrame(rows).group_by("planted", "who").mean().sort("planted", "who", descending=[True, False])
    )
    return [
        {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}
        for row in grouped.iter_rows(named=True)
    ]


def show(rows: list[Row]) -> None:
    names = ("planted", "by", "accuracy", "flagged", "precision", "recall", "in queue")
    print("\n{:<9}{:<12}{:>9}{:>9}{:>11}{:>8}{:>10}".format(*names))
    for one in rows:
        figures = (
            f"{one['accuracy']:>9.3f}{one['flagged']:>9.0f}{one['precision']:>11.2f}{one['recall']:>8.2f}"
        )
        print(f"{one['planted']:<9}{one['who']:<12}{figures}{one['precision_in_queue']:>10.2f}")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three hundred streets")
    main(parser.parse_args().quick)
